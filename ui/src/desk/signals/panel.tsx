// SPDX-License-Identifier: GPL-3.0-or-later
//
// One question, its chart, and its lines in words: what a dashboard is made of.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useResource } from '../resource';
import { Failure, Skeletons } from '../notes';
import { t } from '../text';
import { askGraph, graphUrl, short, statsOf, type Answer } from './answer';
import { Chart, colorOf } from './chart';
import { spanMs, spanOf, type Span } from './span';

export interface PanelProps {
  title: string;
  question: string;
  span: Span;
  now: number;
  onSpan: (next: Span) => void;
  stacked?: boolean;
  unit?: string;
  height?: number;
  lines?: boolean; // with the table of lines
  children?: ComponentChildren;
}

const WIDTH = 720; // points a chart can show: the store consolidates to fewer

export function Panel(p: PanelProps): JSX.Element {
  const range = spanMs(p.span, p.now)!;
  const shown = useResource<Answer>(`graph/${p.question}/${p.span.s}/${p.span.e}`, (signal) => askGraph(p.question, p.span, WIDTH, signal));
  useEffect(() => {
    if (shown.value) shown.reload();
  }, [p.now]);
  const [lit, setLit] = useState<number | null>(null);
  const answer = shown.value;
  return (
    <section class="panel" aria-label={p.title}>
      <header>
        <h2 class="clip" title={p.question}>
          {p.title}
        </h2>
        <div class="acts">
          {p.children}
          {['png', 'csv', 'json'].map((format) => (
            <a key={format} class="link faint" href={graphUrl(p.question, p.span, format)} target="_blank" rel="noreferrer">
              {format.toUpperCase()}
            </a>
          ))}
        </div>
      </header>
      {shown.error && <Failure of={shown} />}
      {!answer && !shown.error && <Skeletons rows={4} />}
      {answer && answer.lines.length === 0 && <p class="faint nothing">{t('signals.nothing')}</p>}
      {answer && answer.lines.length > 0 && (
        <Chart
          answer={answer}
          stacked={p.stacked}
          unit={p.unit}
          height={p.height}
          lit={lit}
          start={range.start}
          end={range.end}
          label={t('signals.chart', { title: p.title, n: answer.lines.length })}
          onRange={(from, to) => p.onSpan(spanOf(from, to))}
        />
      )}
      {answer && p.lines !== false && answer.lines.length > 0 && <Lines answer={answer} unit={p.unit} onLit={setLit} />}
    </section>
  );
}

const SHOWN = 100;

function Lines({ answer, unit, onLit }: { answer: Answer; unit?: string; onLit: (index: number | null) => void }): JSX.Element {
  const columns = ['last', 'avg', 'min', 'max'] as const;
  return (
    <div class="lines-box">
      <table class="lines">
        <thead>
          <tr>
            <th>{t('signals.line')}</th>
            {columns.map((c) => (
              <th key={c} class="end">
                {t(c === 'last' ? 'signals.last_value' : `signals.${c}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody onMouseLeave={() => onLit(null)}>
          {answer.lines.slice(0, SHOWN).map((line, i) => {
            const stats = statsOf(line.values);
            return (
              <tr key={line.label} onMouseEnter={() => onLit(i)}>
                <th scope="row">
                  <i style={{ background: colorOf(i) }} aria-hidden="true" />
                  <span class="clip" title={line.label}>
                    {line.label}
                  </span>
                </th>
                {columns.map((c) => (
                  <td key={c} class="end num">
                    {short(stats[c], unit)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
      {answer.lines.length > SHOWN && <p class="faint">{t('signals.more_lines', { n: answer.lines.length - SHOWN })}</p>}
    </div>
  );
}
