// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, it } from 'vitest';
import { screenHeight } from './device';

it('asks for what fills the screen, held sideways, and no more', () => {
  expect(screenHeight(1440, 900, 1)).toBe(1080);
  expect(screenHeight(1920, 1080, 1)).toBe(1080);
  expect(screenHeight(390, 844, 3)).toBe(1440);
  expect(screenHeight(360, 640, 1)).toBe(360);
  expect(screenHeight(7680, 4320, 2)).toBe(4320);
});
