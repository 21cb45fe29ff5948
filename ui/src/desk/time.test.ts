// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { clockText, FilmClock, ptsToUs, shotAt, smpteText, usToPts } from './time';
import type { Finding, Rational, Report } from './types';

const report = (more: Partial<Report> & { base?: Rational; rate?: Rational; start?: number } = {}): Report => ({
  verdict: 'accept', frames: 1253, start_pts: more.start ?? 0, end_pts: (more.start ?? 0) + 1253,
  streams: [{ index: 0, kind: 'video', codec: 'h264', time_base: more.base ?? [1, 24], frame_rate: more.rate ?? [24, 1] }],
  findings: [], loudness: [], shots: [], ...more,
});
const finding = (more: Partial<Finding>): Finding => ({
  kind: 'black', severity: 'warning', stream: 0, start_frame: null, end_frame: null, start_pts: null, end_pts: null, time_base: [1, 24], evidence: {}, ...more,
});

describe('units', () => {
  it('keeps integers exact beyond what a double multiplies', () => {
    expect(ptsToUs(2_592_000_000_000, [1, 90_000])).toBe(28_800_000_000_000);
    expect(usToPts(28_800_000_000_000, [1, 90_000])).toBe(2_592_000_000_000);
    expect(ptsToUs(1, [1, 3])).toBe(333_333);
    expect(ptsToUs(-1, [1, 3])).toBe(-333_334); // floor: order is kept
    expect(ptsToUs(1001, [1, 30_000])).toBe(33_366);
  });
  it('shows clocks', () => {
    expect(clockText(3_661_001_999)).toBe('01:01:01.001');
    expect(clockText(-1_000)).toBe('−00:00:00.001');
  });
});

describe('SMPTE ST 12-1', () => {
  it('counts plainly at whole rates', () => {
    expect(smpteText(0, [24, 1])).toBe('00:00:00:00');
    expect(smpteText(1252, [24, 1])).toBe('00:00:52:04');
    expect(smpteText(90_000, [25, 1])).toBe('01:00:00:00');
    expect(smpteText(23, [24_000, 1001])).toBe('00:00:00:23');
  });
  it('drops numbers, not frames, at 29.97', () => {
    const ntsc: Rational = [30_000, 1001];
    expect(smpteText(1799, ntsc)).toBe('00:00:59;29');
    expect(smpteText(1800, ntsc)).toBe('00:01:00;02');
    expect(smpteText(17_981, ntsc)).toBe('00:09:59;29');
    expect(smpteText(17_982, ntsc)).toBe('00:10:00;00');
    expect(smpteText(107_892, ntsc)).toBe('01:00:00;00');
    expect(smpteText(3600, [60_000, 1001])).toBe('00:01:00;04');
  });
  it('never gives a number twice nor one that is dropped', () => {
    const seen = new Set<string>();
    for (let f = 0; f < 20_000; f += 1) {
      const text = smpteText(f, [30_000, 1001])!;
      expect(seen.has(text)).toBe(false);
      seen.add(text);
      expect(/:(?!.0:)\d\d:00;0[01]$/.test(text) && !/:\d0:00;0[01]$/.test(text)).toBe(false);
    }
  });
  it('has none for odd rates', () => {
    expect(smpteText(5, [0, 1])).toBeNull();
    expect(smpteText(5, [1000, 77])).toBeNull();
  });
});

describe('a film’s clock', () => {
  it('maps every frame there and back, at constant rate', () => {
    for (const [frames, base, perFrame, start] of [
      [1253, [1, 24], 1, 0], [1000, [1, 90_000], 3003, 7200], [500, [1001, 30_000], 1, -3], [300, [1, 1000], 40, 5],
    ] as [number, Rational, number, number][]) {
      const c = new FilmClock(report({ frames, base, start_pts: start, end_pts: start + frames * perFrame }));
      expect(c.regular).toBe(true);
      for (let f = 0; f < frames; f += 1) {
        expect(c.pts(f)).toBe(start + f * perFrame);
        expect(c.frameAt(c.us(f))).toBe(f);
        expect(c.exact(f)).toBe(true);
        if (f > 0) expect(c.frameAt(c.us(f) - 1)).toBe(f - 1);
      }
      expect(c.us(0)).toBe(0);
    }
  });
  it('says when it only guesses, and learns', () => {
    const c = new FilmClock(report({ frames: 4, vfr: true, base: [1, 1000], start_pts: 0, end_pts: 1000 }));
    expect(c.exact(1)).toBe(false);
    c.learn(0, [0, 10, 20, 900]);
    expect(c.exact(1)).toBe(true);
    expect(c.pts(2)).toBe(20);
    expect(c.frameAt(899_999)).toBe(2);
    expect(c.frameAt(900_000)).toBe(3);
    expect(c.timeCode(3)).toBe('00:00:00.900');
  });
  it('stands on what the stream says where the report says less', () => {
    const r = report({ start_pts: undefined, end_pts: undefined });
    r.streams[0] = { ...r.streams[0]!, start_pts: 12, duration_pts: 1253 };
    const c = new FilmClock(r);
    expect([c.startPts, c.endPts, c.regular]).toEqual([12, 1265, true]);
  });
  it('places findings of picture and sound on one axis', () => {
    const c = new FilmClock(report({ start: 24 }));
    expect(c.span(finding({ start_frame: 24, end_frame: 48 }))).toEqual({ startUs: 1_000_000, endUs: 2_000_000 });
    // Sound starts its own count; both are seconds from the first picture, which is shown at pts 24 = 1 s.
    expect(c.span(finding({ stream: 1, start_pts: 96_000, end_pts: 144_000, time_base: [1, 48_000] }))).toEqual({ startUs: 1_000_000, endUs: 2_000_000 });
    expect(c.frameOf(finding({ stream: 1, start_pts: 96_000, time_base: [1, 48_000] }))).toBe(24);
    expect(c.span(finding({}))).toBeNull();
    expect(c.frameOf(finding({ start_frame: 5000, end_frame: 5001 }))).toBe(1252);
  });
  it('lives with films without frames', () => {
    const c = new FilmClock(report({ frames: 0, start_pts: 0, end_pts: 0, duration_us: 5_000_000 }));
    expect(c.frameAt(100)).toBe(0);
    expect(c.durationUs).toBe(5_000_000);
  });
});

it('finds the shot of a frame', () => {
  const shots = [{ start_frame: 0, end_frame: 10 }, { start_frame: 10, end_frame: 11 }, { start_frame: 11, end_frame: 40 }];
  expect([0, 9, 10, 11, 39, 40].map((f) => shotAt(shots, f))).toEqual([0, 0, 1, 2, 2, -1]);
  expect(shotAt([], 0)).toBe(-1);
});
