// SPDX-License-Identifier: GPL-3.0-or-later
//
// What was run about an incident, or waits for a person; its answer and what it printed on demand.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button, Status, type Tone } from '../../shared/components/base';
import { ago, dateTime } from '../../shared/format';
import { api } from '../api';
import { Confirm } from '../confirm';
import { toastError } from '../notes';
import { useResource } from '../resource';
import { t, type TextKey } from '../text';
import type { Run } from '../types';

const tones: Record<string, Tone> = {
  waiting: 'warning', queued: 'idle', running: 'info', done: 'ok', failed: 'error', refused: 'idle', expired: 'idle', cancelled: 'idle',
};

const words: Record<string, TextKey> = {
  queued: 'run.queued', running: 'run.running', done: 'run.done', cancelled: 'run.cancelled',
  failed: 'incident.failed', refused: 'incident.refused', expired: 'incident.expired',
};

// `subject`: "treatment/<id>", "alert/<id>"; null: of all those that wait for a person.
export function Runs({ subject }: { subject: string | null }): JSX.Element | null {
  const runs = useResource(`runs/${subject ?? ''}`, (s) => (subject ? api.runs(subject, s) : api.runsWaiting(s)), ['run/']);
  if (!runs.value || runs.value.length === 0) return null;
  return (
    <section>
      <h2 class="section">{t(subject ? 'runs.of' : 'incident.waiting')}</h2>
      <ul class="incident-list">
        {runs.value.map((r) => (
          <Row key={r.id} run={r} reload={runs.reload} />
        ))}
      </ul>
    </section>
  );
}

function Row({ run, reload }: { run: Run; reload: () => void }): JSX.Element {
  const [asked, setAsked] = useState(false);
  const act = (how: 'refuse' | 'cancel'): void => {
    api.decideRun(run.id, how).then(reload, toastError);
  };
  const tone = run.state === 'done' && run.status === 'attention' ? 'warning' : tones[run.state] ?? 'idle';
  return (
    <li class="run">
      <Status tone={tone} icon={tone === 'error' ? 'error' : tone === 'ok' ? 'ok' : tone === 'warning' ? 'warning' : 'info'}>
        {t(words[run.state] ?? 'incident.waiting')}
      </Status>
      <span class="said">
        <b>{run.runbook}</b>
        <small class="faint clip">{run.summary ?? run.error ?? run.target}</small>
      </span>
      <time class="faint" title={dateTime(run.created)}>
        {ago(run.created)}
      </time>
      {run.state === 'waiting' && (
        <>
          <Button size="small" kind="primary" onClick={() => setAsked(true)}>
            {t('incident.approve')}
          </Button>
          <Button size="small" kind="outline" onClick={() => act('refuse')}>
            {t('incident.refuse')}
          </Button>
        </>
      )}
      {run.state === 'running' && (
        <Button size="small" kind="outline" onClick={() => act('cancel')}>
          {t('run.cancel')}
        </Button>
      )}
      {run.attempts > 0 && <Output id={run.id} />}
      {asked && (
        <Confirm
          title={t('run.approve.title', { runbook: run.runbook })}
          act={t('incident.approve')}
          danger
          onAct={async () => {
            await api.decideRun(run.id, 'approve');
            reload();
          }}
          onClose={() => setAsked(false)}
        >
          <p>{t('run.approve.text', { runbook: run.runbook, target: run.target })}</p>
        </Confirm>
      )}
    </li>
  );
}

function Output({ id }: { id: string }): JSX.Element {
  const [open, setOpen] = useState(false);
  const run = useResource(open ? `run/${id}` : null, (s) => api.run(id, s), [`run/${id}`]);
  return (
    <details class="run-output" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{t('run.output')}</summary>
      {(run.value?.tries ?? []).map((one) => (
        <div key={one.attempt}>
          <p class="faint">{t('run.attempt', { n: one.attempt, outcome: one.reason ?? one.outcome })}</p>
          {one.stdout && <pre class="forensics">{one.stdout}</pre>}
          {one.stderr && <pre class="forensics">{one.stderr}</pre>}
        </div>
      ))}
    </details>
  );
}
