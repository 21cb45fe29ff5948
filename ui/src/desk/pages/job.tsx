// SPDX-License-Identifier: GPL-3.0-or-later
//
// One job: how far, what of, what each step took, what it wrote.

import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Button, LinkButton, Note } from '../../shared/components/base';
import { ago, bytes, dateTime, elapsed, percent } from '../../shared/format';
import { useQueryWord } from '../../shared/router';
import { api } from '../api';
import { Confirm } from '../confirm';
import { DagView } from '../dag_view';
import { EventLine } from '../events';
import { useProgress } from '../live';
import { LogView } from '../log_view';
import { Failure, Skeletons, toastUndo } from '../notes';
import { ProgressBar, remainingText, waitingText } from '../progress';
import { useResource } from '../resource';
import { StateBadge } from '../state';
import { SubjectLink } from '../subject';
import { t } from '../text';
import type { Job, Step } from '../types';
import { jobState, jobWall } from './jobs';

const sum = (steps: readonly Step[], of: (s: Step) => number | null): number => steps.reduce((n, s) => n + (of(s) ?? 0), 0);

export function JobPage({ id }: { id: string }): JSX.Element {
  const job = useResource(`job/${id}`, (s) => api.job(id, s), [`job/${id}`]);
  const subject = job.value?.subject ?? '';
  const film = useResource(
    subject.startsWith('delivery/') ? `delivery/${subject.slice(9)}` : null,
    (s) => api.delivery(subject.slice(9), s),
  );
  const [type, setType] = useQueryWord('type');
  const [step, setStep] = useQueryWord('step');
  const [asking, setAsking] = useState<'cancel' | 'rerun' | null>(null);
  const live = useProgress();
  const running = job.value?.state === 'running';

  // Steps begin and end between two facts of the job: their states are asked for while it runs.
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(job.reload, 2_000);
    return () => clearInterval(timer);
  }, [running]);

  if (!job.value)
    return job.error ? (
      <div class="page">
        <Failure of={job} />
      </div>
    ) : (
      <Skeletons shape="page" />
    );
  const j = job.value;
  const steps = j.steps ?? [];
  const p = running ? live(id) : null;
  const ratio = j.state === 'done' ? 1 : p ? p.done_ppm / 1e6 : j.progress;
  const waits = running ? waitingText(j, p) : null;
  const left = running ? (waits ?? remainingText(p?.remaining_us ?? j.remaining_us)) : '';
  const state = jobState(j, p);
  const wall = jobWall(j);
  const name = film.value?.title ?? film.value?.file_name ?? null;
  const chosen = steps.find((s) => s.name === step) ?? null;
  const shown = type === '' ? steps : steps.filter((s) => s.type === type);

  const rerun = async (): Promise<void> => {
    await api.rerun(id);
    job.reload();
    toastUndo(t('job.rerun.done'), () => api.cancel(id).then(job.reload));
  };
  const cancel = async (): Promise<void> => {
    await api.cancel(id);
    job.reload();
    toastUndo(t('job.cancel.done'), () => api.rerun(id).then(job.reload));
  };

  return (
    <div class="page">
      <header class="head tall">
        <div>
          <p class="crumb">
            <a href="/desk/jobs">{t('nav.jobs')}</a> / <code>{id.slice(-12)}</code>
          </p>
          <h1>
            {j.workflow}
            {name ? ` · ${name}` : ''}
          </h1>
          <p class="facts-line">
            <StateBadge state={state} />
            <SubjectLink subject={j.subject} name={name} />
            <span>
              {t('job.began')} <time title={dateTime(j.created)}>{ago(j.created)}</time>
            </span>
            {wall !== null && <span>{t('job.took', { time: elapsed(wall) })}</span>}
            <span>{t('job.cpu', { time: elapsed(sum(steps, (s) => s.cpu_us)) })}</span>
          </p>
        </div>
        <div class="acts">
          {running && (
            <Button kind="danger" size="small" icon="close" onClick={() => setAsking('cancel')}>
              {t('job.cancel')}
            </Button>
          )}
          {(j.state === 'failed' || j.state === 'cancelled') && (
            <Button kind="outline" size="small" icon="refresh" onClick={() => setAsking('rerun')}>
              {t('job.rerun')}
            </Button>
          )}
          {subject.startsWith('delivery/') && (
            <LinkButton kind="outline" size="small" href={`/desk/films/${subject.slice(9)}`}>
              {t('job.film')}
            </LinkButton>
          )}
        </div>
      </header>

      <div class="big-progress">
        <ProgressBar ratio={ratio} label={t('jobs.progress')} tone={state === 'done' ? 'ok' : j.state === 'failed' ? 'error' : state === 'running' ? 'info' : 'idle'} />
        <strong class="num">{percent(ratio)}</strong>
        <span class="num faint">{left}</span>
        <span class="num faint">{t('job.steps.count', { done: steps.filter((s) => s.state === 'done').length, n: steps.length })}</span>
      </div>
      {job.error && <Failure of={job} />}
      {j.state === 'failed' && j.error && <Note tone="error" what={j.error} hint={t('job.failed.hint')} />}
      {j.state === 'cancelled' && <Note tone="idle" what={t('job.cancelled')} hint={t('job.cancelled.hint')} />}

      <DagView
        steps={steps}
        graph={j.graph ?? []}
        finished={j.state === 'done'}
        chosen={type === '' ? null : type}
        onType={(x) => setType(x ?? '')}
        onStep={setStep}
        progress={(s) => {
          const q = live(id, s);
          return q ? q.done_ppm / 1e6 : null;
        }}
      />

      <div class={`split ${chosen ? 'open' : ''}`}>
        <section>
          <h2 class="section">
            {type === '' ? t('job.steps') : t('job.steps.of', { type })}
            {type !== '' && (
              <button type="button" class="button small quiet" onClick={() => setType('')}>
                {t('table.clear')}
              </button>
            )}
          </h2>
          <StepTable steps={shown} job={j} chosen={step} onChoose={(s) => setStep(s === step ? '' : s)} />
        </section>
        {chosen && (
          <aside>
            {chosen.error && <Note tone="error" what={chosen.error} />}
            <LogView key={chosen.name} job={id} step={chosen.name} running={chosen.state === 'running'} />
          </aside>
        )}
      </div>

      <EventLine subject={`job/${id}`} />

      {asking === 'cancel' && (
        <Confirm title={t('job.cancel.title')} act={t('job.cancel')} danger onAct={cancel} onClose={() => setAsking(null)}>
          <p>{t('job.cancel.text', { name: name ?? j.subject, n: steps.filter((s) => s.state === 'running').length })}</p>
        </Confirm>
      )}
      {asking === 'rerun' && (
        <Confirm title={t('job.rerun.title')} act={t('job.rerun')} onAct={rerun} onClose={() => setAsking(null)}>
          <p>{t('job.rerun.text', { name: name ?? j.subject, n: steps.filter((s) => s.state === 'failed').length })}</p>
        </Confirm>
      )}
    </div>
  );
}

function StepTable({ steps, job, chosen, onChoose }: { steps: readonly Step[]; job: Job; chosen: string; onChoose: (s: string) => void }): JSX.Element {
  const live = useProgress();
  const [sort, setSort] = useState<{ by: keyof Step; down: boolean } | null>(null);
  const sorted = useMemo(() => {
    if (!sort) return steps;
    const value = (s: Step): string | number => (s[sort.by] as string | number | null) ?? -1;
    return [...steps].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      return (x < y ? -1 : x > y ? 1 : 0) * (sort.down ? -1 : 1);
    });
  }, [steps, sort]);
  const head = (by: keyof Step, text: string, end = false): JSX.Element => (
    <th class={end ? 'end' : ''} aria-sort={sort?.by === by ? (sort.down ? 'descending' : 'ascending') : undefined}>
      <button type="button" onClick={() => setSort(sort?.by === by ? (sort.down ? { by, down: false } : null) : { by, down: end })}>
        {text}
        {sort?.by === by ? (sort.down ? ' ↓' : ' ↑') : ''}
      </button>
    </th>
  );
  if (steps.length === 0) return <p class="faint">{t('job.steps.none')}</p>;
  return (
    <div class="scroll-x">
      <table class="plain steps">
        <thead>
          <tr>
            {head('name', t('step.name'))}
            {head('state', t('step.state'))}
            {head('attempts', t('step.attempts'), true)}
            {head('cpu_us', t('step.cpu'), true)}
            {head('wall_us', t('step.wall'), true)}
            {head('max_rss_bytes', t('step.memory'), true)}
            <th>{t('step.log')}</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((s) => {
            const p = s.state === 'running' ? live(job.id, s.name) : null;
            return (
              <tr key={s.name} class={s.name === chosen ? 'at' : ''} onClick={() => onChoose(s.name)}>
                <td>
                  <code>{s.name}</code>
                </td>
                <td>
                  {s.state === 'running' ? (
                    <span class="working">
                      <StateBadge state="running" />
                      <ProgressBar ratio={p ? p.done_ppm / 1e6 : s.progress} label={s.name} quiet />
                      <small>{p ? remainingText(p.remaining_us) || percent(p.done_ppm / 1e6) : percent(s.progress)}</small>
                    </span>
                  ) : (
                    <>
                      <StateBadge state={s.state} />
                      {s.reused && <span class="tag">{t('step.reused')}</span>}
                      {s.error && (
                        <span class="wrong clip" title={s.error}>
                          {s.error}
                        </span>
                      )}
                    </>
                  )}
                </td>
                <td class="end">{s.attempts}</td>
                <td class="end">{s.cpu_us === null ? '–' : elapsed(s.cpu_us)}</td>
                <td class="end">{s.wall_us === null ? '–' : elapsed(s.wall_us)}</td>
                <td class="end">{s.max_rss_bytes === null || s.max_rss_bytes === 0 ? '–' : bytes(s.max_rss_bytes)}</td>
                <td>
                  {s.log ? (
                    <button type="button" class="button small quiet" aria-pressed={s.name === chosen} aria-label={t('log.of', { step: s.name })} onClick={(e) => { e.stopPropagation(); onChoose(s.name); }}>
                      {t('step.log.open')}
                    </button>
                  ) : (
                    <span class="faint">–</span>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

