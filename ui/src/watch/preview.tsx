// SPDX-License-Identifier: GPL-3.0-or-later
// The card that grows: one layer over the page, shown 400 ms after a mouse rests on a card or the
// keyboard's focus stays there. It repeats what the title's page offers, so it is hidden from screen readers and
// its buttons are the mouse's; on touch screens it never comes.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Card } from '../shared/api';
import { LinkButton } from '../shared/components/base';
import { Icon } from '../shared/components/icons';
import { loadThumbs, spread, spriteSize, thumbsUrl, type Thumb } from '../shared/thumbs';
import { MarkButtons } from './actions';
import { Art } from './art';
import { Facts, Watched, whyOf } from './facts';
import { t } from './strings';

const REST_MS = 400;
const FRAME_MS = 650;

interface Shown {
  card: Card;
  place: HTMLElement;
  by: 'mouse' | 'focus';
}

let timer = 0;
let show: (what: Shown | null) => void = () => {};
let present: Shown | null = null;

function later(what: Shown): void {
  clearTimeout(timer);
  timer = window.setTimeout(() => show(what), REST_MS);
}

export function hidePreview(): void {
  clearTimeout(timer);
  if (present) show(null);
}

/** Handlers for a card's link. */
export function previewOf(card: Card) {
  return {
    onPointerEnter: (event: PointerEvent) => {
      if (event.pointerType === 'mouse') later({ card, place: event.currentTarget as HTMLElement, by: 'mouse' });
    },
    onPointerLeave: () => clearTimeout(timer),
    onFocus: (event: FocusEvent) => {
      const place = event.currentTarget as HTMLElement;
      if (place.matches(':focus-visible')) later({ card, place, by: 'focus' });
    },
    onBlur: hidePreview,
    onClick: hidePreview,
  };
}

export function PreviewLayer() {
  const [shown, setShown] = useState<Shown | null>(null);
  useEffect(() => {
    show = (what) => {
      present = what;
      setShown(what);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') hidePreview();
    };
    const hide = () => hidePreview();
    document.addEventListener('keydown', onKey);
    window.addEventListener('resize', hide);
    window.addEventListener('popstate', hide);
    return () => {
      document.removeEventListener('keydown', onKey);
      window.removeEventListener('resize', hide);
      window.removeEventListener('popstate', hide);
      show = () => {};
    };
  }, []);
  return shown && shown.place.isConnected ? <Preview key={shown.card.id} shown={shown} /> : null;
}

function Preview({ shown }: { shown: Shown }) {
  const { card, place } = shown;
  const ref = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const box = ref.current!;
    const art = place.querySelector('.art')!.getBoundingClientRect();
    const wide = Math.min(420, Math.max(320, art.width * 1.4), innerWidth - 32);
    const left = Math.min(innerWidth - wide - 16, Math.max(16, art.left + art.width / 2 - wide / 2));
    box.style.width = `${wide}px`;
    box.style.left = `${left + scrollX}px`;
    const tall = box.offsetHeight;
    const middle = art.top + art.height / 2 - tall * 0.4;
    const top = Math.min(innerHeight - tall - 12, Math.max(76, middle));
    box.style.top = `${top + scrollY}px`;
    box.style.transformOrigin = `${art.left + art.width / 2 - left}px ${art.top + art.height / 2 - top}px`;
    box.classList.add('grown');
  }, []);
  useEffect(() => {
    if (shown.by !== 'mouse') return;
    // A mouse that goes quickly never enters the layer that has just come, and so never leaves it.
    const onMove = (event: PointerEvent) => {
      const under = event.target as Node;
      if (!ref.current?.contains(under) && !place.contains(under)) hidePreview();
    };
    document.addEventListener('pointermove', onMove);
    return () => document.removeEventListener('pointermove', onMove);
  }, []);
  const playHref = `/play/${encodeURIComponent(card.id)}`;
  const href = `/title/${encodeURIComponent(card.series_id ?? card.id)}`;
  return (
    <div class="preview" ref={ref} aria-hidden="true" onPointerLeave={hidePreview}>
      <a href={href} tabIndex={-1} class="preview-art" onClick={hidePreview}>
        <Art card={card} eager />
        <Frames card={card} />
        <Watched card={card} />
      </a>
      <div class="preview-text">
        <div class="preview-buttons">
          <LinkButton href={playHref} kind="primary" icon="play" tabIndex={-1} onClick={hidePreview}>
            {card.progress ? t('resume') : t('play')}
          </LinkButton>
          <MarkButtons card={card} focusable={false} />
          <a class="icon-button ring push" href={href} tabIndex={-1} title={t('more')} onClick={hidePreview}>
            <Icon name="chevronDown" />
          </a>
        </div>
        <p class="preview-name">{card.name}</p>
        <Facts card={card} />
        {card.tags && card.tags.length > 0 && <p class="preview-tags">{card.tags.slice(0, 3).join(' · ')}</p>}
        {card.why && <p class="why">{whyOf(card.why)}</p>}
      </div>
    </div>
  );
}

/** Trick-play pictures, one after another, over the artwork. */
function Frames({ card }: { card: Card }) {
  const [frames, setFrames] = useState<{ thumb: Thumb; sheet: { width: number; height: number } }[]>([]);
  const [at, setAt] = useState(0);
  useEffect(() => {
    const url = thumbsUrl(card);
    if (!url || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    let live = true;
    void (async () => {
      const thumbs = spread(await loadThumbs(url), 14);
      const loaded = await Promise.all(
        thumbs.map(async (thumb) => ({ thumb, sheet: await spriteSize(thumb.url) })),
      ).catch(() => []);
      if (live) setFrames(loaded);
    })();
    return () => {
      live = false;
    };
  }, [card.id]);
  useEffect(() => {
    if (frames.length < 2) return;
    const ticking = setInterval(() => setAt((n) => (n + 1) % frames.length), FRAME_MS);
    return () => clearInterval(ticking);
  }, [frames]);
  const frame = frames[at];
  if (!frame) return null;
  return <SpriteBox thumb={frame.thumb} sheet={frame.sheet} class="preview-frame" />;
}

/** One picture of a sheet, filling its box whatever the box's size: everything in percent. */
export function SpriteBox({ thumb, sheet, class: extra = '' }: {
  thumb: Thumb;
  sheet: { width: number; height: number };
  class?: string;
}) {
  const across = sheet.width - thumb.width;
  const down = sheet.height - thumb.height;
  return (
    <span
      class={`sprite ${extra}`}
      style={{
        backgroundImage: `url("${thumb.url}")`,
        backgroundSize: `${(sheet.width / thumb.width) * 100}% ${(sheet.height / thumb.height) * 100}%`,
        backgroundPosition: `${across > 0 ? (thumb.x / across) * 100 : 0}% ${down > 0 ? (thumb.y / down) * 100 : 0}%`,
      }}
    />
  );
}
