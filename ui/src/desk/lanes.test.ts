// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { columns, placeSpans, stripTiles, ticks, usToX, viewClamp, viewReveal, viewZoom, xToUs, type Span, type View } from './lanes';

const film = 60_000_000;
const whole: View = { startUs: 0, endUs: film };
const span = (startUs: number, endUs: number, index: number, kind = 'black', more: Partial<Span> = {}): Span => ({ startUs, endUs, index, kind, severity: 'warning', quiet: false, ...more });

describe('a view', () => {
  it('maps there and back', () => {
    const v = { startUs: 5_000_000, endUs: 9_000_000 };
    for (const x of [0, 1, 333, 999]) expect(usToX(xToUs(x, v, 1000), v, 1000)).toBeCloseTo(x, 6);
  });
  it('zooms around a place and stays in the film', () => {
    let v = whole;
    for (let i = 0; i < 40; i += 1) v = viewZoom(v, 0.7, 10_000_000, film);
    expect(v.startUs).toBeLessThanOrEqual(10_000_000);
    expect(v.endUs).toBeGreaterThanOrEqual(10_000_000);
    expect(v.endUs - v.startUs).toBeCloseTo(200_000, -1);
    for (let i = 0; i < 40; i += 1) v = viewZoom(v, 1.7, 10_000_000, film);
    expect(v).toEqual(whole);
    expect(viewClamp({ startUs: -5, endUs: 95 }, 1000)).toEqual({ startUs: 0, endUs: 100 });
    expect(viewClamp({ startUs: 990, endUs: 1090 }, 1000)).toEqual({ startUs: 900, endUs: 1000 });
  });
  it('moves no further than needed to show a place', () => {
    const v = { startUs: 10_000_000, endUs: 20_000_000 };
    expect(viewReveal(v, 15_000_000, film)).toBe(v);
    for (const us of [0, 5_000_000, 30_000_000, film]) {
      const r = viewReveal(v, us, film);
      expect(r.startUs).toBeLessThanOrEqual(us);
      expect(r.endUs).toBeGreaterThanOrEqual(us);
      expect(r.endUs - r.startUs).toBe(10_000_000);
    }
  });
  it('has ticks at round times that do not crowd', () => {
    for (const v of [whole, { startUs: 1_234_567, endUs: 1_534_567 }, { startUs: 0, endUs: 7_200_000_000 }]) {
      const list = ticks(v, 1000);
      expect(list.length).toBeGreaterThan(1);
      for (let i = 1; i < list.length; i += 1) expect(list[i]!.x - list[i - 1]!.x).toBeGreaterThanOrEqual(89);
    }
  });
});

describe('a series', () => {
  it('loses no peak when many samples share a column', () => {
    const values = Array.from({ length: 6000 }, (_, i) => (i === 3333 ? 9 : 1));
    const { low, high } = columns(values, (i) => i * 10_000, whole, 500);
    expect(Math.max(...high)).toBe(9);
    expect(high.indexOf(9)).toBe(Math.floor((3333 * 10_000 * 500) / film));
    expect(Math.min(...low)).toBe(1);
  });
  it('holds a sample until the next when it is wider than a column', () => {
    const { high } = columns([1, 2, 3], (i) => i * 20_000_000, whole, 6);
    expect([...high]).toEqual([1, 1, 2, 2, 3, 3]);
  });
  it('leaves gaps as gaps', () => {
    const { high } = columns([1, null, 3], (i) => i * 20_000_000, whole, 6);
    expect(Number.isNaN(high[2]!)).toBe(true);
    expect(Number.isNaN(high[3]!)).toBe(true);
    expect(columns([], () => 0, whole, 4).high.every((x) => Number.isNaN(x))).toBe(true);
  });
});

describe('spans', () => {
  it('are wide enough to be hit and inside the plot', () => {
    for (const b of placeSpans([span(0, 1, 0), span(film - 1, film, 1, 'silence')], whole, 800, 3)) {
      expect(b.width).toBeGreaterThanOrEqual(8);
      expect(b.x).toBeGreaterThanOrEqual(-2);
      expect(b.x + b.width).toBeLessThanOrEqual(803);
    }
  });
  it('join neighbours of one kind at this zoom, and take the worst severity', () => {
    const near = [span(0, 40_000, 0), span(80_000, 120_000, 1, 'black', { severity: 'error' }), span(30_000_000, 31_000_000, 2)];
    const far = placeSpans(near, whole, 800, 3);
    expect(far.map((b) => b.indices)).toEqual([[0, 1], [2]]);
    expect(far[0]!.severity).toBe('error');
    const close = placeSpans(near, { startUs: 0, endUs: 200_000 }, 800, 3);
    expect(close.map((b) => b.indices)).toEqual([[0], [1]]);
  });
  it('never join what is waived with what is not', () => {
    expect(placeSpans([span(0, 1, 0), span(1, 2, 1, 'black', { quiet: true })], whole, 800, 3)).toHaveLength(2);
  });
  it('do not cover each other while there is a free lane', () => {
    const blocks = placeSpans([span(0, 9_000_000, 0, 'a'), span(1_000_000, 5_000_000, 1, 'b'), span(2_000_000, 3_000_000, 2, 'c'), span(10_000_000, 11_000_000, 3, 'a')], whole, 1000, 3);
    expect(blocks.map((b) => b.lane)).toEqual([0, 1, 2, 0]);
  });
  it('stay few, however many findings there are', () => {
    const list = Array.from({ length: 1000 }, (_, i) => span(i * 60_000, i * 60_000 + 40_000, i, `k${i % 4}`));
    expect(placeSpans(list, whole, 1000, 3).length).toBeLessThan(400);
  });
});

it('binds the pictures of the strip to the film, so that they stand still while one scrolls', () => {
  const a = stripTiles({ startUs: 0, endUs: film }, 1200, 100, 1_000_000, 60);
  expect(a).toHaveLength(12);
  expect(a.map((t) => t.still)).toEqual([3, 8, 13, 18, 23, 28, 33, 38, 43, 48, 53, 58]);
  const b = stripTiles({ startUs: 1_000_000, endUs: film + 1_000_000 }, 1200, 100, 1_000_000, 60);
  expect(b[0]!.x).toBeCloseTo(-20, 6);
  expect(stripTiles(whole, 1200, 100, 1_000_000, 0)).toEqual([]);
});
