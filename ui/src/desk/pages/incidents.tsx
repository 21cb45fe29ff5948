// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is wrong now and what is done about it: alerts, and servers that are unlike their peers.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button, Empty, Status, type Tone } from '../../shared/components/base';
import { ago, dateTime } from '../../shared/format';
import { api } from '../api';
import { Confirm } from '../confirm';
import { Failure, Skeletons, toastError } from '../notes';
import { ClusterPlot } from '../incident/plot';
import { RelatedSignals } from '../incident/related';
import { Runs } from '../incident/runs';
import { alertMoments, momentsOf, TimeLine, treatmentMoments } from '../incident/time_line';
import { useResource } from '../resource';
import { short } from '../signals/answer';
import { actorWord } from '../subject';
import { t, type TextKey } from '../text';
import type { Alert, Evidence, Treatment } from '../types';

const tones: Record<string, Tone> = {
  firing: 'error', pending: 'warning', no_data: 'warning', acknowledged: 'info', resolved: 'ok',
  held: 'warning', waiting: 'warning', acting: 'info', done: 'ok', out: 'info', restored: 'ok', undone: 'ok', stuck: 'error', failed: 'error', expired: 'idle', refused: 'idle',
};
const word = (state: string): string => t(`incident.${state}` as TextKey);

function State({ state }: { state: string }): JSX.Element {
  return (
    <Status tone={tones[state] ?? 'idle'} icon={tones[state] === 'error' ? 'error' : tones[state] === 'ok' ? 'ok' : tones[state] === 'warning' ? 'warning' : 'info'}>
      {word(state)}
    </Status>
  );
}

const tagText = (tags: Record<string, string>): string =>
  Object.entries(tags)
    .filter(([k]) => k !== 'name')
    .map(([k, v]) => `${k}=${v}`)
    .join(' ');

export function IncidentsPage(): JSX.Element {
  const alerts = useResource('alerts', api.alerts, ['alert/']);
  const ended = useResource('alerts/ended', api.alertsEnded, ['alert/']);
  const actions = useResource('actions', api.actions, ['treatment/']);
  if ((alerts.error && !alerts.value) || (actions.error && !actions.value))
    return (
      <div class="page">
        <Failure of={alerts.error ? alerts : actions} />
      </div>
    );
  if (!alerts.value || !actions.value) return <Skeletons />;
  const quiet = alerts.value.length === 0 && actions.value.length === 0;
  return (
    <div class="page incidents">
      <header class="head">
        <h1>{t('nav.incidents')}</h1>
        <AuditMark />
      </header>
      {quiet && (
        <Empty icon="ok" title={t('incidents.quiet')}>
          <p>{t('incidents.quiet.text')}</p>
        </Empty>
      )}
      <Runs subject={null} />
      {alerts.value.length > 0 && (
        <section>
          <h2 class="section">{t('incidents.alerts', { n: alerts.value.length })}</h2>
          <ul class="incident-list">
            {alerts.value.map((a) => (
              <AlertRow key={a.id} alert={a} reload={alerts.reload} />
            ))}
          </ul>
        </section>
      )}
      {actions.value.length > 0 && (
        <section>
          <h2 class="section">{t('incidents.servers')}</h2>
          <ul class="incident-list">
            {actions.value.map((x) => (
              <li key={x.id}>
                <State state={x.state} />
                <a class="name" href={`/desk/incidents/${x.id}`}>
                  {x.server}
                </a>
                <span class="faint clip">{x.why ?? t(`action.${x.action}` as TextKey)}</span>
                <time class="faint" title={dateTime(x.created)}>
                  {ago(x.created)}
                </time>
              </li>
            ))}
          </ul>
        </section>
      )}
      {ended.value && ended.value.length > 0 && (
        <section>
          <h2 class="section">{t('incidents.ended')}</h2>
          <ul class="incident-list">
            {ended.value.map((a) => (
              <AlertRow key={a.id} alert={a} reload={ended.reload} />
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function AlertRow({ alert, reload }: { alert: Alert; reload: () => void }): JSX.Element {
  const ack = (): void => {
    api.ack(alert.id, t('incident.ack.why')).then(reload, toastError);
  };
  const at = alert.resolved ?? alert.fired ?? alert.since;
  return (
    <li class="alert">
      <State state={alert.state} />
      <span class="said">
        <a class="name" href={`/desk/alerts/${alert.id}`}>
          {alert.summary || alert.rule}
        </a>
        <small class="faint">{[tagText(alert.tags) || alert.rule, alert.acknowledged_by && t('incident.acked', { who: alert.acknowledged_by_name ?? actorWord(alert.acknowledged_by) })].filter(Boolean).join(' · ')}</small>
      </span>
      <span class="num end">{short(alert.value)}</span>
      <time class="faint" title={dateTime(at)}>
        {ago(at)}
      </time>
      {alert.state === 'firing' && (
        <Button size="small" kind="outline" onClick={ack}>
          {t('incident.ack')}
        </Button>
      )}
    </li>
  );
}

// The chain of the audit trail, checked when somebody looks.
function AuditMark(): JSX.Element | null {
  const verdict = useResource('audit/verify', api.auditVerify, ['treatment/']);
  if (!verdict.value) return null;
  const { whole, entries, broken, why } = verdict.value;
  return (
    <span class="audit-mark">
      <Status tone={whole ? 'ok' : 'error'} icon={whole ? 'ok' : 'error'}>
        {whole ? t('audit.whole', { n: entries }) : t('audit.broken', { n: broken ?? 0, why: why ?? '' })}
      </Status>
    </span>
  );
}

// --- one server's treatment -------------------------------------------------------------------

const GUARDS_OF_A_PERSON = new Set(['stale', 'peers', 'outliers', 'fresh', 'watched', 'approval']);

export function IncidentPage({ id }: { id: string }): JSX.Element {
  const incident = useResource(`actions/${id}`, (s) => api.action(id, s), [`treatment/${id}`]);
  const subject = incident.value ? `server/${incident.value.cluster}/${incident.value.server}` : null;
  const audit = useResource(subject && `audit/${subject}`, (s) => api.audit(subject!, s), [`treatment/${id}`]);
  const plot = useResource(`actions/${id}/plot`, (s) => api.plot(id, s), [`treatment/${id}`]);
  const alerts = useResource(`actions/${id}/alerts`, (s) => api.alertsBeside(id, s), [`treatment/${id}`, 'alert/']);
  if (incident.error && !incident.value)
    return (
      <div class="page">
        <Failure of={incident} />
      </div>
    );
  if (!incident.value) return <Skeletons shape="page" />;
  const x = incident.value;
  const entries = (audit.value ?? []).filter((e) => (e.data as { treatment?: string } | null)?.treatment === id);
  return (
    <div class="page incident">
      <header class="head">
        <h1>{x.server}</h1>
        <State state={x.state} />
        <AuditMark />
      </header>
      <p class="faint">
        {t('incident.about', { cluster: x.cluster, action: t(`action.${x.action}` as TextKey), rule: x.suspicion.rule ?? '–' })}
        {x.dry_run && ` ${t('incident.dry')}`}
      </p>
      {x.why && <p class="why">{t('incident.held_by', { why: x.why })}</p>}
      {x.error && <p class="wrong">{x.error}</p>}
      <Decide of={x} reload={incident.reload} />
      <section>
        <h2 class="section">{t('incident.evidence')}</h2>
        {plot.value && plot.value.points.length > 0 && <ClusterPlot plot={plot.value} />}
        <PeersTable evidence={x.suspicion.evidence} />
        <p class="faint">{t('incident.window', { outlier: x.suspicion.evidence.outlier_in ?? 0, of: x.suspicion.evidence.of ?? 0, reporting: x.suspicion.reporting ?? 0, members: x.suspicion.members ?? 0 })}</p>
      </section>
      <section>
        <h2 class="section">{t('incident.line')}</h2>
        {audit.error && <Failure of={audit} />}
        <TimeLine moments={momentsOf(alerts.value ?? [], entries, treatmentMoments(x))} />
      </section>
      {(alerts.value ?? []).slice(0, 1).map((a) => (
        <section key={a.id}>
          <h2 class="section">{t('related.of', { alert: a.summary || a.rule })}</h2>
          <RelatedSignals alert={a.id} />
        </section>
      ))}
      <Runs subject={`treatment/${id}`} />
      {x.forensics && (
        <section>
          <h2 class="section">{t('incident.forensics')}</h2>
          <pre class="forensics">{JSON.stringify(x.forensics, null, 2)}</pre>
        </section>
      )}
    </div>
  );
}

function Decide({ of, reload }: { of: Treatment; reload: () => void }): JSX.Element | null {
  const [asked, setAsked] = useState(false);
  const mayDecide = of.state === 'waiting' || (of.state === 'held' && GUARDS_OF_A_PERSON.has(of.guard ?? ''));
  const isOut = of.action === 'remove' && of.state === 'out';
  const act = (how: 'refuse' | 'undo'): void => {
    api.decide(of.id, how).then(reload, toastError);
  };
  if (!mayDecide && !isOut) return null;
  return (
    <div class="acts">
      {mayDecide && (
        <>
          <Button kind="primary" onClick={() => setAsked(true)}>
            {t('incident.approve')}
          </Button>
          <Button kind="outline" onClick={() => act('refuse')}>
            {t('incident.refuse')}
          </Button>
        </>
      )}
      {isOut && (
        <Button kind="outline" onClick={() => act('undo')}>
          {t('incident.undo')}
        </Button>
      )}
      {asked && (
        <Confirm
          title={t('incident.approve.title', { server: of.server })}
          act={t('incident.approve')}
          danger
          onAct={async () => {
            await api.decide(of.id, 'approve');
            reload();
          }}
          onClose={() => setAsked(false)}
        >
          <p>{t('incident.approve.text', { action: t(`action.${of.action}` as TextKey), server: of.server, cluster: of.cluster })}</p>
        </Confirm>
      )}
    </div>
  );
}

// How far the server lies from its peers, a row a metric, in the peers' own spread: the band holds nearly all of them.
function PeersTable({ evidence }: { evidence: Evidence }): JSX.Element {
  const metrics = evidence.metrics ?? [];
  const reach = Math.max(6, ...metrics.map((m) => Math.abs(m.away)));
  const x = (away: number): number => 50 + (away / reach) * 46;
  return (
    <table class="peers">
      <caption>{t('incident.table')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('incident.metric')}</th>
          <th scope="col" class="end">{t('incident.value')}</th>
          <th scope="col" class="end">{t('incident.peers')}</th>
          <th scope="col" colSpan={2}>{t('incident.away')}</th>
        </tr>
      </thead>
      <tbody>
        {metrics.map((m) => (
          <tr key={m.metric}>
            <th scope="row" class="clip">
              {m.metric}
            </th>
            <td class="end num">{short(m.value)}</td>
            <td class="end num">{short(m.peers)}</td>
            <td>
              <svg viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label={t('incident.away.text', { n: m.away.toFixed(1) })}>
                <rect class="band" x={x(-3)} y="2" width={x(3) - x(-3)} height="8" rx="1" />
                <line x1="50" x2="50" y1="1" y2="11" />
              </svg>
              <i class={Math.abs(m.away) > 3 ? 'far' : ''} style={{ left: `${x(m.away)}%` }} aria-hidden="true" />
            </td>
            <td class="end num">{m.away > 0 ? `+${m.away.toFixed(1)}` : m.away.toFixed(1)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// --- one alert ----------------------------------------------------------------------------------

export function AlertPage({ id }: { id: string }): JSX.Element {
  const alert = useResource(`alerts/${id}`, (s) => api.alert(id, s), [`alert/${id}`]);
  const actions = useResource(`alerts/${id}/actions`, (s) => api.actionsBeside(id, s), [`alert/${id}`, 'treatment/']);
  if (alert.error && !alert.value)
    return (
      <div class="page">
        <Failure of={alert} />
      </div>
    );
  if (!alert.value) return <Skeletons shape="page" />;
  const a = alert.value;
  const servers = actions.value ?? [];
  const ack = (): void => {
    api.ack(a.id, t('incident.ack.why')).then(alert.reload, toastError);
  };
  return (
    <div class="page incident">
      <header class="head">
        <h1>{a.summary || a.rule}</h1>
        <State state={a.state} />
        {a.state === 'firing' && (
          <Button size="small" kind="outline" onClick={ack}>
            {t('incident.ack')}
          </Button>
        )}
      </header>
      <p class="faint">
        {t('alert.about', { rule: a.rule, value: short(a.value) })} {tagText(a.tags)}
        {a.acknowledged_by && ` ${t('alert.acked', { who: a.acknowledged_by_name ?? actorWord(a.acknowledged_by) })}`}
      </p>
      <section>
        <h2 class="section">{t('related.title')}</h2>
        <RelatedSignals alert={a.id} />
      </section>
      <Runs subject={`alert/${a.id}`} />
      {servers.length > 0 && (
        <section>
          <h2 class="section">{t('alert.servers')}</h2>
          <ul class="incident-list">
            {servers.map((x) => (
              <li key={x.id}>
                <State state={x.state} />
                <a class="name" href={`/desk/incidents/${x.id}`}>
                  {x.server}
                </a>
                <span class="faint clip">{x.why ?? t(`action.${x.action}` as TextKey)}</span>
                <time class="faint" title={dateTime(x.created)}>
                  {ago(x.created)}
                </time>
              </li>
            ))}
          </ul>
          {servers.slice(0, 1).map((x) => (
            <BesidePlot key={x.id} of={x} />
          ))}
        </section>
      )}
      <section>
        <h2 class="section">{t('incident.line')}</h2>
        <AlertLine of={a} servers={servers} />
      </section>
    </div>
  );
}

// The suspect that the alert most likely tells of, among its peers, and what waits for a person.
function BesidePlot({ of }: { of: Treatment }): JSX.Element | null {
  const plot = useResource(`actions/${of.id}/plot`, (s) => api.plot(of.id, s), [`treatment/${of.id}`]);
  const incident = useResource(`actions/${of.id}`, (s) => api.action(of.id, s), [`treatment/${of.id}`]);
  return (
    <>
      {incident.value && <Decide of={incident.value} reload={incident.reload} />}
      {plot.value && plot.value.points.length > 0 && <ClusterPlot plot={plot.value} />}
    </>
  );
}

function AlertLine({ of, servers }: { of: Alert; servers: readonly Treatment[] }): JSX.Element {
  const first = servers[0];
  const subject = first ? `server/${first.cluster}/${first.server}` : null;
  const audit = useResource(subject && `audit/${subject}`, (s) => api.audit(subject!, s), first ? [`treatment/${first.id}`] : []);
  const entries = (audit.value ?? []).filter((e) => (e.data as { treatment?: string } | null)?.treatment === first?.id);
  return <TimeLine moments={first ? momentsOf([of], entries, treatmentMoments(first)) : alertMoments(of)} />;
}
