// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import * as f from './format';
import { chooseLanguage } from './i18n';

chooseLanguage('en');

describe('times', () => {
  it('shows a clock that never runs ahead', () => {
    expect(f.clock(0)).toBe('0:00');
    expect(f.clock(59_999_999)).toBe('0:59');
    expect(f.clock(60_000_000)).toBe('1:00');
    expect(f.clock(3_675_000_000)).toBe('1:01:15');
    expect(f.clock(-5_000_000)).toBe('−0:05');
    expect(f.clock(NaN)).toBe('–:––');
  });
  it('says positions aloud', () => {
    expect(f.clockSpoken(3_661_000_000)).toBe('1 hour 1 minute 1 second');
    expect(f.clockSpoken(0)).toBe('0 seconds');
    expect(f.clockSpoken(120_000_000)).toBe('2 minutes');
  });
  it('rounds lengths to what one plans an evening by', () => {
    expect(f.length(52_200_000)).toBe('52 s');
    expect(f.length(59_600_000)).toBe('1 min');
    expect(f.length(5_400_000_000)).toBe('1 h 30 min');
    expect(f.length(3_599_000_000)).toBe('1 h');
  });
  it('shows elapsed time in two units at most', () => {
    expect(f.elapsed(512)).toBe('512 µs');
    expect(f.elapsed(3_210_000)).toBe('3.2 s');
    expect(f.elapsed(125_000_000)).toBe('2 min 5 s');
    expect(f.elapsed(3_599_600_000)).toBe('1 h');
  });
  it('counts frames', () => {
    expect(f.timecode(0, [24, 1])).toBe('00:00:00:00');
    expect(f.timecode(1252, [24, 1])).toBe('00:00:52:04');
    expect(f.timecode(30, [30000, 1001])).toBe('00:00:01:00');
  });
  it('tells the past from the future', () => {
    const now = Date.parse('2026-03-12T12:00:00Z');
    expect(f.ago('2026-03-12T11:59:50Z', now)).toBe('just now');
    expect(f.ago('2026-03-12T11:55:00Z', now)).toBe('5 min ago');
    expect(f.ago('2026-03-12T15:00:00Z', now)).toBe('in 3 h');
    expect(f.ago('2025-01-02T12:00:00Z', now)).toBe('2 Jan 2025');
    expect(f.ago('not a date', now)).toBe('');
  });
});

describe('sizes', () => {
  it('never shows four digits', () => {
    expect(f.bytes(0)).toBe('0 B');
    expect(f.bytes(999)).toBe('999 B');
    expect(f.bytes(999_999)).toBe('1.0 MB');
    expect(f.bytes(12_345_678_901)).toBe('12.3 GB');
    expect(f.rate(4_200_000)).toBe('4.2 Mb/s');
    expect(f.rate(128_000)).toBe('128 kb/s');
  });
});

describe('languages', () => {
  it('speaks the reader’s words', () => {
    expect(f.language('de')).toBe('German');
    expect(f.language('und')).toBe('');
    expect(f.language('not a tag!')).toBe('not a tag!');
  });
});
