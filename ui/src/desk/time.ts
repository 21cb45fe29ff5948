// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between frames, pts and a screen's microseconds. pts and frames are exact integers; floating
// seconds never enter: products go through BigInt, so that a day of film in 1/90000 stays exact.

import type { Finding, Rational, Report, Stream } from './types';

export function ptsToUs(pts: number, base: Rational): number {
  const n = BigInt(Math.trunc(pts)) * 1_000_000n * BigInt(base[0]);
  const d = BigInt(base[1]);
  // Half away from zero would move a frame's start past its neighbour's end: floor keeps order.
  const q = n / d;
  return Number(n % d !== 0n && n < 0n ? q - 1n : q);
}

export function usToPts(us: number, base: Rational): number {
  const n = BigInt(Math.trunc(us)) * BigInt(base[1]);
  const d = 1_000_000n * BigInt(base[0]);
  const q = n / d;
  return Number(n % d !== 0n && n < 0n ? q - 1n : q);
}

const two = (n: number): string => String(n).padStart(2, '0');

export function clockText(us: number): string {
  const sign = us < 0 ? '−' : '';
  const ms = Math.floor(Math.abs(us) / 1000);
  const s = Math.floor(ms / 1000);
  return `${sign}${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${String(ms % 1000).padStart(3, '0')}`;
}

// SMPTE ST 12-1 time code of a frame counted from 0: drop-frame (';') for 30000/1001 and
// 60000/1001, plain otherwise. null where the rate has no time code (odd rates, variable).
export function smpteText(frame: number, rate: Rational): string | null {
  const [n, d] = rate;
  if (n <= 0 || d <= 0) return null;
  const nominal = Math.round(n / d);
  const whole = n % d === 0;
  const ntsc = d === 1001 && n % 1000 === 0;
  if ((!whole && !ntsc) || nominal < 1 || nominal > 120) return null;
  let f = frame;
  const drop = ntsc && nominal % 30 === 0;
  if (drop) {
    const dropped = nominal / 15; // 2 of 30, 4 of 60
    const perMinute = nominal * 60 - dropped;
    const perTen = perMinute * 10 + dropped;
    const tens = Math.floor(f / perTen);
    const rest = f % perTen;
    f += dropped * 9 * tens;
    if (rest >= nominal * 60) f += dropped * (1 + Math.floor((rest - nominal * 60) / perMinute));
  }
  const s = Math.floor(f / nominal);
  return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}${drop ? ';' : ':'}${two(f % nominal)}`;
}

// The frame grid of one film. Where the rate is constant and whole in its time base, every pts
// is known; elsewhere `pages` hold what the server told, and the rest is a straight line
// between the first and last frame, flagged as not exact.
export class FilmClock {
  readonly frames: number;
  readonly base: Rational;
  readonly startPts: number;
  readonly endPts: number;
  readonly rate: Rational;
  readonly regular: boolean;
  readonly durationUs: number;
  private readonly known = new Map<number, number>();

  constructor(report: Report) {
    const video = pictureStream(report);
    this.frames = Math.max(0, report.frames);
    this.base = video?.time_base ?? [1, 1_000_000];
    this.startPts = report.start_pts ?? video?.start_pts ?? 0;
    const declared = video?.duration_pts ?? null;
    const whole = report.duration_us ?? report.source?.duration_us ?? 0;
    this.endPts =
      report.end_pts ?? (declared !== null ? this.startPts + declared : usToPts(whole, this.base) + this.startPts);
    const span = this.endPts - this.startPts;
    this.regular = !report.vfr && this.frames > 0 && span % this.frames === 0;
    const stated = video?.frame_rate;
    this.rate =
      stated && stated[0] > 0 && !report.vfr
        ? stated
        : this.regular
          ? reduce(this.frames * this.base[1], span * this.base[0])
          : [0, 1];
    const last = this.frames > 0 ? ptsToUs(span, this.base) : 0;
    this.durationUs = Math.max(1, last, this.frames > 0 ? 0 : whole);
  }

  learn(start: number, pts: readonly number[]): void {
    pts.forEach((p, i) => this.known.set(start + i, p));
  }

  exact(frame: number): boolean {
    return this.regular || this.known.has(frame);
  }

  pts(frame: number): number {
    const told = this.known.get(frame);
    if (told !== undefined) return told;
    if (this.frames === 0) return this.startPts;
    return this.startPts + Math.round((frame * (this.endPts - this.startPts)) / this.frames);
  }

  // From the first picture: 0 on every rendition, too.
  us(frame: number): number {
    return ptsToUs(this.pts(frame) - this.startPts, this.base);
  }

  // The frame that is on screen at `us`.
  frameAt(us: number): number {
    if (this.frames === 0) return 0;
    let lo = 0;
    let hi = this.frames - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (this.us(mid) <= us) lo = mid;
      else hi = mid - 1;
    }
    return lo;
  }

  timeCode(frame: number): string {
    return smpteText(frame, this.rate) ?? clockText(this.us(frame));
  }

  // Where a finding lies on the time axis; null for one about the whole file.
  span(f: Finding): { startUs: number; endUs: number } | null {
    if (f.start_frame !== null) {
      const end = f.end_frame ?? f.start_frame + 1;
      return { startUs: this.us(f.start_frame), endUs: this.us(Math.max(end, f.start_frame + 1)) };
    }
    if (f.start_pts === null) return null;
    const origin = ptsToUs(this.startPts, this.base);
    const start = ptsToUs(f.start_pts, f.time_base) - origin;
    const end = f.end_pts === null ? start : ptsToUs(f.end_pts, f.time_base) - origin;
    return { startUs: start, endUs: Math.max(end, start) };
  }

  // The frame a click on a finding shows.
  frameOf(f: Finding): number | null {
    if (f.start_frame !== null) return Math.min(f.start_frame, Math.max(0, this.frames - 1));
    const s = this.span(f);
    return s === null ? null : this.frameAt(Math.max(0, s.startUs));
  }
}

export function pictureStream(report: Report): Stream | undefined {
  const streams = report.streams.length > 0 ? report.streams : (report.source?.streams ?? []);
  return streams.find((s) => s.kind === 'video' && !s.is_attached_picture);
}

function reduce(n: number, d: number): Rational {
  let a = n;
  let b = d;
  while (b > 0) [a, b] = [b, a % b];
  return a > 0 ? [n / a, d / a] : [0, 1];
}

// Index into `shots` of the one that holds `frame`; -1 none.
export function shotAt(shots: readonly { start_frame: number; end_frame: number }[], frame: number): number {
  let lo = 0;
  let hi = shots.length - 1;
  while (lo <= hi) {
    const mid = (lo + hi) >> 1;
    const s = shots[mid]!;
    if (frame < s.start_frame) hi = mid - 1;
    else if (frame >= s.end_frame) lo = mid + 1;
    else return mid;
  }
  return -1;
}
