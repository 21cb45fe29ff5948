// SPDX-License-Identifier: GPL-3.0-or-later
// What the player decides, apart from any browser: tested by itself.
import { US } from '../../shared/format';

// --- qualities --------------------------------------------------------------------------------

export interface Rung {
  width: number;
  height: number;
  bandwidth: number;
}

export interface Quality<T extends Rung> {
  key: string;
  label: string; // "1080p"
  aside: string; // what tells two of one label apart: "5.2 Mb/s"
  track: T;
}

const standards = [144, 240, 360, 480, 540, 576, 720, 1080, 1440, 2160, 4320];

/**
 * The name people know a size by: of a wide film by its width (1920 × 804 is "1080p"), of an upright one
 * by its shorter side. Sizes near no standard keep their own number. Cards are named alike by the server (src/catalog/card.c).
 */
export function rungName(width: number, height: number): string {
  const upright = height > width;
  const lines = upright ? width : Math.max(height, Math.round((width * 9) / 16));
  const near = standards.find((standard) => Math.abs(lines - standard) <= standard * 0.03) ?? lines;
  return near === 4320 ? '8K' : near === 2160 ? '4K' : `${near}p`;
}

/** Best first; of the same size and rate only one. */
export function qualities<T extends Rung>(tracks: readonly T[], rate: (bps: number) => string): Quality<T>[] {
  const sorted = [...tracks].sort((a, b) => b.height * b.width - a.height * a.width || b.bandwidth - a.bandwidth);
  const seen = new Set<string>();
  const list: Quality<T>[] = [];
  for (const track of sorted) {
    const key = `${track.width}x${track.height}@${track.bandwidth}`;
    if (seen.has(key)) continue;
    seen.add(key);
    list.push({ key, label: rungName(track.width, track.height), aside: rate(track.bandwidth), track });
  }
  return list;
}

/** What is worth offering: not a smaller picture that costs as much as a larger one, of another codec, does. */
export function offered<T extends Rung>(list: readonly Quality<T>[]): Quality<T>[] {
  const size = (one: Quality<T>) => one.track.width * one.track.height;
  return list.filter((one) => !list.some((other) => size(other) > size(one) && other.track.bandwidth <= one.track.bandwidth));
}

// --- keys ---------------------------------------------------------------------------------------

export type Action =
  | { do: 'toggle' | 'fullscreen' | 'mute' | 'captions' | 'statistics' | 'next' | 'help' | 'close' }
  | { do: 'seekBy'; seconds: number }
  | { do: 'seekTo'; ratio: number }
  | { do: 'volumeBy'; steps: number }
  | { do: 'speedBy'; steps: number };

export interface Key {
  key: string;
  ctrlKey?: boolean;
  metaKey?: boolean;
  altKey?: boolean;
}

export const SEEK_S = 10;

export function actionOf(event: Key): Action | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  if (/^[0-9]$/.test(event.key)) return { do: 'seekTo', ratio: Number(event.key) / 10 };
  switch (event.key) {
    case ' ':
    case 'k':
    case 'K':
      return { do: 'toggle' };
    case 'ArrowLeft':
    case 'j':
      return { do: 'seekBy', seconds: -SEEK_S };
    case 'ArrowRight':
    case 'l':
      return { do: 'seekBy', seconds: SEEK_S };
    case 'ArrowUp':
      return { do: 'volumeBy', steps: 1 };
    case 'ArrowDown':
      return { do: 'volumeBy', steps: -1 };
    case 'Home':
      return { do: 'seekTo', ratio: 0 };
    case 'End':
      return { do: 'seekTo', ratio: 1 };
    case 'f':
    case 'F':
      return { do: 'fullscreen' };
    case 'm':
    case 'M':
      return { do: 'mute' };
    case 'c':
    case 'C':
      return { do: 'captions' };
    case 'i':
    case 'I':
      return { do: 'statistics' };
    case 'n':
    case 'N':
      return { do: 'next' };
    case '<':
      return { do: 'speedBy', steps: -1 };
    case '>':
      return { do: 'speedBy', steps: 1 };
    case '?':
      return { do: 'help' };
    case 'Escape':
      return { do: 'close' };
    default:
      return null;
  }
}

export const speeds = [0.5, 0.75, 1, 1.25, 1.5, 2] as const;

export function speedBy(present: number, steps: number): number {
  let at = 0;
  speeds.forEach((speed, i) => {
    if (Math.abs(speed - present) < Math.abs(speeds[at]! - present)) at = i;
  });
  return speeds[Math.min(speeds.length - 1, Math.max(0, at + steps))]!;
}

// --- places ----------------------------------------------------------------------------------------

/** Where a play begins, in seconds: where one stopped, to the second; a film that was over begins again. */
export function startAt(position_us: number, duration_us: number, asked: string | null): number {
  if (asked !== null && /^\d+(\.\d+)?$/.test(asked)) return Math.min(Number(asked), Math.max(0, duration_us / US - 1));
  if (position_us <= 0) return 0;
  if (duration_us > 0 && position_us >= duration_us - 3 * US) return 0;
  return position_us / US;
}

/** Never onto the very end: there the film would be over before one sees where one is. */
export function seekTarget(to: number, duration: number): number {
  if (!Number.isFinite(to) || !(duration > 0)) return 0;
  return Math.min(Math.max(0, to), Math.max(0, duration - 0.25));
}

export type NextUp = { show: false } | { show: true; seconds: number };

export const NEXT_S = 10;

/**
 * The next episode is offered while the last seconds run: half a minute before the end of a long one, never before
 * two thirds of a short one. It begins by itself when this one has ended, unless it was declined.
 */
export function nextUp(position: number, duration: number, ended: boolean, declined: boolean): NextUp {
  if (declined || !(duration > 0)) return { show: false };
  const left = Math.max(0, duration - position);
  if (!ended && left > Math.min(NEXT_S, duration / 3)) return { show: false };
  return { show: true, seconds: ended ? 0 : Math.ceil(left) };
}

/**
 * The rate to begin with: what this link gave last time, within what a wrong guess costs little; a modest one
 * where nothing is known, since a first picture soon is worth more than a sharp one late.
 */
export function guessRate(remembered: string | null): number {
  const last = Number(remembered);
  return last > 0 ? Math.min(20_000_000, Math.max(300_000, Math.round(last * 0.7))) : 1_500_000;
}

// --- heartbeats -------------------------------------------------------------------------------------

/**
 * When the server is told where one is: at every interval while the film runs, and at once when that changes
 * what is true (paused, moved, ended, leaving). Two messages never say the same.
 */
export class Heart {
  private timer: ReturnType<typeof setInterval> | null = null;
  private last = '';

  constructor(
    private readonly everyMs: number,
    private readonly look: () => { position_us: number; state: string },
    private readonly send: (leaving: boolean) => void,
  ) {}

  start(): void {
    this.timer ??= setInterval(() => {
      if (this.look().state !== 'paused') this.beat();
    }, this.everyMs);
  }

  beat(leaving = false): void {
    const { position_us, state } = this.look();
    const now = `${state}@${Math.round(position_us / 1000)}`;
    if (now === this.last) return;
    this.last = now;
    this.send(leaving);
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}

// --- captions ----------------------------------------------------------------------------------------

export interface CaptionStyle {
  size: 'small' | 'usual' | 'large' | 'huge';
  colour: 'white' | 'yellow' | 'cyan';
  back: 'shadow' | 'box' | 'solid';
}

export const usualCaptions: CaptionStyle = { size: 'usual', colour: 'white', back: 'shadow' };

const allowed: { [K in keyof CaptionStyle]: readonly CaptionStyle[K][] } = {
  size: ['small', 'usual', 'large', 'huge'],
  colour: ['white', 'yellow', 'cyan'],
  back: ['shadow', 'box', 'solid'],
};
export const captionChoices = allowed;

/** From what was stored: anything unknown is as usual. */
export function readCaptionStyle(text: string | null): CaptionStyle {
  let value: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(text ?? '');
    if (typeof parsed === 'object' && parsed !== null) value = parsed as Record<string, unknown>;
  } catch {
    // nothing stored, or not ours
  }
  const pick = <K extends keyof CaptionStyle>(key: K): CaptionStyle[K] =>
    allowed[key].find((one) => one === value[key]) ?? usualCaptions[key];
  return { size: pick('size'), colour: pick('colour'), back: pick('back') };
}

// --- quality of experience -------------------------------------------------------------------------------

export interface Counters {
  stalls: number;
  stall_ms: number;
  frames: number;
  dropped: number;
}

/** The picture's codec out of "avc1.4d401f,mp4a.40.2"; empty where none is known. */
export function pictureCodec(codecs: string): string {
  const families: [RegExp, string][] = [[/\bavc[13]\./, 'h264'], [/\bh(vc|ev)1\./, 'hevc'], [/\bav01\./, 'av1'], [/\bvp09\./, 'vp9']];
  return families.find(([form]) => form.test(codecs))?.[1] ?? '';
}

/** What happened since the last message; a counter that went back (another source) begins anew. */
export function since(before: Counters, now: Counters): Counters {
  const step = (a: number, b: number) => (b >= a ? b - a : b);
  return {
    stalls: step(before.stalls, now.stalls),
    stall_ms: step(before.stall_ms, now.stall_ms),
    frames: step(before.frames, now.frames),
    dropped: step(before.dropped, now.dropped),
  };
}
