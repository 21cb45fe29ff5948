// SPDX-License-Identifier: GPL-3.0-or-later
// Artwork: the box has its size before any picture, is tinted with the picture's own colour, and the picture
// fades in over it. What is not wide is shown whole over a blurred copy of itself; black bars that a film
// carries in its picture are zoomed out of sight.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Card } from '../shared/api';

/** The picture's own colour; where the service does not say, a dark one that is always this title's. */
export function tintOf(card: Card): string {
  if (card.poster?.color) return card.poster.color;
  let sum = 0;
  for (const c of card.id) sum = (sum * 31 + c.charCodeAt(0)) >>> 0;
  return `hsl(${sum % 360} 18% 26%)`;
}

const BLACK = 20; // of 255: compressed black is never quite 0

/** Share of the height that is a black bar, above and below alike; 0 where there is none. */
function bars(image: HTMLImageElement): number {
  const rows = 60;
  const canvas = document.createElement('canvas');
  canvas.width = 24;
  canvas.height = rows;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) return 0;
  context.drawImage(image, 0, 0, 24, rows);
  const { data } = context.getImageData(0, 0, 24, rows);
  const dark = (row: number) => {
    for (let i = row * 24 * 4; i < (row + 1) * 24 * 4; i += 4) {
      if (Math.max(data[i]!, data[i + 1]!, data[i + 2]!) > BLACK) return false;
    }
    return true;
  };
  let above = 0;
  while (above < rows / 4 && dark(above)) above += 1;
  let below = 0;
  while (below < rows / 4 && dark(rows - 1 - below)) below += 1;
  // Uneven bars, or a picture that is dark to the middle, are a night scene.
  return above === 0 || Math.abs(above - below) > 1 || above >= rows / 4 ? 0 : Math.max(above, below) / rows;
}

export function Art({ card, eager = false, wait = false, class: extra = '' }: {
  card: Card;
  /** Above the fold: fetched first. */
  eager?: boolean;
  /** Too far away yet: only the box. */
  wait?: boolean;
  class?: string;
}) {
  const poster = card.poster;
  const [state, setState] = useState<'waiting' | 'there' | 'broken'>('waiting');
  const [zoom, setZoom] = useState(1);
  const image = useRef<HTMLImageElement>(null);
  const arrived = () => {
    const bar = image.current ? bars(image.current) : 0;
    setZoom(bar > 0 ? 1.02 / (1 - 2 * bar) : 1);
    setState('there');
  };
  useEffect(() => {
    // A cached picture may have come before anyone listened.
    if (image.current?.complete && image.current.naturalWidth > 0) arrived();
  }, [poster?.url, wait]);
  const narrow = poster ? poster.width / poster.height < 1.2 : false;
  const show = poster && !wait && state !== 'broken';
  return (
    <span
      class={`art ${extra} ${narrow ? 'narrow' : zoom > 1 ? 'barred' : ''} ${state}`}
      style={{ '--tint': tintOf(card), '--zoom': zoom }}
    >
      {show && narrow && <img class="art-blur" src={poster.url} alt="" aria-hidden="true" />}
      {show && (
        <img
          ref={image}
          src={poster.url}
          width={poster.width}
          height={poster.height}
          alt=""
          decoding="async"
          {...{ fetchpriority: eager ? 'high' : 'auto' }}
          onLoad={arrived}
          onError={() => setState('broken')}
        />
      )}
      {(!poster || state === 'broken') && <span class="art-name">{card.name}</span>}
    </span>
  );
}
