// SPDX-License-Identifier: GPL-3.0-or-later
//
// The time range of a page of charts, and what they share it by: its address.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button, IconButton } from '../../shared/components/base';
import { dateTime } from '../../shared/format';
import { navigate, usePlace } from '../../shared/router';
import { t } from '../text';
import { isLive, lengthMs, moved, spanMs, SPANS, USUAL, wider, type Span } from './span';

export function useSpan(): [Span, (next: Span) => void] {
  const place = usePlace();
  const asked: Span = { s: place.query.get('s') ?? USUAL.s, e: place.query.get('e') ?? USUAL.e };
  const span = spanMs(asked, Date.now()) ? asked : USUAL;
  const set = (next: Span): void => {
    const query = new URLSearchParams(location.search);
    query.set('s', next.s);
    query.set('e', next.e);
    navigate(`${location.pathname}?${query}`);
  };
  return [span, set];
}

// The clock that live charts follow: ticks with the finest step that is worth drawing.
export function useNow(live: boolean): number {
  const [now, set] = useState(Date.now);
  useEffect(() => {
    set(Date.now());
    if (!live) return;
    const timer = setInterval(() => {
      if (!document.hidden) set(Date.now());
    }, 10_000);
    return () => clearInterval(timer);
  }, [live]);
  return now;
}

export function SpanBar({ span, onSpan }: { span: Span; onSpan: (next: Span) => void }): JSX.Element {
  const now = Date.now();
  const range = spanMs(span, now)!;
  const usual = isLive(span) && SPANS.find((text) => span.s === `e-${text}`);
  return (
    <div class="span-bar" role="group" aria-label={t('signals.range')}>
      <IconButton icon="chevronLeft" label={t('signals.earlier')} onClick={() => onSpan(moved(span, -1, now))} />
      <label class="facet on">
        <span class="visually-hidden">{t('signals.range')}</span>
        <select value={usual || 'own'} onChange={(e) => onSpan({ s: `e-${e.currentTarget.value}`, e: 'now' })}>
          {SPANS.map((text) => (
            <option key={text} value={text}>
              {t('signals.last', { length: text })}
            </option>
          ))}
          {!usual && (
            <option value="own" disabled>
              {`${dateTime(range.start)} – ${dateTime(range.end)}`}
            </option>
          )}
        </select>
      </label>
      <IconButton icon="chevronRight" label={t('signals.later')} disabled={isLive(span)} onClick={() => onSpan(moved(span, 1, now))} />
      <Button size="small" kind="quiet" onClick={() => onSpan(wider(span, now))}>
        {t('signals.wider')}
      </Button>
      {!isLive(span) && (
        <Button size="small" kind="outline" onClick={() => onSpan({ s: `e-${shortest(range.end - range.start)}`, e: 'now' })}>
          {t('signals.live')}
        </Button>
      )}
    </div>
  );
}

// The shortest usual length that holds it, or nearly.
function shortest(ms: number): string {
  return SPANS.find((text) => lengthMs(text)! >= ms * 0.9) ?? SPANS[SPANS.length - 1]!;
}
