// SPDX-License-Identifier: GPL-3.0-or-later
// The seek bar: a slider for keyboards and screen readers, a scrubber for fingers, with the film's pictures.
import { useEffect, useRef, useState } from 'preact/hooks';
import { clock, clockSpoken, US } from '../../shared/format';
import { loadThumbs, spriteSize, thumbAt, type Thumb } from '../../shared/thumbs';
import { SpriteBox } from '../preview';
import { t } from './strings';

export function SeekBar({ time, duration, buffered, thumbsUrl, busy, onSeek, onScrub }: {
  time: number;
  duration: number;
  buffered: [number, number][];
  thumbsUrl: string | null;
  busy: boolean;
  onSeek: (to: number) => void;
  onScrub: (scrubbing: boolean) => void;
}) {
  const bar = useRef<HTMLDivElement>(null);
  const [hover, setHover] = useState<number | null>(null); // seconds under the pointer
  const [drag, setDrag] = useState(false);
  const [thumbs, setThumbs] = useState<Thumb[]>([]);
  useEffect(() => {
    let live = true;
    setThumbs([]);
    if (thumbsUrl) void loadThumbs(thumbsUrl).then((list) => live && setThumbs(list));
    return () => {
      live = false;
    };
  }, [thumbsUrl]);

  const secondsAt = (event: PointerEvent): number => {
    const box = bar.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * duration;
  };
  const stop = (event: PointerEvent, take: boolean) => {
    if (!drag) return;
    setDrag(false);
    onScrub(false);
    if (take) onSeek(secondsAt(event));
    if (event.pointerType !== 'mouse') setHover(null);
  };
  const shown = drag && hover !== null ? hover : time;
  const part = (seconds: number) => (duration > 0 ? `${Math.min(100, (seconds / duration) * 100)}%` : '0%');
  const spoken = t('placeOf', { place: clockSpoken(shown * US), all: clockSpoken(duration * US) });
  return (
    <div
      ref={bar}
      class={`seek ${drag ? 'dragging' : ''} ${busy ? 'busy' : ''}`}
      role="slider"
      tabIndex={0}
      aria-label={t('seek')}
      aria-valuemin={0}
      aria-valuemax={Math.round(duration)}
      aria-valuenow={Math.round(shown)}
      aria-valuetext={spoken}
      onPointerDown={(event) => {
        if (event.button !== 0 || duration <= 0) return;
        bar.current!.setPointerCapture(event.pointerId);
        setDrag(true);
        onScrub(true);
        setHover(secondsAt(event));
      }}
      onPointerMove={(event) => {
        if (drag || event.pointerType === 'mouse') setHover(secondsAt(event));
      }}
      onPointerUp={(event) => stop(event, true)}
      onPointerCancel={(event) => stop(event, false)}
      onPointerLeave={() => {
        if (!drag) setHover(null);
      }}
    >
      <span class="seek-track">
        {buffered.map(([from, to]) => (
          <span key={from} class="seek-buffered" style={{ left: part(from), width: part(to - from) }} />
        ))}
        {hover !== null && <span class="seek-hover" style={{ width: part(hover) }} />}
        <span class="seek-played" style={{ width: part(shown) }} />
      </span>
      <span class="seek-knob" style={{ left: part(shown) }} />
      {hover !== null && <Glimpse seconds={hover} ratio={duration > 0 ? hover / duration : 0} thumb={thumbAt(thumbs, hover)} />}
    </div>
  );
}

function Glimpse({ seconds, ratio, thumb }: { seconds: number; ratio: number; thumb: Thumb | null }) {
  const [sheet, setSheet] = useState<{ url: string; width: number; height: number } | null>(null);
  useEffect(() => {
    if (!thumb) return;
    let live = true;
    spriteSize(thumb.url).then(
      (size) => live && setSheet({ url: thumb.url, ...size }),
      () => {}, // without its sheet a moment is only its time
    );
    return () => {
      live = false;
    };
  }, [thumb?.url]);
  return (
    <span class="glimpse" style={{ left: `${ratio * 100}%`, '--ratio': ratio }} aria-hidden="true">
      {thumb && sheet?.url === thumb.url && (
        <span class="glimpse-picture" style={{ aspectRatio: `${thumb.width} / ${thumb.height}` }}>
          <SpriteBox thumb={thumb} sheet={sheet} />
        </span>
      )}
      <span class="glimpse-time">{clock(seconds * US)}</span>
    </span>
  );
}
