// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures out of sprites: a WebVTT file whose cues are "sprite-0.jpg#xywh=0,0,240,135" (media fragments,
// section 4.2.2). Used by the seek bar and by the previews on cards.

export interface Thumb {
  start: number; // seconds
  end: number;
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Seconds of "01:02:03.456" or "02:03.456"; NaN otherwise. */
export function parseTimestamp(text: string): number {
  const m = /^(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})$/.exec(text.trim());
  if (!m) return NaN;
  return Number(m[1] ?? 0) * 3600 + Number(m[2]) * 60 + Number(m[3]) + Number(m[4]) / 1000;
}

/** Cues in order of time; what is no picture is left out. Addresses resolve against `base`. */
export function parseThumbs(text: string, base: string): Thumb[] {
  const thumbs: Thumb[] = [];
  const blocks = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n').split(/\n{2,}/);
  if (!/^WEBVTT(?:[ \t\n]|$)/.test(blocks[0] ?? '')) return [];
  for (const block of blocks) {
    const lines = block.split('\n');
    const at = lines.findIndex((line) => line.includes('-->'));
    if (at < 0) continue;
    const [from, to] = lines[at]!.split('-->');
    const start = parseTimestamp(from!);
    const end = parseTimestamp(to!.trim().split(/\s/)[0] ?? '');
    const place = /^(\S+)#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)$/.exec(lines[at + 1]?.trim() ?? '');
    if (!place || !(end > start)) continue;
    const [x, y, width, height] = place.slice(2).map(Number) as [number, number, number, number];
    if (width === 0 || height === 0) continue;
    thumbs.push({ start, end, url: new URL(place[1]!, base).href, x, y, width, height });
  }
  return thumbs.sort((a, b) => a.start - b.start);
}

/** The picture of a moment: the last that began by then. */
export function thumbAt(thumbs: readonly Thumb[], seconds: number): Thumb | null {
  let low = 0;
  let high = thumbs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (thumbs[middle]!.start <= seconds) low = middle + 1;
    else high = middle;
  }
  return thumbs[Math.max(0, low - 1)] ?? null;
}

/** At most `count` pictures spread over the film, without its very first and last. */
export function spread(thumbs: readonly Thumb[], count: number): Thumb[] {
  const inner = thumbs.length > 4 ? thumbs.slice(1, -1) : thumbs;
  if (inner.length <= count) return [...inner];
  return Array.from({ length: count }, (_, i) => inner[Math.floor((i * inner.length) / count)]!);
}

/** Beside a poster lies the film's sprites' list: /art/<package>/poster.jpg, /art/<package>/thumbs/thumbs.vtt. */
export function thumbsUrl(card: { thumbnails?: string | null; poster?: { url: string } | null }): string | null {
  if (card.thumbnails) return card.thumbnails;
  const url = card.poster?.url;
  return url && /\/poster\.\w+$/.test(url) ? url.replace(/poster\.\w+$/, 'thumbs/thumbs.vtt') : null;
}

const lists = new Map<string, Promise<Thumb[]>>();

/** Fetched once an address; a film without sprites is an empty list. */
export function loadThumbs(url: string): Promise<Thumb[]> {
  let list = lists.get(url);
  if (!list) {
    list = fetch(url, { credentials: 'same-origin' })
      .then(async (response) => (response.ok ? parseThumbs(await response.text(), new URL(url, location.href).href) : []))
      .catch(() => {
        lists.delete(url); // the next time may find a connection
        return [];
      });
    lists.set(url, list);
  }
  return list;
}

const sizes = new Map<string, Promise<{ width: number; height: number }>>();

/** Natural size of a sprite, loaded. */
export function spriteSize(url: string): Promise<{ width: number; height: number }> {
  let size = sizes.get(url);
  if (!size) {
    size = new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
      image.onerror = () => reject(new Error(`no sprite at ${url}`));
      image.src = url;
    });
    size.catch(() => sizes.delete(url));
    sizes.set(url, size);
  }
  return size;
}
