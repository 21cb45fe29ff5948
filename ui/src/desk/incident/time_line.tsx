// SPDX-License-Identifier: GPL-3.0-or-later
//
// One incident's time line: what its alerts went through and what was done, by which rule, with which data; oldest first.

import type { JSX } from 'preact';
import { dateTime } from '../../shared/format';
import { actorWord } from '../subject';
import { t, type TextKey } from '../text';
import type { Alert, AuditEntry, Treatment } from '../types';

export interface Moment {
  at: string;
  what: string;
  who: string;
  tone: 'alert' | 'good' | 'act';
  href?: string;
  data?: unknown;
}

// "treatment.remove.performed" → "Take out of service: done"; what a newer server tells stays as it is.
function entryText(what: string): string {
  const [, first, second] = what.split('.');
  if (!first || !what.startsWith('treatment.')) return what;
  return second === undefined ? t(`entry.${first}` as TextKey) : `${t(`step.${first}` as TextKey)}: ${t(`entry.${second}` as TextKey)}`;
}

const ofEntry = (e: AuditEntry): Moment => ({
  at: e.time,
  what: entryText(e.what),
  who: `${e.actor_name ?? actorWord(e.actor)}${e.rule ? ` · ${t('moment.rule', { rule: e.rule })}` : ''} · #${e.seq}`,
  tone: 'act',
  ...(e.data !== null || e.parameters !== null ? { data: { window: e.window, parameters: e.parameters, data: e.data } } : {}),
});

export function alertMoments(a: Alert): Moment[] {
  const name = a.summary || a.rule;
  const who = t('moment.rule', { rule: a.rule });
  const moment = (at: string | null, key: TextKey, tone: Moment['tone']): Moment[] => (at ? [{ at, what: t(key, { name }), who, tone, href: `/desk/alerts/${a.id}` }] : []);
  return [...moment(a.since, 'moment.since', 'alert'), ...moment(a.fired, 'moment.fired', 'alert'), ...moment(a.resolved, 'moment.resolved', 'good')];
}

export const treatmentMoments = (x: Treatment): Moment[] =>
  x.suspicion.since ? [{ at: x.suspicion.since, what: t('moment.apart', { server: x.server }), who: t('moment.rule', { rule: x.suspicion.rule ?? '–' }), tone: 'alert' }] : [];

export const momentsOf = (alerts: readonly Alert[], entries: readonly AuditEntry[], more: readonly Moment[] = []): Moment[] =>
  [...more, ...alerts.flatMap(alertMoments), ...[...entries].reverse().map(ofEntry)]
    .map((m, i) => ({ m, i }))
    .sort((a, b) => Date.parse(a.m.at) - Date.parse(b.m.at) || a.i - b.i)
    .map(({ m }) => m);

export function TimeLine({ moments }: { moments: readonly Moment[] }): JSX.Element {
  if (moments.length === 0) return <p class="faint">{t('incident.nothing')}</p>;
  return (
    <ol class="time-line">
      {moments.map((m, i) => (
        <li key={i} class={m.tone}>
          <time title={m.at}>{dateTime(m.at)}</time>
          {m.href ? <a href={m.href}>{m.what}</a> : <b>{m.what}</b>}
          <small class="faint">{m.who}</small>
          {m.data !== undefined && (
            <details>
              <summary>{t('incident.data')}</summary>
              <pre>{JSON.stringify(m.data, null, 2)}</pre>
            </details>
          )}
        </li>
      ))}
    </ol>
  );
}
