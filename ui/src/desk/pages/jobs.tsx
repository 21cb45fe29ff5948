// SPDX-License-Identifier: GPL-3.0-or-later
import type { JSX } from 'preact';
import { Empty, LinkButton } from '../../shared/components/base';
import { ago, dateTime, elapsed, percent } from '../../shared/format';
import { api } from '../api';
import { useProgress } from '../live';
import { Failure, Skeletons } from '../notes';
import { ProgressBar, remainingText, waitingText } from '../progress';
import { useResource } from '../resource';
import { useWhile } from '../session';
import { StateBadge, stateWord } from '../state';
import { Table, type Column } from '../table';
import { t } from '../text';
import type { Job } from '../types';

const LIMIT = 1000;

// The work, not the queue: an older service says only when it began and ended.
export function jobWall(j: Job): number | null {
  if (j.worked_us !== null && j.worked_us !== undefined) return j.finished || j.worked_us > 0 ? j.worked_us : null;
  const end = j.finished ? Date.parse(j.finished) : NaN;
  return Number.isNaN(end) ? null : Math.max(0, (end - Date.parse(j.created)) * 1000);
}

// What people want to know of it: that it waits, or what became of the film.
export function jobState(j: Job, told: { at: number } | null): string {
  if (j.state === 'running') return waitingText(j, told) === null ? 'running' : 'waiting';
  const end = (j.result as { state?: string } | null)?.state;
  return j.state === 'done' && (end === 'refused' || end === 'review') ? end : j.state;
}

export function JobsPage(): JSX.Element {
  const all = useResource('jobs', (s) => api.jobs(null, LIMIT, s), ['job/', 'delivery/']);
  const films = useResource('deliveries', api.deliveries);
  const progress = useProgress();
  useWhile((all.value ?? []).some((j) => j.state === 'running'), all.reload);
  if (all.error && !all.value)
    return (
      <div class="page">
        <Failure of={all} />
      </div>
    );
  if (!all.value) return <Skeletons />;
  const names = new Map((films.value ?? []).map((d) => [`delivery/${d.id}`, d.title ?? d.file_name]));
  const ratio = (j: Job): number => {
    const p = j.state === 'running' ? progress(j.id) : null;
    return j.state === 'done' ? 1 : p ? p.done_ppm / 1e6 : j.progress;
  };
  const left = (j: Job): string => {
    if (j.state !== 'running') return '';
    const waits = waitingText(j, progress(j.id));
    if (waits !== null) return waits;
    return remainingText(progress(j.id)?.remaining_us ?? j.remaining_us);
  };
  const state = (j: Job): string => jobState(j, progress(j.id));
  const columns: Column<Job>[] = [
    {
      id: 'subject',
      title: t('jobs.subject'),
      width: 'minmax(170px, 2fr)',
      sort: (j) => names.get(j.subject) ?? j.subject,
      cell: (j) => (
        <a class="name" href={`/desk/jobs/${j.id}`}>
          {names.get(j.subject) ?? j.subject}
        </a>
      ),
    },
    { id: 'workflow', title: t('jobs.workflow'), width: '100px', sort: (j) => j.workflow, cell: (j) => j.workflow, wide: true },
    { id: 'state', title: t('jobs.state'), width: '116px', sort: state, cell: (j) => <StateBadge state={state(j)} />, wide: true },
    {
      id: 'progress',
      title: t('jobs.progress'),
      width: 'minmax(220px, 1.6fr)',
      sort: ratio,
      descendingFirst: true,
      wide: true,
      cell: (j) =>
        j.state === 'failed' && j.error ? (
          <span class="clip wrong" title={j.error}>
            {j.error}
          </span>
        ) : (
          <span class="working">
            <ProgressBar ratio={ratio(j)} label={t('jobs.progress.of', { state: stateWord(state(j)) })} tone={state(j) === 'done' ? 'ok' : state(j) === 'running' ? 'info' : 'idle'} quiet />
            <small>{j.state === 'running' ? left(j) || percent(ratio(j)) : percent(ratio(j))}</small>
          </span>
        ),
    },
    { id: 'took', title: t('jobs.took'), width: '92px', end: true, wide: true, sort: jobWall, descendingFirst: true, cell: (j) => { const w = jobWall(j); return w === null ? '–' : elapsed(w); } },
    { id: 'created', title: t('jobs.created'), width: '104px', end: true, sort: (j) => Date.parse(j.created), descendingFirst: true, cell: (j) => <time dateTime={j.created} title={dateTime(j.created)}>{ago(j.created)}</time> },
  ];
  return (
    <div class="page full">
      <header class="head">
        <h1>{t('jobs')}</h1>
      </header>
      {all.error && <Failure of={all} />}
      <Table
        name={t('jobs')}
        rows={all.value}
        columns={columns}
        rowKey={(j) => j.id}
        href={(j) => `/desk/jobs/${j.id}`}
        sort="-created"
        partial={all.value.length >= LIMIT ? t('table.newest', { count: LIMIT }) : null}
        fields={(j) => ({ subject: names.get(j.subject) ?? j.subject, workflow: j.workflow, state: state(j), id: j.id, error: j.error })}
        facets={[{ key: 'state', label: t('jobs.state'), values: ['running', 'waiting', 'done', 'refused', 'review', 'failed', 'cancelled'].map((v) => ({ value: v, label: stateWord(v) })) }]}
        second={(j) => (
          <span class="working">
            <StateBadge state={state(j)} />
            {state(j) === 'running' && <ProgressBar ratio={ratio(j)} label={t('jobs.progress')} quiet />}
            <small>{left(j)}</small>
          </span>
        )}
        empty={
          <Empty icon="jobs" title={t('jobs.empty')}>
            <p>{t('jobs.empty.text')}</p>
            <LinkButton kind="outline" href="/desk/ingest">
              {t('jobs.empty.go')}
            </LinkButton>
          </Empty>
        }
      />
    </div>
  );
}

