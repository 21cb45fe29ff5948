// SPDX-License-Identifier: GPL-3.0-or-later
//
// Dashboards are files that a person writes (YAML in the data folder); here they are looked at.

import type { JSX } from 'preact';
import { Empty } from '../../shared/components/base';
import { api } from '../api';
import { Failure, Skeletons } from '../notes';
import { useResource } from '../resource';
import { SpanBar, useNow, useSpan } from '../signals/bar';
import { Panel } from '../signals/panel';
import { isLive } from '../signals/span';
import { t } from '../text';
import { signalsHref } from './signals';

export function DashboardsPage(): JSX.Element {
  const all = useResource('dashboards', api.dashboards);
  if (all.error && !all.value)
    return (
      <div class="page">
        <Failure of={all} />
      </div>
    );
  if (!all.value) return <Skeletons />;
  return (
    <div class="page">
      <header class="head">
        <h1>{t('dashboards')}</h1>
        <a class="link" href="/desk/signals">
          {t('signals.explore')}
        </a>
      </header>
      {all.value.length === 0 ? (
        <Empty icon="signal" title={t('dashboards.empty')}>
          <p>{t('dashboards.empty.text')}</p>
        </Empty>
      ) : (
        <ul class="cards">
          {all.value.map((d) => (
            <li key={d.id}>
              <a href={`/desk/dashboards/${encodeURIComponent(d.id)}`}>
                <b>{d.title}</b>
                <small class="faint">{d.about ?? t('dashboards.graphs', { n: d.graphs })}</small>
                {d.error && <small class="wrong">{d.error}</small>}
              </a>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

export function DashboardPage({ id }: { id: string }): JSX.Element {
  const board = useResource(`dashboards/${id}`, (s) => api.dashboard(id, s));
  const [span, setSpan] = useSpan();
  const now = useNow(isLive(span));
  if (board.error && !board.value)
    return (
      <div class="page">
        <Failure of={board} />
      </div>
    );
  if (!board.value) return <Skeletons shape="page" />;
  return (
    <div class="page full board">
      <header class="head">
        <h1>{board.value.title}</h1>
        <a class="link" href="/desk/dashboards">
          {t('dashboards')}
        </a>
        <SpanBar span={span} onSpan={setSpan} />
      </header>
      {board.value.about && <p class="faint">{board.value.about}</p>}
      {board.value.rows.map((row) => (
        <section key={row.title} class="board-row">
          <h2 class="section">{row.title}</h2>
          <div class="panels">
            {row.graphs.map((g) => (
              <Panel key={g.title} title={g.title} question={g.q} span={span} now={now} onSpan={setSpan} stacked={g.stack} unit={g.unit ?? undefined} height={190} lines={false}>
                <a class="link faint" href={signalsHref(g.q, span.s, span.e)}>
                  {t('signals.explore')}
                </a>
              </Panel>
            ))}
          </div>
        </section>
      ))}
    </div>
  );
}
