// SPDX-License-Identifier: GPL-3.0-or-later
//
// What partners were asked to deliver again, and why: the same page for the operator who watches and
// the partner who mends.

import type { JSX } from 'preact';
import { Empty, LinkButton, Note } from '../../shared/components/base';
import { ago, dateTime } from '../../shared/format';
import { api } from '../api';
import { EventLine } from '../events';
import { evidenceText, placeText } from '../finding_text';
import { Failure, Skeletons } from '../notes';
import { usePartnerName } from '../partner';
import { useResource } from '../resource';
import { useMayOperate } from '../session';
import { kindWord, SeverityBadge, severityRank, StateBadge, stateWord } from '../state';
import { SubjectLink } from '../subject';
import { Table, type Column } from '../table';
import { FilmClock } from '../time';
import { t } from '../text';
import type { Finding, Request } from '../types';
import { FilePick } from './ingest';

export function RequestsPage(): JSX.Element {
  const operate = useMayOperate();
  const partnerOf = usePartnerName();
  const all = useResource('requests', api.requests, ['request/', 'delivery/']);
  const films = useResource('deliveries', api.deliveries);
  if (all.error && !all.value)
    return (
      <div class="page">
        <Failure of={all} />
      </div>
    );
  if (!all.value) return <Skeletons />;
  const names = new Map((films.value ?? []).map((d) => [d.id, d.title ?? d.file_name]));
  const nameOf = (r: Request): string => r.title ?? names.get(r.delivery_id) ?? r.file_name ?? r.id.slice(-12);
  const why = (r: Request): string => [...new Set((r.findings ?? []).map((f) => kindWord(f.kind)))].join(', ');
  const columns: Column<Request>[] = [
    { id: 'title', title: t('requests.film'), width: 'minmax(160px, 1.6fr)', sort: nameOf, cell: (r) => <a class="name" href={`/desk/requests/${r.id}`}>{nameOf(r)}</a> },
    { id: 'state', title: t('requests.state'), width: '116px', sort: (r) => r.state, cell: (r) => <StateBadge state={r.state} />, wide: true },
    { id: 'partner', title: t('requests.partner'), width: 'minmax(100px, 1fr)', sort: partnerOf, cell: (r) => <span class="clip">{partnerOf(r) ?? '–'}</span>, wide: true },
    { id: 'why', title: t('requests.why'), width: 'minmax(160px, 2fr)', cell: (r) => <span class="clip faint">{why(r)}</span>, wide: true },
    { id: 'created', title: t('requests.created'), width: '108px', end: true, sort: (r) => Date.parse(r.created), descendingFirst: true, cell: (r) => <time title={dateTime(r.created)}>{ago(r.created)}</time> },
  ];
  return (
    <div class="page full">
      <header class="head">
        <h1>{t('requests')}</h1>
      </header>
      {all.error && <Failure of={all} />}
      <Table
        name={t('requests')}
        rows={all.value}
        columns={operate ? columns : columns.filter((c) => c.id !== 'partner')}
        rowKey={(r) => r.id}
        href={(r) => `/desk/requests/${r.id}`}
        sort="-created"
        fields={(r) => ({ title: nameOf(r), state: r.state, partner: partnerOf(r), why: why(r), id: r.id })}
        facets={[{ key: 'state', label: t('requests.state'), values: ['open', 'answered', 'closed'].map((v) => ({ value: v, label: stateWord(v) })) }]}
        second={(r) => (
          <span class="working">
            <StateBadge state={r.state} /> <small class="clip">{why(r)}</small>
          </span>
        )}
        empty={
          <Empty icon="mail" title={t('requests.empty')}>
            <p>{t(operate ? 'requests.empty.text' : 'requests.empty.partner')}</p>
          </Empty>
        }
      />
    </div>
  );
}

export function RequestPage({ id }: { id: string }): JSX.Element {
  const operate = useMayOperate();
  const partnerOf = usePartnerName();
  const request = useResource(`request/${id}`, (s) => api.request(id, s), [`request/${id}`]);
  const r = request.value;
  const delivery = useResource(r ? `delivery/${r.delivery_id}` : null, (s) => api.delivery(r!.delivery_id, s));
  const report = useResource(r ? `report/${r.delivery_id}` : null, (s) => api.report(r!.delivery_id, s));
  if (!r)
    return request.error ? (
      <div class="page">
        <Failure of={request} />
      </div>
    ) : (
      <Skeletons shape="page" />
    );
  const clock = report.value ? new FilmClock(report.value) : null;
  const findings = [...(r.findings ?? [])].sort((a, b) => severityRank(b.severity) - severityRank(a.severity));
  const name = r.title ?? delivery.value?.title ?? delivery.value?.file_name ?? r.delivery_id;
  return (
    <div class="page">
      <header class="head tall">
        <div>
          <p class="crumb">
            <a href="/desk/requests">{t('nav.requests')}</a> / <code>{id.slice(-12)}</code>
          </p>
          <h1>{t('request.title', { name })}</h1>
          <p class="facts-line">
            <StateBadge state={r.state} />
            {r.partner && <span>{partnerOf(r)}</span>}
            <span>
              {t('request.created')} <time title={dateTime(r.created)}>{ago(r.created)}</time>
            </span>
            <SubjectLink subject={`delivery/${r.delivery_id}`} name={delivery.value?.file_name ?? null} />
          </p>
        </div>
        <div class="acts">
          {r.state === 'open' && <FilePick form={{ answers: r.id, ...(delivery.value?.title ? { title: delivery.value.title } : {}), ...(r.partner ? { partner: r.partner } : {}) }} label={t('request.answer')} />}
        </div>
      </header>
      {r.answered_by ? (
        <Note tone="ok" what={t('request.answered')}>
          <LinkButton size="small" kind="outline" href={`/desk/films/${r.answered_by}`}>
            {t('request.answered.open')}
          </LinkButton>
        </Note>
      ) : (
        r.state === 'open' &&
        (operate && r.asked ? (
          <Note tone={r.asked === 'mailed' ? 'info' : 'warning'} what={t(`asked.${r.asked}`)} hint={t(`asked.${r.asked}.hint`)} />
        ) : (
          <Note tone="info" what={t('request.what')} hint={t('request.what.hint')} />
        ))
      )}
      <h2 class="section">{t('request.findings', { n: findings.length })}</h2>
      <ul class="evidence-cards">
        {findings.map((f, i) => (
          <li key={i}>
            <Evidence f={f} request={r} clock={clock} />
          </li>
        ))}
      </ul>
      <EventLine subject={`request/${id}`} />
    </div>
  );
}

// Pictures of what is wrong: what a partner needs to find it again.
function Evidence({ f, request, clock }: { f: Finding; request: Request; clock: FilmClock | null }): JSX.Element {
  const delivery = request.delivery_id;
  const index = (request.findings ?? []).indexOf(f);
  const given = (request.thumbnails ?? []).filter((x) => x.finding === index);
  const frames: number[] = given.map((x) => x.frame);
  if (frames.length === 0 && f.start_frame !== null) {
    const last = Math.max(f.start_frame, (f.end_frame ?? f.start_frame + 1) - 1);
    // Decoding takes the server a moment each: the middle one where nothing was prepared.
    frames.push((f.start_frame + last) >> 1);
  }
  return (
    <article>
      <header>
        <SeverityBadge severity={f.severity} bare />
        <h3>{kindWord(f.kind)}</h3>
        <span class="num faint">{placeText(f)}</span>
      </header>
      {frames.length > 0 && (
        <div class="pictures">
          {frames.map((n) => (
            <a key={n} href={`/desk/films/${delivery}?frame=${n}`}>
              <img src={given.find((x) => x.frame === n)?.url ?? api.frameUrl(delivery, n)} alt={t('request.frame', { frame: n })} loading="lazy" width="160" height="90" />
              <span class="num">{clock && n < clock.frames ? clock.timeCode(n) : t('place.frame', { frame: n })}</span>
            </a>
          ))}
        </div>
      )}
      <p class="faint">{evidenceText(f.evidence)}</p>
    </article>
  );
}
