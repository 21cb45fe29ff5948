// SPDX-License-Identifier: GPL-3.0-or-later
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { rate } from '../../shared/format';
import { actionOf, guessRate, Heart, nextUp, offered, pictureCodec, qualities, readCaptionStyle, rungName, seekTarget, since, speedBy, startAt } from './state';

describe('qualities', () => {
  it('names sizes as people do', () => {
    expect(rungName(1920, 1080)).toBe('1080p');
    expect(rungName(1920, 804)).toBe('1080p');
    expect(rungName(1280, 534)).toBe('720p');
    expect(rungName(640, 480)).toBe('480p');
    expect(rungName(426, 240)).toBe('240p');
    expect(rungName(1080, 1920)).toBe('1080p');
    expect(rungName(200, 150)).toBe('150p');
    expect(rungName(480, 352)).toBe('360p');
    expect(rungName(3840, 1600)).toBe('4K');
  });
  it('puts the best first and tells equals apart by their rate', () => {
    const tracks = [
      { width: 640, height: 360, bandwidth: 700_000 },
      { width: 1920, height: 1080, bandwidth: 4_000_000 },
      { width: 1920, height: 1080, bandwidth: 8_000_000 },
      { width: 640, height: 360, bandwidth: 700_000 },
    ];
    const list = qualities(tracks, rate);
    expect(list.map((q) => `${q.label} ${q.aside}`)).toEqual(['1080p 8.0 Mb/s', '1080p 4.0 Mb/s', '360p 700 kb/s']);
  });
});

it('offers no smaller picture at the rate of a larger one', () => {
  const list = qualities(
    [
      { width: 640, height: 360, bandwidth: 578_000 },
      { width: 854, height: 480, bandwidth: 566_000 },
      { width: 854, height: 480, bandwidth: 1_100_000 },
      { width: 426, height: 240, bandwidth: 300_000 },
    ],
    rate,
  );
  expect(offered(list).map((q) => `${q.label} ${q.aside}`)).toEqual(['480p 1.1 Mb/s', '480p 566 kb/s', '240p 300 kb/s']);
});

describe('keys', () => {
  it('does what the keys of other players do', () => {
    expect(actionOf({ key: ' ' })).toEqual({ do: 'toggle' });
    expect(actionOf({ key: 'ArrowLeft' })).toEqual({ do: 'seekBy', seconds: -10 });
    expect(actionOf({ key: '7' })).toEqual({ do: 'seekTo', ratio: 0.7 });
    expect(actionOf({ key: '>' })).toEqual({ do: 'speedBy', steps: 1 });
    expect(actionOf({ key: 'i' })).toEqual({ do: 'statistics' });
  });
  it('leaves the browser’s own keys alone', () => {
    expect(actionOf({ key: 'f', ctrlKey: true })).toBeNull();
    expect(actionOf({ key: 'c', metaKey: true })).toBeNull();
    expect(actionOf({ key: 'Tab' })).toBeNull();
  });
  it('steps through speeds and stays within them', () => {
    expect(speedBy(1, 1)).toBe(1.25);
    expect(speedBy(0.5, -1)).toBe(0.5);
    expect(speedBy(1.9, 1)).toBe(2);
  });
});

describe('places', () => {
  it('resumes to the second, and begins again what was over', () => {
    expect(startAt(21_400_000, 52_000_000, null)).toBe(21.4);
    expect(startAt(51_000_000, 52_000_000, null)).toBe(0);
    expect(startAt(0, 52_000_000, null)).toBe(0);
    expect(startAt(21_000_000, 52_000_000, '0')).toBe(0);
    expect(startAt(0, 52_000_000, '30.5')).toBe(30.5);
    expect(startAt(7_000_000, 52_000_000, 'x')).toBe(7);
  });
  it('never seeks out of the film or onto its end', () => {
    expect(seekTarget(-4, 60)).toBe(0);
    expect(seekTarget(100, 60)).toBe(59.75);
    expect(seekTarget(NaN, 60)).toBe(0);
    expect(seekTarget(3, NaN)).toBe(0);
  });
});

describe('the next episode', () => {
  it('is offered near the end and begins at the end', () => {
    expect(nextUp(100, 1000, false, false)).toEqual({ show: false });
    expect(nextUp(991.2, 1000, false, false)).toEqual({ show: true, seconds: 9 });
    expect(nextUp(1000, 1000, true, false)).toEqual({ show: true, seconds: 0 });
    expect(nextUp(1, 9, false, false)).toEqual({ show: false });
    expect(nextUp(7, 9, false, false)).toEqual({ show: true, seconds: 2 });
  });
  it('stays away when declined', () => {
    expect(nextUp(1000, 1000, true, true)).toEqual({ show: false });
  });
});

describe('heartbeats', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  it('tell while playing, at once on change, and nothing twice', () => {
    let now = { position_us: 0, state: 'playing' };
    const sent: string[] = [];
    const heart = new Heart(5000, () => now, (leaving) => sent.push(`${now.state} ${now.position_us} ${leaving}`));
    heart.start();
    now = { position_us: 5_000_000, state: 'playing' };
    vi.advanceTimersByTime(5000);
    now = { position_us: 6_000_000, state: 'paused' };
    heart.beat();
    heart.beat(true);
    vi.advanceTimersByTime(20_000);
    heart.stop();
    now = { position_us: 9_000_000, state: 'playing' };
    vi.advanceTimersByTime(20_000);
    expect(sent).toEqual(['playing 5000000 false', 'paused 6000000 false']);
  });
});

it('reads a stored caption style, whatever was stored', () => {
  expect(readCaptionStyle('{"size":"huge","colour":"pink"}')).toEqual({ size: 'huge', colour: 'white', back: 'shadow' });
  for (const odd of [null, '', '[]', '"x"', '{', 'null']) expect(readCaptionStyle(odd).size).toBe('usual');
});

it('names the codec of the picture', () => {
  expect(['avc1.64001f,mp4a.40.2', 'mp4a.40.2,hvc1.1.6.L120.B0', 'av01.0.08M.08', 'vp09.00.10.08', 'mp4a.40.2', ''].map(pictureCodec))
    .toEqual(['h264', 'hevc', 'av1', 'vp9', '', '']);
});

it('counts what happened since the last message', () => {
  const before = { stalls: 1, stall_ms: 300, frames: 240, dropped: 2 };
  expect(since(before, { stalls: 2, stall_ms: 900, frames: 480, dropped: 2 })).toEqual({ stalls: 1, stall_ms: 600, frames: 240, dropped: 0 });
  expect(since(before, { stalls: 1, stall_ms: 300, frames: 24, dropped: 0 }).frames).toBe(24);
});

it('begins with the rate that the link gave last time, carefully', () => {
  expect(guessRate(null)).toBe(1_500_000);
  expect(guessRate('rubbish')).toBe(1_500_000);
  expect(guessRate('4000000')).toBe(2_800_000);
  expect(guessRate('1')).toBe(300_000);
  expect(guessRate('9e9')).toBe(20_000_000);
});
