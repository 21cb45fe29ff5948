// SPDX-License-Identifier: GPL-3.0-or-later
//
// One delivery: what it is, what inspection saw, what was decided and why, what can be done.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../../shared/api';
import { Button, LinkButton, Note } from '../../shared/components/base';
import { toast } from '../../shared/components/toasts';
import { ago, bytes, dateTime, percent } from '../../shared/format';
import { navigate } from '../../shared/router';
import { api } from '../api';
import { Confirm } from '../confirm';
import { EventLine } from '../events';
import { useProgress } from '../live';
import { Failure, Skeletons } from '../notes';
import { usePartnerName } from '../partner';
import { ProgressBar, remainingText, waitingText } from '../progress';
import { ReportView } from '../report';
import { resourceStale, useResource } from '../resource';
import { useMayOperate, useWhile } from '../session';
import { kindWord, StateBadge, VerdictBadge } from '../state';
import { t } from '../text';
import type { Delivery, Finding, Report, Request } from '../types';
import { FilePick } from './ingest';

const WORKING = new Set(['received', 'inspected', 'running']);

export function DeliveryPage({ id }: { id: string }): JSX.Element {
  const operate = useMayOperate();
  const partnerOf = usePartnerName();
  const delivery = useResource(`delivery/${id}`, (s) => api.delivery(id, s), [`delivery/${id}`]);
  const d = delivery.value;
  // Asked for once there is one: inspection ends with a verdict.
  const inspected = d !== undefined && (d.verdict !== null || d.state === 'inspected');
  const report = useResource(inspected ? `report/${id}` : null, (s) => api.report(id, s), [`delivery/${id}`]);
  const register = useResource(operate ? `findings/of/${id}` : null, (s) => api.findings({ subject: `delivery/${id}`, limit: 1000 }, s), [`delivery/${id}`]);
  const [asking, setAsking] = useState(false);
  const state = d?.state;
  useEffect(() => {
    if (inspected) report.reload();
  }, [state]);
  useWhile(d !== undefined && WORKING.has(d.state), delivery.reload);

  if (!d)
    return delivery.error ? (
      <div class="page">
        <Failure of={delivery} />
      </div>
    ) : (
      <Skeletons shape="page" />
    );
  const name = d.title ?? d.file_name;
  const openRequest = (d.requests ?? []).find((r) => r.state === 'open');
  const waived = (register.value ?? []).some((f) => f.state === 'waived');
  const again = async (): Promise<void> => {
    const ticket = await api.again(id);
    resourceStale('deliver');
    toast(t('film.again.done'));
    navigate(`/desk/jobs/${ticket.job_id}`);
  };
  const none = !inspected || (report.error instanceof ApiError && report.error.status === 404);

  return (
    <div class="page">
      <header class="head tall">
        <div>
          <p class="crumb">
            <a href="/desk/films">{t('nav.films')}</a> / <code>{id.slice(-12)}</code>
            {d.hash && (
              <code class="hash" title={d.hash}>
                {t('film.hash', { hash: d.hash.replace(/^[a-z0-9]+:/, '').slice(0, 12) })}
              </code>
            )}
          </p>
          <h1>{name}</h1>
          <p class="facts-line">
            <StateBadge state={d.state} />
            <span class="clip" title={d.file_name}>
              {d.file_name}
            </span>
            <span class="num">{bytes(d.bytes)}</span>
            {d.partner && <span>{partnerOf(d)}</span>}
            <span>
              {t('film.received')} <time title={dateTime(d.received)}>{ago(d.received)}</time>
            </span>
          </p>
        </div>
        <div class="acts">
          {operate && d.title_id && (
            <LinkButton kind="outline" size="small" icon="list" href={`/desk/titles/${d.title_id}`}>
              {t('film.title')}
            </LinkButton>
          )}
          {operate && d.job_id && (
            <LinkButton kind="outline" size="small" icon="jobs" href={`/desk/jobs/${d.job_id}`}>
              {t('film.job')}
            </LinkButton>
          )}
          {openRequest && <FilePick primary={false} form={{ answers: openRequest.id, title: name }} label={t('request.answer')} />}
          {operate && !WORKING.has(d.state) && (
            <Button kind={waived && d.state !== 'published' ? 'primary' : 'outline'} size="small" icon="refresh" onClick={() => setAsking(true)}>
              {t('film.again')}
            </Button>
          )}
        </div>
      </header>

      {delivery.error && <Failure of={delivery} />}
      <Working d={d} />
      {d.state === 'failed' && <Note tone="error" what={d.error ?? t('film.failed')} hint={t('film.failed.hint')} />}
      {report.value && <VerdictNote d={d} report={report.value} waived={waived} register={register.value ?? []} request={openRequest ?? null} />}

      {report.value ? (
        <ReportView key={`${id} ${report.value.frames}`} delivery={id} published={d.state === 'published'} report={report.value} register={register.value ?? []} />
      ) : none ? (
        WORKING.has(d.state) ? null : (
          <Note tone="idle" what={t('film.no_report')} hint={t('film.no_report.hint')} />
        )
      ) : report.error ? (
        <Failure of={report} />
      ) : (
        <Skeletons rows={3} shape="page" />
      )}

      {(d.requests ?? []).length > 0 && (
        <section>
          <h2 class="section">{t('film.requests')}</h2>
          <ul class="links">
            {d.requests!.map((r) => (
              <li key={r.id}>
                <StateBadge state={r.state} />{' '}
                <a class="link" href={`/desk/requests/${r.id}`}>
                  {t('film.request.of', { when: ago(r.created) })}
                </a>
                {r.answered_by && (
                  <>
                    {' → '}
                    <a class="link" href={`/desk/films/${r.answered_by}`}>
                      {t('film.request.answer')}
                    </a>
                  </>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
      <EventLine subject={`delivery/${id}`} />
      {asking && (
        <Confirm title={t('film.again.title')} act={t('film.again')} onAct={again} onClose={() => setAsking(false)}>
          <p>{t('film.again.text', { name })}</p>
        </Confirm>
      )}
    </div>
  );
}

function Working({ d }: { d: Delivery }): JSX.Element | null {
  const operate = useMayOperate();
  const live = useProgress();
  const job = useResource(operate && d.job_id && WORKING.has(d.state) ? `job/${d.job_id}` : null, (s) => api.job(d.job_id!, s));
  if (!WORKING.has(d.state)) return null;
  const p = d.job_id ? live(d.job_id) : null;
  const ratio = p ? p.done_ppm / 1e6 : (job.value?.progress ?? 0);
  const waits = waitingText(d, p);
  if (waits !== null)
    return (
      <div class="big-progress">
        <StateBadge state="waiting" />
        <span class="faint">{waits}</span>
      </div>
    );
  return (
    <div class="big-progress">
      <ProgressBar ratio={ratio} label={t('films.progress', { name: d.title ?? d.file_name })} />
      <strong class="num">{percent(ratio)}</strong>
      <span class="num faint">{remainingText(p?.remaining_us ?? job.value?.remaining_us)}</span>
      <span class="faint">{d.state === 'inspected' ? t('film.working.encode') : t('film.working.inspect')}</span>
    </div>
  );
}

// The verdict in a sentence: what weighed, how often.
function VerdictNote({ d, report, waived, register, request }: { d: Delivery; report: Report; waived: boolean; register: readonly Finding[]; request: Request | null }): JSX.Element {
  const operate = useMayOperate();
  const verdict = d.verdict ?? report.verdict;
  const waivedKinds = new Set(register.filter((f) => f.state === 'waived').map((f) => f.kind));
  const weighed = (report.why ?? []).filter((w) => w.verdict !== 'accept' && !w.waived);
  const of = weighed.length > 0 ? weighed.map((w) => report.findings[w.finding]).filter((f): f is Finding => f !== undefined) : report.findings.filter((f) => f.severity !== 'info');
  const kinds = new Map<string, number>();
  for (const f of of) kinds.set(f.kind, (kinds.get(f.kind) ?? 0) + 1);
  const list = [...kinds].map(([k, n]) => (n > 1 ? `${kindWord(k)} × ${n}` : kindWord(k))).join(', ');
  const tone = verdict === 'refuse' ? 'error' : verdict === 'review' ? 'warning' : 'ok';
  const what =
    verdict === 'accept' ? (of.length === 0 ? t('verdict.accept.clean') : t(of.some((f) => f.severity === 'error') ? 'verdict.accept.waived' : 'verdict.accept.with', { list })) : verdict === 'review' ? t('verdict.review.why', { list }) : t('verdict.refuse.why', { list });
  const reasons = [...new Set(weighed.map((w) => w.text))].slice(0, 4).join(' ');
  const hint =
    verdict === 'accept' ? '' : !operate ? t('verdict.partner.hint') : waived && waivedKinds.size > 0 && d.state !== 'published' ? t('verdict.waived.hint') : t(verdict === 'review' ? 'verdict.review.hint' : 'verdict.refuse.hint');
  const asked = operate && verdict !== 'accept' && request?.asked ? t(`asked.${request.asked}`) : '';
  return (
    <div class={`verdict ${tone}`} data-verdict={verdict}>
      <VerdictBadge verdict={verdict} />
      <p>
        <strong>{what}</strong> {reasons} {asked} <span class="faint">{hint}</span>{' '}
        {request && (
          <a class="link" href={`/desk/requests/${request.id}`}>
            {t('film.request.open')}
          </a>
        )}
      </p>
    </div>
  );
}
