// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { href, match } from './router';

describe('match', () => {
  it('takes named parts, decoded', () => {
    expect(match('/title/:id', '/title/a%20b')).toEqual({ id: 'a b' });
    expect(match('/desk/films/:id/:tab', '/desk/films/7/report/')).toEqual({ id: '7', tab: 'report' });
  });
  it('refuses what is longer, shorter or other', () => {
    expect(match('/title/:id', '/title')).toBeNull();
    expect(match('/title/:id', '/title/1/2')).toBeNull();
    expect(match('/title/:id', '/film/1')).toBeNull();
    expect(match('/', '/x')).toBeNull();
    expect(match('/', '/')).toEqual({});
  });
  it('takes the rest', () => {
    expect(match('/a/*rest', '/a/b/c%2Fd')).toEqual({ rest: 'b/c/d' });
    expect(match('/a/*rest', '/a')).toEqual({ rest: '' });
  });
  it('lets a stray percent sign pass', () => {
    expect(match('/q/:text', '/q/100%')).toEqual({ text: '100%' });
  });
});

describe('href', () => {
  it('leaves out what is not said', () => {
    expect(href('/search', { q: 'a b', tag: undefined, n: 0 })).toBe('/search?q=a+b&n=0');
    expect(href('/search', { q: '' })).toBe('/search');
  });
});
