// SPDX-License-Identifier: GPL-3.0-or-later
//
// "delivery/<id>", "job/<id>": what events and findings are about, as a link where there is a page.

import type { JSX } from 'preact';
import { t, type TextKey } from './text';

const pages: Record<string, string> = { delivery: 'films', job: 'jobs', title: 'titles', request: 'requests' };

export function subjectHref(subject: string): string | null {
  const [noun = '', id] = subject.split('/');
  const page = pages[noun];
  return page && id ? `/desk/${page}/${encodeURIComponent(id)}` : null;
}

export function subjectWord(subject: string, name?: string | null): string {
  const [noun = '', id = ''] = subject.split('/');
  const known = noun in pages || noun === 'user' || noun === 'shell';
  const word = known ? t(`subject.${noun}` as TextKey) : noun;
  return `${word} ${name ?? (noun === 'shell' ? id : id.slice(-8))}`;
}

/** Who did it, where no name came with it. */
export const actorWord = (actor: string): string => (actor === 'system' ? t('events.system') : subjectWord(actor));

export function SubjectLink({ subject, name }: { subject: string; name?: string | null }): JSX.Element {
  const to = subjectHref(subject);
  const text = name ?? subjectWord(subject);
  return to ? (
    <a class="link" href={to} title={subject}>
      {text}
    </a>
  ) : (
    <span title={subject}>{text}</span>
  );
}
