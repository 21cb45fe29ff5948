// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { parseThumbs, parseTimestamp, spread, thumbAt, thumbsUrl } from './thumbs';

const base = 'http://h/art/p/thumbs/thumbs.vtt';
const file = [
  'WEBVTT - made by a test',
  '',
  'NOTE nothing to see',
  '',
  '00:00.000 --> 00:02.000',
  'sprite-0.jpg#xywh=0,0,240,135',
  '',
  'second',
  '00:00:02.000 --> 00:00:04.000 align:start',
  'sprite-0.jpg#xywh=240,0,240,135',
  '',
  '01:00:04.000 --> 01:00:06.000',
  '../sprite-1.jpg#xywh=pixel:0,135,240,135',
].join('\n');

describe('parseThumbs', () => {
  it('reads places and times, with either line end', () => {
    for (const text of [file, file.replace(/\n/g, '\r\n'), `\uFEFF${file}`]) {
      const thumbs = parseThumbs(text, base);
      expect(thumbs.map((t) => [t.start, t.end, t.x, t.y])).toEqual([
        [0, 2, 0, 0],
        [2, 4, 240, 0],
        [3604, 3606, 0, 135],
      ]);
      expect(thumbs[0]!.url).toBe('http://h/art/p/thumbs/sprite-0.jpg');
      expect(thumbs[2]!.url).toBe('http://h/art/p/sprite-1.jpg');
    }
  });
  it('leaves out what is no picture', () => {
    const bad = 'WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n\n00:05.000 --> 00:02.000\na.jpg#xywh=0,0,1,1\n\n00:00.000 --> 00:01.000\na.jpg#xywh=0,0,0,9';
    expect(parseThumbs(bad, base)).toEqual([]);
    expect(parseThumbs('<!doctype html>', base)).toEqual([]);
    expect(parseThumbs('', base)).toEqual([]);
  });
});

it('parses time stamps as WebVTT has them', () => {
  expect(parseTimestamp('01:02.345')).toBeCloseTo(62.345);
  expect(parseTimestamp('100:00:00.000')).toBe(360000);
  expect(parseTimestamp('1:2.3')).toBeNaN();
  expect(parseTimestamp('00:61.000')).toBeNaN();
});

it('finds the picture of a moment', () => {
  const thumbs = parseThumbs(file, base);
  expect(thumbAt(thumbs, -1)!.start).toBe(0);
  expect(thumbAt(thumbs, 1.999)!.start).toBe(0);
  expect(thumbAt(thumbs, 2)!.start).toBe(2);
  expect(thumbAt(thumbs, 99)!.start).toBe(2);
  expect(thumbAt(thumbs, 1e6)!.start).toBe(3604);
  expect(thumbAt([], 3)).toBeNull();
});

it('spreads a preview over the film', () => {
  const many = Array.from({ length: 100 }, (_, i) => ({ start: i, end: i + 1, url: 'u', x: 0, y: 0, width: 1, height: 1 }));
  const some = spread(many, 10);
  expect(some).toHaveLength(10);
  expect(some[0]!.start).toBe(1);
  expect(some.at(-1)!.start).toBeGreaterThan(85);
  expect(spread(many.slice(0, 3), 10)).toHaveLength(3);
});

it('knows where sprites lie', () => {
  expect(thumbsUrl({ poster: { url: '/art/x/poster.jpg' } })).toBe('/art/x/thumbs/thumbs.vtt');
  expect(thumbsUrl({ thumbnails: '/t.vtt', poster: { url: '/p' } })).toBe('/t.vtt');
  expect(thumbsUrl({ poster: null })).toBeNull();
  expect(thumbsUrl({ poster: { url: '/other.png' } })).toBeNull();
});
