// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the QC time line draws, as numbers: pure, so that it is tested without a screen. x is in CSS
// pixels from the left of the plot, a view is [startUs, endUs) of the film.

import type { Severity } from './types';

export interface View {
  startUs: number;
  endUs: number;
}

export const VIEW_MIN_US = 200_000;

export const usToX = (us: number, v: View, width: number): number => ((us - v.startUs) / (v.endUs - v.startUs)) * width;
export const xToUs = (x: number, v: View, width: number): number => v.startUs + (x / Math.max(1, width)) * (v.endUs - v.startUs);

// Zooms by `factor` (<1: closer) so that `aroundUs` stays where it is; never outside the film.
export function viewZoom(v: View, factor: number, aroundUs: number, durationUs: number): View {
  const span = Math.min(durationUs, Math.max(Math.min(VIEW_MIN_US, durationUs), (v.endUs - v.startUs) * factor));
  const share = (aroundUs - v.startUs) / (v.endUs - v.startUs);
  return viewClamp({ startUs: aroundUs - share * span, endUs: aroundUs + (1 - share) * span }, durationUs);
}

export function viewClamp(v: View, durationUs: number): View {
  const span = Math.min(durationUs, v.endUs - v.startUs);
  const start = Math.max(0, Math.min(durationUs - span, v.startUs));
  return { startUs: start, endUs: start + span };
}

// Moves the view no further than needed for `us` to be seen, with a margin.
export function viewReveal(v: View, us: number, durationUs: number): View {
  const span = v.endUs - v.startUs;
  const margin = span * 0.08;
  if (us >= v.startUs + margin && us <= v.endUs - margin) return v;
  if (us < v.startUs + margin && v.startUs <= 0 && us >= v.startUs) return v;
  if (us > v.endUs - margin && v.endUs >= durationUs && us <= v.endUs) return v;
  const start = us < v.startUs + margin ? us - margin * 2 : us + margin * 2 - span;
  return viewClamp({ startUs: start, endUs: start + span }, durationUs);
}

// Round steps for a ruler, at least `gap` pixels apart.
const STEPS_S = [0.02, 0.04, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
export function ticks(v: View, width: number, gap = 90): { us: number; x: number }[] {
  const want = ((v.endUs - v.startUs) / Math.max(1, width)) * gap;
  const step = (STEPS_S.find((s) => s * 1e6 >= want) ?? STEPS_S[STEPS_S.length - 1]!) * 1e6;
  const out: { us: number; x: number }[] = [];
  for (let us = Math.ceil(v.startUs / step) * step; us < v.endUs; us += step) out.push({ us, x: usToX(us, v, width) });
  return out;
}

// Lowest and highest value of a series under each column of pixels; NaN where it has none. `at`
// gives a sample's time; samples hold until the next one.
export function columns(values: readonly (number | null)[], at: (i: number) => number, v: View, width: number): { low: Float32Array; high: Float32Array } {
  const n = Math.max(0, Math.floor(width));
  const low = new Float32Array(n).fill(NaN);
  const high = new Float32Array(n).fill(NaN);
  if (values.length === 0 || n === 0) return { low, high };
  // First sample that may touch the view.
  let lo = 0;
  let hi = values.length - 1;
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if (at(mid) <= v.startUs) lo = mid;
    else hi = mid - 1;
  }
  for (let i = lo; i < values.length; i += 1) {
    const from = usToX(at(i), v, n);
    if (from >= n) break;
    const to = i + 1 < values.length ? usToX(at(i + 1), v, n) : n;
    const value = values[i];
    if (value === null || value === undefined || Number.isNaN(value)) continue;
    const first = Math.max(0, Math.floor(from));
    const last = Math.min(n - 1, Math.max(first, Math.ceil(to) - 1));
    for (let x = first; x <= last; x += 1) {
      if (!(low[x]! <= value)) low[x] = value;
      if (!(high[x]! >= value)) high[x] = value;
    }
  }
  return { low, high };
}

export interface Span {
  startUs: number;
  endUs: number;
  index: number; // of the finding
  severity: Severity;
  kind: string;
  quiet: boolean; // waived or fixed
}

export interface Placed {
  x: number;
  width: number;
  lane: number;
  severity: Severity;
  kind: string;
  quiet: boolean;
  indices: number[]; // several, where they would cover each other at this zoom
}

const rank: Record<Severity, number> = { info: 0, warning: 1, error: 2 };

// Spans as blocks in at most `lanes` rows: neighbours of one kind that come closer than `join`
// pixels are one block, and no block is too narrow to be hit.
export function placeSpans(spans: readonly Span[], v: View, width: number, lanes: number, join = 3, narrowest = 8): Placed[] {
  const byKind = new Map<string, Placed>();
  const blocks: Placed[] = [];
  const sorted = [...spans].filter((s) => s.endUs >= v.startUs && s.startUs <= v.endUs).sort((a, b) => a.startUs - b.startUs || a.endUs - b.endUs);
  for (const s of sorted) {
    const from = Math.max(-2, usToX(s.startUs, v, width));
    const to = Math.min(width + 2, usToX(s.endUs, v, width));
    const x = Math.min(from, width - narrowest);
    const w = Math.max(narrowest, to - from);
    const key = `${s.kind} ${s.quiet}`;
    const open = byKind.get(key);
    if (open && x - (open.x + open.width) < join) {
      open.width = Math.max(open.width, x + w - open.x);
      open.indices.push(s.index);
      if (rank[s.severity] > rank[open.severity]) open.severity = s.severity;
      continue;
    }
    const block = { x, width: w, lane: 0, severity: s.severity, kind: s.kind, quiet: s.quiet, indices: [s.index] };
    byKind.set(key, block);
    blocks.push(block);
  }
  const ends: number[] = new Array<number>(lanes).fill(-Infinity);
  for (const b of blocks) {
    let lane = ends.findIndex((e) => e + 1 <= b.x);
    if (lane < 0) lane = ends.indexOf(Math.min(...ends));
    b.lane = lane;
    ends[lane] = Math.max(ends[lane]!, b.x + b.width);
  }
  return blocks;
}

// The pictures of the film strip: as many as fit side by side, each the grid's nearest to its place.
export function stripTiles(v: View, width: number, tile: number, everyUs: number, count: number): { x: number; still: number }[] {
  if (count === 0 || tile <= 0 || everyUs <= 0) return [];
  const us = ((v.endUs - v.startUs) / Math.max(1, width)) * tile;
  const out: { x: number; still: number }[] = [];
  // Tiles are bound to the film, not to the screen: they do not flicker while one scrolls.
  for (let k = Math.floor(v.startUs / us); k * us < v.endUs; k += 1) {
    const mid = (k + 0.5) * us;
    out.push({ x: usToX(k * us, v, width), still: Math.max(0, Math.min(count - 1, Math.round(mid / everyUs))) });
  }
  return out;
}
