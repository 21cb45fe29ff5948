// SPDX-License-Identifier: GPL-3.0-or-later
// The library that plays, a chunk of its own: by itself here, so that it can be on its way before the player's page is.
import type shaka from 'shaka-player';

export type Shaka = typeof shaka;

export const loadLibrary = (): Promise<{ default: Shaka }> =>
  import('shaka-player/dist/shaka-player.dash-es2021.js') as unknown as Promise<{ default: Shaka }>;
