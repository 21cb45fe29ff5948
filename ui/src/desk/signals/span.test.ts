// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { lengthMs, moved, spanMs, spanOf, USUAL, wider } from './span';

const now = 1_700_000_000_000;

describe('a time range', () => {
  it('reads what Atlas reads', () => {
    expect(spanMs(USUAL, now)).toEqual({ start: now - 3 * 3_600e3, end: now });
    expect(spanMs({ s: 'e-30m', e: 'now-1d' }, now)).toEqual({ start: now - 86_400e3 - 1_800e3, end: now - 86_400e3 });
    expect(spanMs({ s: '1699999000', e: '1699999900000' }, now)).toEqual({ start: 1_699_999_000_000, end: 1_699_999_900_000 });
  });
  it('refuses what is none', () => {
    for (const bad of [{ s: 'e-3x', e: 'now' }, { s: 'now', e: 'now' }, { s: '', e: '' }, { s: '1699999900000', e: '1699999000' }]) expect(spanMs(bad, now)).toBeNull();
    expect(lengthMs('3 h')).toBeNull();
  });
  it('moves, and never behind now', () => {
    expect(moved(USUAL, -1, now)).toEqual(spanOf(now - 4.5 * 3_600e3, now - 1.5 * 3_600e3));
    expect(spanMs(moved(USUAL, 1, now), now)).toEqual({ start: now - 3 * 3_600e3, end: now });
  });
  it('widens around its middle, and not behind now', () => {
    expect(spanMs(wider(USUAL, now), now)).toEqual({ start: now - 6 * 3_600e3, end: now });
    expect(spanMs(wider(spanOf(now - 4e6, now - 3e6), now), now)).toEqual({ start: now - 4.5e6, end: now - 2.5e6 });
  });
});
