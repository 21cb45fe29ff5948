// SPDX-License-Identifier: GPL-3.0-or-later
//
// What happened to a thing, as a line of time: newest last, who and what led to it.

import type { JSX } from 'preact';
import { dateTime, ago } from '../shared/format';
import type { CloudEvent } from '../shared/sse';
import { api } from './api';
import { Failure } from './notes';
import { useResource } from './resource';
import { useMayOperate, useSession } from './session';
import { SubjectLink } from './subject';
import { t, type TextKey } from './text';

const LIMIT = 200;

export function eventWord(type: string): string {
  const stem = type.replace(/\.v\d+$/, '');
  const key = `event.${stem}`;
  const text = t(key as TextKey);
  if (text !== key) return text;
  const words = stem.replaceAll('.', ' ').replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function details(e: CloudEvent): string {
  const d = e.data ?? {};
  const parts: string[] = [];
  for (const [k, v] of Object.entries(d)) {
    const words = Array.isArray(v) && v.every((x) => typeof x === 'string') ? v.join(', ') || '–' : v;
    if (words === null || words === '' || typeof words === 'object' || /(^|_)id$/.test(k)) continue;
    parts.push(`${k.replaceAll('_', ' ')} ${String(words)}`);
    if (parts.length === 4) break;
  }
  return parts.join(' · ');
}

export function EventLine({ subject }: { subject: string }): JSX.Element | null {
  const operate = useMayOperate();
  const me = `user/${useSession().user.id}`;
  const events = useResource(operate ? `history/${subject}` : null, (s) => api.history(subject, LIMIT, s), [subject]);
  if (!operate) return null;
  return (
    <section>
      <h2 class="section">{t('events')}</h2>
      <Failure of={events} />
      {events.value?.length === 0 && <p class="faint">{t('events.none')}</p>}
      {events.value && events.value.length > 0 && (
        <ol class="events">
          {events.value.map((e) => (
            <li key={e.id}>
              <time dateTime={e.time} title={e.time ? ago(e.time) : ''}>
                {e.time ? dateTime(e.time) : ''}
              </time>
              <div>
                <strong title={e.type}>{eventWord(e.type)}</strong>
                <span class="faint">{details(e)}</span>
              </div>
              <span class="faint actor">{e.actor === me ? t('events.you') : e.actor && e.actor !== 'system' ? <SubjectLink subject={e.actor} name={e.actor_name} /> : t('events.system')}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
