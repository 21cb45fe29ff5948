// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { answerOf, graphUrl, short, statsOf } from './answer';

describe('an answer', () => {
  const a = answerOf({
    start: 60_000, step: 60_000, legend: ['a', 'b'], metrics: [{ name: 'a' }, {}],
    values: [[1, 'NaN'], ['NaN', 2], [3, 'Infinity']], notices: [],
  });
  it('becomes columns, gaps as gaps', () => {
    expect(a.times).toEqual([60, 120, 180]);
    expect(a.lines.map((l) => l.values)).toEqual([[1, null, 3], [null, 2, null]]);
    expect(a.lines[0]!.tags).toEqual({ name: 'a' });
  });
  it('is summed up without its gaps', () => {
    expect(statsOf([1, null, 3])).toEqual({ count: 2, min: 1, max: 3, avg: 2, last: 3 });
    expect(statsOf([null])).toEqual({ count: 0, min: null, max: null, avg: null, last: null });
  });
  it('is read as people say it', () => {
    expect([0, 1234.5678, 0.00042, -5e9, 42, null, 999.96].map(short)).toEqual(['0', '1.235 k', '420 µ', '-5 G', '42', '–', '1000']);
  });
  it('has an address that others understand, too', () => {
    expect(graphUrl('name,a,:eq,:sum', { s: 'e-3h', e: 'now' }, 'png')).toBe('/atlas/api/v1/graph?q=name%2Ca%2C%3Aeq%2C%3Asum&s=e-3h&e=now&format=png');
  });
});
