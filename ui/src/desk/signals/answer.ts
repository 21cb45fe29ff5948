// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the Atlas API answers, as columns that a chart takes: a gap is null, never 0.

import { askAt } from '../../shared/api';
import { href } from '../../shared/router';
import type { Span } from './span';

export interface StdJson {
  start: number;
  step: number;
  legend: string[];
  metrics: Record<string, string>[];
  values: (number | string)[][]; // a row a step; "NaN" where nothing is
  notices: string[];
}

export interface Line {
  readonly label: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly values: readonly (number | null)[];
}
export interface Answer {
  readonly step: number; // ms
  readonly times: readonly number[]; // s since 1970
  readonly lines: readonly Line[];
  readonly notices: readonly string[];
}

export interface LineStats {
  readonly count: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly avg: number | null;
  readonly last: number | null;
}

const ATLAS = '/atlas/api/v1';

export function answerOf(json: StdJson): Answer {
  const times = json.values.map((_, i) => (json.start + i * json.step) / 1000);
  const lines = namesOf(json.legend).map((label, i) => ({
    label,
    tags: json.metrics[i] ?? {},
    values: json.values.map((row) => (typeof row[i] === 'number' ? (row[i] as number) : null)),
  }));
  return { step: json.step, times, lines, notices: json.notices };
}

export function statsOf(values: Line['values']): LineStats {
  let count = 0;
  let sum = 0;
  let min: number | null = null;
  let max: number | null = null;
  let last: number | null = null;
  for (const v of values) {
    if (v === null) continue;
    count += 1;
    sum += v;
    min = min === null || v < min ? v : min;
    max = max === null || v > max ? v : max;
    last = v;
  }
  return { count, min, max, avg: count === 0 ? null : sum / count, last };
}

const PREFIXES = ['p', 'n', 'µ', 'm', '', 'k', 'M', 'G', 'T', 'P'];
const LONGER: readonly [number, string][] = [[86400, 'd'], [3600, 'h'], [60, 'min']];

// "1.23 k", "400 ms", "25 k/s", "2.5 h": four digits that count, the size before the unit; "–" where there is none.
export function short(v: number | null, unit = ''): string {
  if (v === null) return '–';
  const longer = unit === 's' ? LONGER.find(([seconds]) => Math.abs(v) >= seconds) : undefined;
  if (longer) return `${Number((v / longer[0]).toPrecision(4))} ${longer[1]}`;
  const isPlain = v === 0 || (unit === '' && Math.abs(v) >= 0.001 && Math.abs(v) < 1); // "50 m" of nothing said is read as metres
  const power = isPlain ? 0 : Math.min(5, Math.max(-4, Math.floor(Math.log10(Math.abs(v)) / 3 + 1e-9)));
  const said = `${unit === '%' ? '' : PREFIXES[power + 4]!}${unit}`;
  const number = Number((unit === '%' ? v : v / 1000 ** power).toPrecision(4));
  return said === '' || said.startsWith('/') ? `${number}${said}` : `${number} ${said}`;
}

// "(node=web-1)" is what Atlas calls a line of `(,node,),:by`; where all lines are told apart by the same keys, the values say enough.
export function namesOf(labels: readonly string[]): string[] {
  const parts = labels.map((label) => /^\((.+)\)$/.exec(label)?.[1]?.split(',').map((pair) => pair.split('=')));
  const keys = (part: readonly string[][] | undefined): string => part?.map((pair) => pair[0]).join(',') ?? '';
  const alike = parts.every((part) => part?.every((pair) => pair.length === 2) && keys(part) === keys(parts[0]));
  return alike ? parts.map((part) => part!.map((pair) => pair[1]).join(' · ')) : [...labels];
}

export function graphUrl(question: string, span: Span, format: string, width?: number): string {
  return href(`${ATLAS}/graph`, { q: question, s: span.s, e: span.e, format, ...(width === undefined ? {} : { w: width }) });
}

export async function askGraph(question: string, span: Span, width: number, signal?: AbortSignal): Promise<Answer> {
  return answerOf((await askAt<StdJson>(graphUrl(question, span, 'std.json', width), 'GET', undefined, { signal })).value);
}

export interface Names {
  readonly list: readonly string[];
  readonly more: boolean;
}
const MOST = 500;

async function names(url: string, signal?: AbortSignal): Promise<Names> {
  const { value, headers } = await askAt<string[]>(url, 'GET', undefined, { signal });
  return { list: value, more: headers.has('x-nflx-atlas-next-offset') };
}

// Values of a key, of the series that fit.
export const askValues = (key: string, match: string, signal?: AbortSignal): Promise<Names> =>
  names(href(`${ATLAS}/tags/${encodeURIComponent(key)}`, { q: match, limit: MOST }), signal);

export async function askKeys(match: string, signal?: AbortSignal): Promise<Names> {
  const all = await names(href(`${ATLAS}/tags`, { q: match, limit: MOST }), signal);
  return { ...all, list: all.list.filter((k) => k !== 'name') };
}
