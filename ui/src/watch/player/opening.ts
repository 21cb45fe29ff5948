// SPDX-License-Identifier: GPL-3.0-or-later
// The server is asked for a play while the player itself is still on its way. What nobody takes is given back: a play
// holds one of a plan's streams.
import { plays, type Asking, type Play } from '../../shared/api';
import { device } from './device';

interface Opening {
  id: string;
  play: Promise<Play>;
  stop: AbortController;
}

let opening: Opening | null = null;

export function openAhead(id: string): void {
  dropOpening();
  const stop = new AbortController();
  const play = plays.start(id, device(), { signal: stop.signal });
  play.catch(() => {}); // who takes it says so
  opening = { id, play, stop };
}

/** The play that was asked for ahead, or a new one. */
export function openPlay(id: string, how: Asking & { signal: AbortSignal }): Promise<Play> {
  const ahead = opening;
  if (ahead?.id !== id) return plays.start(id, device(), how);
  opening = null;
  how.signal.addEventListener('abort', () => ahead.stop.abort());
  return ahead.play;
}

export function dropOpening(): void {
  const ahead = opening;
  opening = null;
  // Not aborted: an answer on its way would leave its play behind.
  ahead?.play.then((play) => plays.end(play.id, { keepalive: true })).catch(() => {});
}
