// SPDX-License-Identifier: GPL-3.0-or-later
//
// All deliveries: what came, from whom, how far it is.

import type { JSX } from 'preact';
import { LinkButton } from '../../shared/components/base';
import { ago, bytes, dateTime, percent } from '../../shared/format';
import { api } from '../api';
import { useProgress } from '../live';
import { Failure, Skeletons } from '../notes';
import { usePartnerName } from '../partner';
import { ProgressBar, remainingText, waitingText } from '../progress';
import { useResource } from '../resource';
import { useMayOperate, useWhile } from '../session';
import { StateBadge, VerdictBadge } from '../state';
import { Table, type Column } from '../table';
import { FilePick, IngestEmpty } from './ingest';
import { t } from '../text';
import type { Delivery } from '../types';

const ENDED = new Set(['published', 'refused', 'review', 'failed', 'cancelled', 'withdrawn']);

export function FilmsPage(): JSX.Element {
  const all = useResource('deliveries', api.deliveries, ['delivery/', 'title/', 'request/', 'job/']);
  const progress = useProgress();
  const partner = usePartnerName();
  const operate = useMayOperate();
  useWhile((all.value ?? []).some((d) => !ENDED.has(d.state)), all.reload);
  if (all.error && !all.value)
    return (
      <div class="page">
        <Failure of={all} />
      </div>
    );
  if (!all.value) return <Skeletons />;

  const state = (d: Delivery): JSX.Element => {
    const p = d.job_id && !ENDED.has(d.state) ? progress(d.job_id) : null;
    const waits = ENDED.has(d.state) ? null : waitingText(d, p);
    if (waits !== null)
      return (
        <span class="working">
          <StateBadge state="waiting" />
          {d.waits_behind ? <small>{waits}</small> : null}
        </span>
      );
    if (!p) return <StateBadge state={d.state} />;
    return (
      <span class="working">
        <StateBadge state={d.state} />
        <ProgressBar ratio={p.done_ppm / 1e6} label={t('films.progress', { name: d.title ?? d.file_name })} quiet />
        <small>{remainingText(p.remaining_us) || percent(p.done_ppm / 1e6)}</small>
      </span>
    );
  };
  const columns: Column<Delivery>[] = [
    {
      id: 'title',
      title: t('films.title'),
      width: 'minmax(160px, 2.2fr)',
      sort: (d) => d.title ?? d.file_name,
      cell: (d) => (
        <a class="name" href={`/desk/films/${d.id}`}>
          {d.title ?? d.file_name}
        </a>
      ),
    },
    { id: 'state', title: t('films.state'), width: 'minmax(240px, 1.2fr)', sort: (d) => d.state, cell: state, wide: true },
    { id: 'verdict', title: t('films.verdict'), width: '104px', sort: (d) => d.verdict, cell: (d) => <VerdictBadge verdict={d.verdict} />, wide: true },
    { id: 'file', title: t('films.file'), width: 'minmax(140px, 1.6fr)', sort: (d) => d.file_name, cell: (d) => <span class="faint clip" title={d.file_name}>{d.file_name}</span>, wide: true },
    { id: 'partner', title: t('films.partner'), width: 'minmax(110px, 1.1fr)', sort: partner, cell: (d) => <span class="clip">{partner(d) ?? <span class="faint">–</span>}</span>, wide: true },
    { id: 'bytes', title: t('films.bytes'), width: '88px', end: true, sort: (d) => d.bytes, descendingFirst: true, cell: (d) => bytes(d.bytes), wide: true },
    {
      id: 'received',
      title: t('films.received'),
      width: '108px',
      end: true,
      sort: (d) => Date.parse(d.received),
      descendingFirst: true,
      cell: (d) => <time dateTime={d.received} title={dateTime(d.received)}>{ago(d.received)}</time>,
    },
  ];
  return (
    <div class="page full">
      <header class="head">
        <h1>{t('films')}</h1>
        <FilePick />
      </header>
      {all.error && <Failure of={all} />}
      <Table
        name={t('films')}
        rows={all.value}
        columns={operate ? columns : columns.filter((c) => c.id !== 'partner')}
        rowKey={(d) => d.id}
        href={(d) => `/desk/films/${d.id}`}
        sort="-received"
        fields={(d) => ({ title: d.title, file: d.file_name, state: d.state, verdict: d.verdict, partner: partner(d), id: d.id, hash: d.hash })}
        facets={[
          { key: 'state', label: t('films.state'), values: ['received', 'inspected', 'published', 'review', 'refused', 'failed'].map((v) => ({ value: v, label: t(`state.${v}` as 'state.done') })) },
          { key: 'verdict', label: t('films.verdict'), values: (['accept', 'review', 'refuse'] as const).map((v) => ({ value: v, label: t(`verdict.${v}`) })) },
        ]}
        second={(d) => (
          <>
            {state(d)} <span class="faint">· {bytes(d.bytes)}</span>
          </>
        )}
        empty={
          <IngestEmpty>
            <LinkButton kind="quiet" href="/desk/ingest">
              {t('films.empty.more')}
            </LinkButton>
          </IngestEmpty>
        }
      />
    </div>
  );
}
