// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { titleOfFile } from './ingest';
import { wordsGet, wordsMatch, wordsParse, wordsSet, wordsText } from './words';

const fits = (query: string, fields: Record<string, string | null>): boolean => wordsMatch(wordsParse(query), fields);
const row = { state: 'open', kind: 'decode_error', title: 'The Grand Prix', type: 'encode.video', partner: null };

describe('words', () => {
  it('go through text and back', () => {
    for (const q of ['', 'state:open', 'a -b kind:black', 'title:"Two Words" -"three more words"', '-state:fixed'])
      expect(wordsParse(wordsText(wordsParse(q)))).toEqual(wordsParse(q));
  });
  it('narrow by key, by prefix of a name, by text in any field', () => {
    expect(fits('', row)).toBe(true);
    expect(fits('state:open grand', row)).toBe(true);
    expect(fits('state:open PRIX', row)).toBe(true);
    expect(fits('type:encode', row)).toBe(true);
    expect(fits('type:enc', row)).toBe(false);
    expect(fits('state:fixed', row)).toBe(false);
    expect(fits('partner:x', row)).toBe(false);
    expect(fits('no:such', row)).toBe(false);
  });
  it('take several values of a key as any of them, and a minus as none', () => {
    expect(fits('state:open state:waived', row)).toBe(true);
    expect(fits('-state:open', row)).toBe(false);
    expect(fits('-grand', row)).toBe(false);
    expect(fits('-state:fixed -lost', row)).toBe(true);
  });
  it('are what facets set', () => {
    expect(wordsSet('black state:open', 'state', 'fixed')).toBe('state:fixed black');
    expect(wordsSet('black state:open', 'state', null)).toBe('black');
    expect(wordsGet(wordsSet('', 'title', 'Two Words'), 'title')).toBe('Two Words');
  });
  it('survive half-typed queries', () => {
    for (const q of ['"', 'state:', 'state:"open', '-', ':', '--a', '"a" b"']) expect(() => fits(q, row)).not.toThrow();
  });
});

it('makes a title of a file name', () => {
  expect(titleOfFile('the.grand_prix-1906 (1080p).mov')).toBe('The Grand Prix 1906');
  expect(titleOfFile('sintel_trailer-720p.mp4')).toBe('Sintel Trailer');
  expect(titleOfFile('WALL-E.mkv')).toBe('WALL E');
  expect(titleOfFile('1080p.mp4')).toBe('1080p');
});
