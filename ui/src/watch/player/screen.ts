// SPDX-License-Identifier: GPL-3.0-or-later
// Full screen: of the whole document, so that the next episode, which is another player, stays in it.
import { useEffect, useState } from 'preact/hooks';

type AppleVideo = HTMLVideoElement & { webkitEnterFullscreen?: () => void };
type Lockable = ScreenOrientation & { lock?: (how: string) => Promise<void> };

async function enter(video: HTMLVideoElement | null): Promise<void> {
  const root = document.documentElement;
  if (!root.requestFullscreen) {
    (video as AppleVideo | null)?.webkitEnterFullscreen?.(); // phones that only know the film's own full screen
    return;
  }
  await root.requestFullscreen({ navigationUI: 'hide' });
  await (screen.orientation as Lockable | undefined)?.lock?.('landscape').catch(() => {});
}

export function toggleFullscreen(video: HTMLVideoElement | null): void {
  const done = document.fullscreenElement ? document.exitFullscreen() : enter(video);
  done.catch(() => {}); // refused without a gesture, or by the frame: the page fills the window anyway
}

/** On a phone the tap on Play is leave to fill the screen; it lasts a few seconds. */
export function fillPhone(): void {
  const phone = matchMedia('(pointer: coarse)').matches && Math.min(screen.width, screen.height) < 600;
  const active = navigator.userActivation?.isActive ?? false;
  if (phone && active && !document.fullscreenElement && typeof document.documentElement.requestFullscreen === 'function') {
    enter(null).catch(() => {});
  }
}

export function leaveFullscreen(): void {
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
}

export function useFullscreen(): boolean {
  const [full, setFull] = useState(document.fullscreenElement !== null);
  useEffect(() => {
    const look = () => setFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', look);
    return () => document.removeEventListener('fullscreenchange', look);
  }, []);
  return full;
}
