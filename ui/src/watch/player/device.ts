// SPDX-License-Identifier: GPL-3.0-or-later
// What this device can show, told to the server with every play, so that manifests hold nothing else.
import type { Device } from '../../shared/api';

const probes: Record<string, string> = {
  h264: 'video/mp4; codecs="avc1.640028"',
  hevc: 'video/mp4; codecs="hvc1.1.6.L120.B0"',
  av1: 'video/mp4; codecs="av01.0.08M.08"',
  aac: 'audio/mp4; codecs="mp4a.40.2"',
  opus: 'audio/mp4; codecs="opus"',
};

interface Source {
  isTypeSupported(type: string): boolean;
}

/** Media Source Extensions, or the managed kind of Apple's phones; null where there is neither. */
export function mediaSource(): Source | null {
  const scope = globalThis as unknown as { MediaSource?: Source; ManagedMediaSource?: Source };
  return scope.MediaSource ?? scope.ManagedMediaSource ?? null;
}

const rungs = [360, 480, 720, 1080, 1440, 2160, 4320];

/** The smallest usual height that fills the screen turned sideways. */
export function screenHeight(width: number, height: number, ratio: number): number {
  const lines = Math.min(width, height) * ratio;
  return rungs.find((rung) => rung >= lines * 0.98) ?? rungs[rungs.length - 1]!;
}

export function device(): Device {
  const source = mediaSource();
  const video = document.createElement('video');
  const can = (type: string) => (source ? source.isTypeSupported(type) : video.canPlayType(type) !== '');
  return {
    codecs: Object.keys(probes).filter((name) => can(probes[name]!)),
    hdr: matchMedia('(dynamic-range: high)').matches,
    max_height: screenHeight(screen.width, screen.height, devicePixelRatio || 1),
  };
}
