// SPDX-License-Identifier: GPL-3.0-or-later
//
// States as people read them: one shape, one word, one colour each, everywhere the same.

import type { JSX } from 'preact';
import { Icon, type IconName } from '../shared/components/icons';
import { t, type TextKey } from './text';
import type { Severity, Verdict } from './types';

type Tone = 'ok' | 'info' | 'warning' | 'error' | 'idle';

const states: Record<string, { icon: IconName; tone: Tone; text: TextKey }> = {
  // deliveries
  received: { icon: 'waiting', tone: 'idle', text: 'state.received' },
  inspected: { icon: 'running', tone: 'info', text: 'state.inspected' },
  published: { icon: 'ok', tone: 'ok', text: 'state.published' },
  refused: { icon: 'error', tone: 'error', text: 'state.refused' },
  review: { icon: 'warning', tone: 'warning', text: 'state.review' },
  // jobs and steps
  waiting: { icon: 'waiting', tone: 'idle', text: 'state.waiting' },
  running: { icon: 'running', tone: 'info', text: 'state.running' },
  done: { icon: 'ok', tone: 'ok', text: 'state.done' },
  failed: { icon: 'error', tone: 'error', text: 'state.failed' },
  cancelled: { icon: 'cancelled', tone: 'idle', text: 'state.cancelled' },
  planned: { icon: 'planned', tone: 'idle', text: 'state.planned' },
  // findings
  open: { icon: 'flag', tone: 'warning', text: 'state.open' },
  waived: { icon: 'flag', tone: 'idle', text: 'state.waived' },
  fixed: { icon: 'ok', tone: 'ok', text: 'state.fixed' },
  superseded: { icon: 'cancelled', tone: 'idle', text: 'state.superseded' },
  // requests
  answered: { icon: 'ok', tone: 'ok', text: 'state.answered' },
  closed: { icon: 'ok', tone: 'idle', text: 'state.closed' },
  // titles
  unpublished: { icon: 'planned', tone: 'idle', text: 'state.unpublished' },
  withdrawn: { icon: 'cancelled', tone: 'idle', text: 'state.withdrawn' },
};

export function stateWord(state: string): string {
  const known = states[state];
  return known ? t(known.text) : state;
}

export function StateBadge({ state }: { state: string }): JSX.Element {
  const known = states[state] ?? { icon: 'planned' as const, tone: 'idle' as const };
  return (
    <span class={`status ${known.tone}`} data-state={state}>
      <Icon name={known.icon} />
      {stateWord(state)}
    </span>
  );
}

export function stateIcon(state: string): IconName {
  return states[state]?.icon ?? 'waiting';
}

const severities: Record<Severity, { icon: IconName; tone: Tone; text: TextKey; rank: number }> = {
  error: { icon: 'error', tone: 'error', text: 'severity.error', rank: 2 },
  warning: { icon: 'warning', tone: 'warning', text: 'severity.warning', rank: 1 },
  info: { icon: 'info', tone: 'info', text: 'severity.info', rank: 0 },
};

export function severityRank(s: Severity): number {
  return severities[s]?.rank ?? 0;
}

export function SeverityBadge({ severity, bare }: { severity: Severity; bare?: boolean }): JSX.Element {
  const s = severities[severity] ?? severities.info;
  return (
    <span class={`status ${s.tone}`}>
      <Icon name={s.icon} />
      <span class={bare ? 'visually-hidden' : ''}>{t(s.text)}</span>
    </span>
  );
}

const verdicts: Record<Verdict, { icon: IconName; tone: Tone; text: TextKey }> = {
  accept: { icon: 'ok', tone: 'ok', text: 'verdict.accept' },
  review: { icon: 'warning', tone: 'warning', text: 'verdict.review' },
  refuse: { icon: 'error', tone: 'error', text: 'verdict.refuse' },
};

export function VerdictBadge({ verdict }: { verdict: Verdict | null }): JSX.Element {
  const v = verdict ? verdicts[verdict] : undefined;
  if (!v) return <span class="faint">–</span>;
  return (
    <span class={`status ${v.tone}`}>
      <Icon name={v.icon} />
      {t(v.text)}
    </span>
  );
}

// A finding's kind in words: what the catalogue knows, otherwise its own snake_case read aloud.
export function kindWord(kind: string): string {
  const key = `kind.${kind}`;
  const text = t(key as TextKey);
  if (text !== key) return text;
  const words = kind.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
