// SPDX-License-Identifier: GPL-3.0-or-later
//
// The explorer: from a name to its tags to a chart, and the question that this is, for who wants to write it.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button, Empty } from '../../shared/components/base';
import { useQueryWord } from '../../shared/router';
import { useSettled } from '../../shared/use';
import { Failure, Skeletons } from '../notes';
import { resourceStale, useResource } from '../resource';
import { askKeys, askValues, type Names } from '../signals/answer';
import { SpanBar, useNow, useSpan } from '../signals/bar';
import { Panel } from '../signals/panel';
import { choiceOf, HOWS, matchOf, questionOf, toggled, toggledBy, type Choice } from '../signals/question';
import { isLive } from '../signals/span';
import { t } from '../text';

export function SignalsPage(): JSX.Element {
  const [question, setQuestion] = useQueryWord('q');
  const [stacked, setStacked] = useQueryWord('stack');
  const [span, setSpan] = useSpan();
  const now = useNow(isLive(span));
  const choice = choiceOf(question);
  return (
    <div class="page full signals">
      <header class="head">
        <h1>{t('nav.signals')}</h1>
        <a class="link" href="/desk/dashboards">
          {t('dashboards')}
        </a>
        <SpanBar span={span} onSpan={setSpan} />
      </header>
      <div class="explorer">
        <NameList chosen={choice?.name ?? null} onChoose={(name) => setQuestion(questionOf({ name, where: [], how: choice?.how ?? 'sum', by: [] }))} />
        <div class="answer">
          <Question text={question} onText={setQuestion} />
          {choice && <Tags choice={choice} onChoice={(c) => setQuestion(questionOf(c))} />}
          {question === '' ? (
            <Empty icon="signal" title={t('signals.empty')}>
              <p>{t('signals.empty.text')}</p>
            </Empty>
          ) : (
            <Panel title={choice?.name ?? t('signals.own')} question={question} span={span} now={now} onSpan={setSpan} stacked={stacked === '1'} height={320}>
              <label class="tick-box">
                <input type="checkbox" checked={stacked === '1'} onChange={(e) => setStacked(e.currentTarget.checked ? '1' : '')} />
                {t('signals.stack')}
              </label>
            </Panel>
          )}
        </div>
      </div>
    </div>
  );
}

// Written by hand or by choosing; a mistake is the server's to name.
function Question({ text, onText }: { text: string; onText: (text: string) => void }): JSX.Element {
  const [draft, setDraft] = useState(text);
  useEffect(() => setDraft(text), [text]);
  return (
    <form
      class="question"
      onSubmit={(e) => {
        e.preventDefault();
        onText(draft.trim());
      }}
    >
      <label>
        <span class="visually-hidden">{t('signals.question')}</span>
        <input class="mono" value={draft} placeholder="name,marquee.http.requests,:eq,:sum,(,route,),:by" spellcheck={false} autocomplete="off" onInput={(e) => setDraft(e.currentTarget.value)} />
      </label>
      <Button type="submit" size="small" kind={draft.trim() === text ? 'outline' : 'primary'}>
        {t('signals.ask')}
      </Button>
    </form>
  );
}

// What means something in an expression or between words is any character there.
const literal = (text: string): string => text.replace(/[^-A-Za-z0-9_~^]/g, '.');

function NameList({ chosen, onChoose }: { chosen: string | null; onChoose: (name: string) => void }): JSX.Element {
  const [text, setText] = useState('');
  const settled = useSettled(text, 200);
  const match = settled === '' ? 'name,:has' : `name,.*${literal(settled)},:reic`;
  const names = useResource<Names>(`signals/names/${match}`, (signal) => askValues('name', match, signal));
  return (
    <nav class="names" aria-label={t('signals.names')}>
      <label>
        <span class="visually-hidden">{t('signals.find')}</span>
        <input type="search" value={text} placeholder={t('signals.find')} onInput={(e) => setText(e.currentTarget.value)} />
      </label>
      {names.error && <Failure of={names} />}
      {!names.value && !names.error && <Skeletons />}
      {names.value && names.value.list.length === 0 && (
        <p class="faint">
          {t(settled === '' ? 'signals.none' : 'signals.none.found')}{' '}
          <button type="button" class="link" onClick={() => resourceStale('signals/names')}>
            {t('retry')}
          </button>
        </p>
      )}
      <ul>
        {names.value?.list.map((name) => (
          <li key={name}>
            <button type="button" class="clip" title={name} aria-pressed={name === chosen} onClick={() => onChoose(name)}>
              {name}
            </button>
          </li>
        ))}
      </ul>
      {names.value?.more && <p class="faint">{t('signals.more')}</p>}
    </nav>
  );
}

function Tags({ choice, onChoice }: { choice: Choice; onChoice: (next: Choice) => void }): JSX.Element {
  const match = matchOf(choice, null);
  const keys = useResource<Names>(`signals/keys/${match}`, (signal) => askKeys(match, signal));
  const known = [...new Set([...(keys.value?.list ?? []), ...choice.by, ...choice.where.map(([k]) => k)])].sort();
  return (
    <div class="tags">
      <label class="facet">
        <span class="visually-hidden">{t('signals.how')}</span>
        <select value={choice.how} onChange={(e) => onChoice({ ...choice, how: e.currentTarget.value as Choice['how'] })}>
          {HOWS.map((h) => (
            <option key={h} value={h}>
              {t(`signals.how.${h}`)}
            </option>
          ))}
        </select>
      </label>
      {known.map((key) => (
        <TagKey key={key} name={key} choice={choice} onChoice={onChoice} />
      ))}
    </div>
  );
}

function TagKey({ name, choice, onChoice }: { name: string; choice: Choice; onChoice: (next: Choice) => void }): JSX.Element {
  const chosen = choice.where.filter(([k]) => k === name).map(([, v]) => v);
  const [open, setOpen] = useState(false);
  const match = matchOf(choice, name);
  const values = useResource<Names>(open ? `signals/values/${name}/${match}` : null, (signal) => askValues(name, `${match},${name},:has,:and`, signal));
  return (
    <details class={`tag-key ${chosen.length > 0 ? 'on' : ''}`} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>
        {name}
        {chosen.length > 0 && <b> {chosen.length === 1 ? chosen[0] : t('signals.chosen', { n: chosen.length })}</b>}
      </summary>
      <div class="tag-values">
        <label class="tick-box">
          <input type="checkbox" checked={choice.by.includes(name)} onChange={() => onChoice(toggledBy(choice, name))} />
          {t('signals.by')}
        </label>
        {values.error && <Failure of={values} />}
        {values.value?.list.map((v) => (
          <label key={v} class="tick-box">
            <input type="checkbox" checked={chosen.includes(v)} onChange={() => onChoice(toggled(choice, name, v))} />
            <span class="clip" title={v}>
              {v}
            </span>
          </label>
        ))}
        {values.value?.more && <p class="faint">{t('signals.more')}</p>}
      </div>
    </details>
  );
}

// The address of a question, from anywhere on the desk.
export const signalsHref = (question: string, s?: string, e?: string): string => {
  const query = new URLSearchParams({ q: question, ...(s ? { s } : {}), ...(e ? { e } : {}) });
  return `/desk/signals?${query}`;
};
