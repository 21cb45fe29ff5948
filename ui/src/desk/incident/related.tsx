// SPDX-License-Identifier: GPL-3.0-or-later
//
// What else changed when an alert fired: ranked, each with its picture, drawn from what was kept at that moment.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button } from '../../shared/components/base';
import { ApiError } from '../../shared/api';
import { dateTime, elapsed } from '../../shared/format';
import { api } from '../api';
import { Failure } from '../notes';
import { useResource } from '../resource';
import { short } from '../signals/answer';
import { t, type TextKey } from '../text';
import type { Found, RelatedSignal } from '../types';

const FIRST = 5;
const W = 320;
const H = 64;

export const nameOf = (name: RelatedSignal['name']): { name: string; tags: string } => {
  if (typeof name === 'string') return { name, tags: '' };
  const { name: own, 'atlas.dstype': _, ...tags } = name;
  return { name: own ?? '–', tags: Object.entries(tags).map(([k, v]) => `${k} ${v}`).join(' · ') };
};

/** "2 min before", in words; what a score means, in words. */
export function whenText(r: RelatedSignal, changed: number): string {
  const before = changed - r.changed;
  const away = elapsed(Math.abs(before) * 1000);
  const how = before > 0 ? 'before' : before < 0 ? 'after' : 'with';
  return t(`related.${r.relation}.${how}` as TextKey, { away });
}
export const strengthOf = (score: number): 'strong' | 'clear' | 'weak' => (score >= 0.75 ? 'strong' : score >= 0.4 ? 'clear' : 'weak');

export function levelText(r: RelatedSignal): string {
  if (r.before === null || r.after === null) return r.before === null ? t('related.level.born', { after: short(r.after) }) : t('related.level.died', { before: short(r.before) });
  const percent = r.before === 0 ? null : Math.round(((r.after - r.before) / Math.abs(r.before)) * 100);
  return t('related.level', { before: short(r.before), after: short(r.after), change: percent === null ? short(r.after - r.before) : `${percent > 0 ? '+' : ''}${percent} %` });
}

// One line over the window, gaps as gaps; the upright marks where it changed.
export function pathOf(values: readonly (number | null)[]): { path: string; low: number; high: number } {
  const there = values.filter((v): v is number => v !== null);
  const low = Math.min(...there);
  const high = Math.max(...there);
  const share = (v: number): number => (high > low ? (v - low) / (high - low) : 0.5);
  const last = Math.max(1, values.length - 1);
  let pen = 'M';
  const parts = values.map((v, i) => {
    if (v === null) {
      pen = 'M';
      return '';
    }
    const part = `${pen}${((i / last) * W).toFixed(1)} ${(4 + (1 - share(v)) * (H - 8)).toFixed(1)}`;
    pen = 'L';
    return part;
  });
  return { path: parts.join(''), low, high };
}

function Trace({ of, label, found, changed, kind }: { of: readonly (number | null)[]; label: string; found: Found; changed: number; kind: 'target' | 'signal' }): JSX.Element {
  const { path, low, high } = pathOf(of);
  const x = ((changed - found.start) / Math.max(1, found.end - found.step - found.start)) * W;
  return (
    <div class={`trace ${kind}`}>
      <span class="clip">{label}</span>
      <svg viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" aria-hidden="true">
        <line x1={x} x2={x} y1="0" y2={H} />
        <path d={path} />
      </svg>
      <span class="scale num" aria-hidden="true">
        <i>{short(high)}</i>
        <i>{short(low)}</i>
      </span>
    </div>
  );
}

function Signal({ of, place, found, picture }: { of: RelatedSignal; place: number; found: Found; picture: string }): JSX.Element {
  const { name, tags } = nameOf(of.name);
  const strength = strengthOf(of.score);
  return (
    <li class="related-signal">
      <header>
        <b class="place num">{place + 1}</b>
        <div>
          <h3>{name}</h3>
          {tags && <small class="faint">{tags}</small>}
        </div>
        <span class={`strength ${strength}`}>{t(`related.${strength}`)}</span>
      </header>
      <p>
        {`${whenText(of, found.changed)} ${levelText(of)}`}
        {of.part && of.share !== null && of.share !== undefined && ` ${t('related.part', { part: of.part, percent: Math.round(of.share * 100) })}`}
      </p>
      <div role="img" aria-label={t('related.picture', { name })} class="traces">
        <Trace of={found.target.values} label={t('related.target')} found={found} changed={found.changed} kind="target" />
        <Trace of={of.values} label={name} found={found} changed={of.changed} kind="signal" />
        <div class="times faint num" aria-hidden="true">
          <time>{dateTime(found.start)}</time>
          <time>{dateTime(found.end - found.step)}</time>
        </div>
      </div>
      <details>
        <summary>{t('related.numbers')}</summary>
        <dl class="numbers num">
          <dt>{t('related.score')}</dt>
          <dd>{of.score.toFixed(2)}</dd>
          <dt>{t('related.pearson')}</dt>
          <dd>{of.relation === 'moved' ? of.pearson.toFixed(2) : '–'}</dd>
          <dt>{t('related.spearman')}</dt>
          <dd>{of.relation === 'moved' ? of.spearman.toFixed(2) : '–'}</dd>
          <dt>{t('related.lag')}</dt>
          <dd>{of.relation === 'moved' ? `${of.lag > 0 ? '+' : of.lag < 0 ? '−' : ''}${elapsed(Math.abs(of.lag) * 1000)}` : '–'}</dd>
          <dt>{t('related.step')}</dt>
          <dd>{of.step === null || of.step === undefined || of.relation !== 'moved' ? '–' : t('related.noise', { n: of.step.toFixed(1) })}</dd>
          <dt>{t('related.window')}</dt>
          <dd>{`${dateTime(of.start)} – ${dateTime(of.end)}`}</dd>
        </dl>
        <a href={picture} target="_blank" rel="noreferrer">
          {t('related.png')}
        </a>
      </details>
    </li>
  );
}

function CallsTable({ found }: { found: Found }): JSX.Element | null {
  if (!found.calls) return null;
  const parts = found.calls.parts.filter((p) => p.share > 0).slice(0, 5);
  return (
    <div class="calls">
      <h3>{t('calls.title')}</h3>
      {parts.length === 0 ? (
        <p class="faint">{t('calls.none')}</p>
      ) : (
        <ol>
          {parts.map((p) => (
            <li key={p.part}>
              <b>{p.part}</b>
              <meter min={0} max={1} value={p.share} aria-label={t('calls.share', { part: p.part, percent: Math.round(p.share * 100) })} />
              <span class="num">{`${Math.round(p.share * 100)} %`}</span>
            </li>
          ))}
        </ol>
      )}
      <p class="faint">{t('calls.about', { target: found.calls.target })}</p>
    </div>
  );
}

export function RelatedSignals({ alert }: { alert: string }): JSX.Element {
  const related = useResource(`alerts/${alert}/related`, (s) => api.related(alert, s), [`alert/${alert}`]);
  const [all, setAll] = useState(false);
  if (related.error && !related.value) {
    if (related.error instanceof ApiError && related.error.status === 404) return <p class="faint">{t('related.soon')}</p>;
    return <Failure of={related} />;
  }
  if (!related.value) return <p class="faint">{t('related.loading')}</p>;
  const { found, why } = related.value;
  if (!found) return <p class="faint">{why ? t('related.why', { why }) : t('related.soon')}</p>;
  const theme = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  const list = all ? found.related : found.related.slice(0, FIRST);
  return (
    <div class="related">
      <p class="faint">
        {t('related.about', { n: found.candidates, time: dateTime(found.changed) })}
        {found.more && ` ${t('related.more')}`}
      </p>
      <CallsTable found={found} />
      {list.length === 0 && <p>{t('related.nothing')}</p>}
      <ol class="related-list">
        {list.map((r, i) => (
          <Signal key={JSON.stringify(r.name)} of={r} place={i} found={found} picture={api.pictureUrl(alert, i, theme)} />
        ))}
      </ol>
      {found.related.length > FIRST && (
        <Button kind="outline" size="small" onClick={() => setAll(!all)}>
          {all ? t('related.fewer') : t('related.all', { n: found.related.length })}
        </Button>
      )}
    </div>
  );
}
