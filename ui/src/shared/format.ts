// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers as people read them. Times on the wire are integer microseconds or RFC 3339 text; floating
// seconds exist only here, on the way to the screen.

import { language as chosenLanguage } from './i18n';
import { t } from './strings';

export const US = 1_000_000;

const pad = (n: number, width = 2) => String(n).padStart(width, '0');

/** Position on a clock: 75 s is "1:15", 3 675 s is "1:01:15". Rounds down, as a clock does. */
export function clock(us: number): string {
  if (!Number.isFinite(us)) return '–:––';
  const sign = us < 0 ? '−' : '';
  const all = Math.floor(Math.abs(us) / US);
  const h = Math.floor(all / 3600);
  const m = Math.floor(all / 60) % 60;
  const s = all % 60;
  return sign + (h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`);
}

/** Position said aloud by a screen reader: "1 hour 2 minutes 3 seconds". */
export function clockSpoken(us: number): string {
  const all = Math.max(0, Math.floor(us / US));
  const parts = [
    ['hours', Math.floor(all / 3600)],
    ['minutes', Math.floor(all / 60) % 60],
    ['seconds', all % 60],
  ] as const;
  const said = parts.filter(([, n]) => n > 0).map(([unit, n]) => t(unit, { n }));
  return said.length > 0 ? said.join(' ') : t('seconds', { n: 0 });
}

/** Length of a film: "1 h 32 min", "52 s"; minutes round to the nearest from one minute on. */
export function length(us: number): string {
  const s = Math.round(us / US);
  if (s < 60) return `${s} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  const h = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${h} h` : `${h} h ${minutes % 60} min`;
}

/** How long something took or will take, two units at most: "3.2 s", "2 min 5 s", "4 h 10 min". */
export function elapsed(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < US) return `${Math.round(us / 1000)} ms`;
  const s = us / US;
  if (s < 10) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) {
    const rest = whole % 60;
    return rest === 0 ? `${whole / 60} min` : `${Math.floor(whole / 60)} min ${rest} s`;
  }
  const minutes = Math.round(whole / 60);
  const h = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${h} h` : `${h} h ${minutes % 60} min`;
}

/** Time code HH:MM:SS:FF of a frame at a rate [num, den]; non-drop, so exact for whole rates. */
export function timecode(frame: number, rate: readonly [number, number]): string {
  const nominal = Math.max(1, Math.round(rate[0] / rate[1]));
  const s = Math.floor(frame / nominal);
  return [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60, frame % nominal]
    .map((n) => pad(n))
    .join(':');
}

const scaled = (n: number, step: number, units: readonly string[]): string => {
  let i = 0;
  let value = n;
  // Steps up early where rounding would show four digits ("1000 kB").
  while (i < units.length - 1 && Math.abs(value) >= step * 0.9995) {
    value /= step;
    i += 1;
  }
  const text = i === 0 || Math.abs(value) >= 99.95 ? value.toFixed(0) : value.toFixed(1);
  return `${text} ${units[i]}`;
};

/** Decimal bytes: "12.3 GB". */
export const bytes = (n: number) => scaled(n, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);

/** Bits a second: "4.2 Mb/s". */
export const rate = (bps: number) => scaled(bps, 1000, ['b/s', 'kb/s', 'Mb/s', 'Gb/s', 'Tb/s']);

export const count = (n: number) => new Intl.NumberFormat('en').format(n);

export const percent = (ratio: number, digits = 0) => `${(ratio * 100).toFixed(digits)} %`;

const parse = (when: string | number | Date) => new Date(when);

/** "just now", "5 min ago", "in 3 h", "12 Mar 2026". */
export function ago(when: string | number | Date, now: number = Date.now()): string {
  const at = parse(when).getTime();
  if (Number.isNaN(at)) return '';
  const s = Math.round((now - at) / 1000);
  const far = Math.abs(s);
  if (far < 45) return 'just now';
  const text =
    far < 3570
      ? `${Math.max(1, Math.round(far / 60))} min`
      : far < 86_400
        ? `${Math.round(far / 3600)} h`
        : far < 7 * 86_400
          ? `${Math.round(far / 86_400)} d`
          : '';
  if (text === '') return date(when);
  return s > 0 ? `${text} ago` : `in ${text}`;
}

export function date(when: string | number | Date): string {
  const d = parse(when);
  if (Number.isNaN(d.getTime())) return '';
  return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' }).format(d);
}

/** Local date and time to the second, sortable: "2026-03-12 14:05:09". */
export function dateTime(when: string | number | Date): string {
  const d = parse(when);
  if (Number.isNaN(d.getTime())) return '';
  return (
    `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ` +
    `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`
  );
}

/** A BCP 47 tag in the reader's own words: "de" is "German"; the tag itself where nobody knows. */
export function language(tag: string, locale = chosenLanguage()): string {
  if (tag === '' || tag === 'und') return '';
  try {
    return new Intl.DisplayNames([locale], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}
