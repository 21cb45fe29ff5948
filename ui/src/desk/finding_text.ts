// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a finding is and what it measured, in words.

import { count } from '../shared/format';
import { clockText, ptsToUs } from './time';
import { t } from './text';
import type { Finding } from './types';

export function placeText(f: Finding): string {
  if (f.start_frame !== null) {
    const end = f.end_frame ?? f.start_frame + 1;
    return end - f.start_frame <= 1
      ? t('place.frame', { frame: count(f.start_frame) })
      : t('place.frames', { start: count(f.start_frame), end: count(end - 1), n: end - f.start_frame });
  }
  if (f.start_pts !== null) {
    const start = clockText(ptsToUs(f.start_pts, f.time_base));
    if (f.kind === 'viewer_report') return start.replace(/\.\d+$/, ''); // where somebody paused, no measurement
    return f.end_pts === null ? start : `${start} – ${clockText(ptsToUs(f.end_pts, f.time_base))}`;
  }
  return f.stream === null ? t('place.file') : t('place.stream', { stream: f.stream });
}

// What a viewer wrote: the kind of trouble that they chose, and their words.
export function reportText(f: Finding): string | null {
  const text = f.kind === 'viewer_report' ? f.evidence.text : null;
  return typeof text === 'string' && text.trim() !== '' ? text.trim() : null;
}

// The film at that second, as the viewer met it.
export function reportHref(f: Finding): string | null {
  const [noun, title] = (f.subject ?? '').split('/');
  if (f.kind !== 'viewer_report' || noun !== 'title' || !title) return null;
  return `/play/${encodeURIComponent(title)}?from=${Math.floor(ptsToUs(f.start_pts ?? 0, f.time_base) / 1e6)}`;
}

// Floats as measured, shortened; names without their underscores.
export function evidenceText(evidence: Record<string, unknown> | null | undefined): string {
  const parts: string[] = [];
  for (const [k, v] of Object.entries(evidence ?? {})) {
    if (v === null || v === undefined || v === '' || (Array.isArray(v) && v.length === 0)) continue;
    const text =
      typeof v === 'number' ? (Number.isInteger(v) ? count(v) : String(Number(v.toPrecision(4)))) : typeof v === 'string' ? v : Array.isArray(v) && v.every((x) => typeof x !== 'object') ? v.join(', ') : JSON.stringify(v);
    parts.push(k === 'message' || k === 'reason' ? text : `${k.replaceAll('_', ' ')} ${text}`);
  }
  return parts.join(' · ');
}
