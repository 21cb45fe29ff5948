// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { answerOf, graphUrl, namesOf, short, statsOf } from './answer';

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
    expect([0, 0.05, 1234.5678, 0.00042, -5e9, 42, null, 999.96].map((v) => short(v))).toEqual(['0', '0.05', '1.235 k', '420 µ', '-5 G', '42', '–', '1000']);
  });
  it('has an address that others understand, too', () => {
    expect(graphUrl('name,a,:eq,:sum', { s: 'e-3h', e: 'now' }, 'png')).toBe('/atlas/api/v1/graph?q=name%2Ca%2C%3Aeq%2C%3Asum&s=e-3h&e=now&format=png');
  });

  it('puts the size before the unit, and says long times in longer units', () => {
    expect([0, 0.4, 0.000012, 5, 90, 9000, 200000, -120].map((v) => short(v, 's'))).toEqual(['0 s', '400 ms', '12 µs', '5 s', '1.5 min', '2.5 h', '2.315 d', '-2 min']);
    expect([0, 25000, 12].map((v) => short(v, '/s'))).toEqual(['0/s', '25 k/s', '12/s']);
    expect([0.05, 12345].map((v) => short(v, '%'))).toEqual(['0.05 %', '12350 %']);
    expect(short(3.2e9, 'B')).toBe('3.2 GB');
  });

  it('names lines by what tells them apart', () => {
    expect(namesOf(['(node=web-1)', '(node=web-2)'])).toEqual(['web-1', 'web-2']);
    expect(namesOf(['(a=1,b=x=y)', '(a=2,b=3)'])).toEqual(['(a=1,b=x=y)', '(a=2,b=3)']);
    expect(namesOf(['(node=a,zone=n)', '(node=b,zone=s)'])).toEqual(['a · n', 'b · s']);
    expect(namesOf(['(node=a)', '(zone=s)', 'requests'])).toEqual(['(node=a)', '(zone=s)', 'requests']);
    expect(namesOf(['sum(x)'])).toEqual(['sum(x)']);
  });
});
