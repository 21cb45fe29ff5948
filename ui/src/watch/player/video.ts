// SPDX-License-Identifier: GPL-3.0-or-later
// The video element's state as a value that the page can draw.
import { useEffect, useState } from 'preact/hooks';

export interface VideoState {
  time: number;
  duration: number; // 0 while unknown
  paused: boolean;
  ended: boolean;
  waiting: boolean;
  seeking: boolean;
  started: boolean; // a first picture was there
  muted: boolean;
  volume: number;
  buffered: [number, number][];
}

const silent: VideoState = {
  time: 0,
  duration: 0,
  paused: true,
  ended: false,
  waiting: false,
  seeking: false,
  started: false,
  muted: false,
  volume: 1,
  buffered: [],
};

const events = [
  'timeupdate', 'durationchange', 'play', 'playing', 'pause', 'ended', 'waiting', 'seeking', 'seeked',
  'volumechange', 'progress', 'loadeddata', 'canplay', 'emptied',
] as const;

export function useVideo(video: HTMLVideoElement | null): VideoState {
  const [state, setState] = useState(silent);
  useEffect(() => {
    if (!video) return;
    let waiting = false;
    const look = (event?: Event) => {
      if (event?.type === 'waiting') waiting = true;
      if (event && ['playing', 'canplay', 'seeked', 'pause'].includes(event.type)) waiting = false;
      const buffered: [number, number][] = [];
      for (let i = 0; i < video.buffered.length; i += 1) buffered.push([video.buffered.start(i), video.buffered.end(i)]);
      setState((before) => ({
        time: video.currentTime,
        duration: Number.isFinite(video.duration) ? video.duration : 0,
        paused: video.paused,
        ended: video.ended,
        waiting: waiting && !video.paused,
        seeking: video.seeking,
        started: before.started || video.readyState >= 2,
        muted: video.muted || video.volume === 0,
        volume: video.volume,
        buffered,
      }));
    };
    for (const name of events) video.addEventListener(name, look);
    look();
    return () => {
      for (const name of events) video.removeEventListener(name, look);
    };
  }, [video]);
  return state;
}
