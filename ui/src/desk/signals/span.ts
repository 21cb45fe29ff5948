// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one time range that all charts of a page share, as its address says it: `s` and `e` in Atlas' own words ("e-3h",
// "now", milliseconds since 1970), so that a link copied from here is a question to the API as well.

const UNITS: Record<string, number> = { s: 1e3, min: 60e3, m: 60e3, h: 3_600e3, d: 86_400e3, w: 604_800e3 };

export interface Span {
  readonly s: string;
  readonly e: string;
}

export const USUAL: Span = { s: 'e-3h', e: 'now' };
export const SPANS = ['30m', '1h', '3h', '12h', '1d', '1w', '2w'] as const;

// "90m" → ms; null for what is no length.
export function lengthMs(text: string): number | null {
  const m = /^(\d+)(s|min|m|h|d|w)$/.exec(text);
  return m ? Number(m[1]) * UNITS[m[2]!]! : null;
}

// The range in milliseconds, or null where the texts say none.
export function spanMs(span: Span, now: number): { start: number; end: number } | null {
  const absolute = (text: string): number | null => (/^\d{10,16}$/.test(text) ? Number(text) * (text.length <= 10 ? 1000 : 1) : null);
  let end: number | null = absolute(span.e);
  if (span.e === 'now') end = now;
  else if (span.e.startsWith('now-')) {
    const back = lengthMs(span.e.slice(4));
    end = back === null ? null : now - back;
  }
  if (end === null) return null;
  let start = absolute(span.s);
  if (span.s.startsWith('e-') || span.s.startsWith('now-')) {
    const back = lengthMs(span.s.slice(span.s.indexOf('-') + 1));
    start = back === null ? null : (span.s.startsWith('e-') ? end : now) - back;
  }
  return start === null || start >= end ? null : { start, end };
}

export const isLive = (span: Span): boolean => span.e === 'now';

export const spanOf = (start: number, end: number): Span => ({ s: String(Math.round(start)), e: String(Math.round(end)) });

// Half a range earlier or later; what would lie behind now ends now.
export function moved(span: Span, halves: number, now: number): Span {
  const r = spanMs(span, now);
  if (!r) return USUAL;
  const by = Math.min(((r.end - r.start) / 2) * halves, now - r.end);
  return spanOf(r.start + by, r.end + by);
}

// Twice as long, around the same middle, and not behind now.
export function wider(span: Span, now: number): Span {
  const r = spanMs(span, now);
  if (!r) return USUAL;
  const half = (r.end - r.start) / 2;
  const end = Math.min(r.end + half, now);
  return spanOf(end - 4 * half, end);
}
