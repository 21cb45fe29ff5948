// SPDX-License-Identifier: GPL-3.0-or-later
//
// The register: everything that is wrong with anything, in one list. Thousands come page by page, in
// the background, so that sorting and words work on all of them.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button, Empty } from '../../shared/components/base';
import { ago, count, dateTime } from '../../shared/format';
import { useQueryWord } from '../../shared/router';
import { api, MOST, PAGE, pages } from '../api';
import { placeText, reportHref, reportText } from '../finding_text';
import { liveSubscribe } from '../live';
import { Failure, Skeletons } from '../notes';
import { resourceStale, useResource } from '../resource';
import { kindWord, SeverityBadge, severityRank, StateBadge, stateWord } from '../state';
import { SubjectLink, subjectHref } from '../subject';
import { Table, type Column } from '../table';
import { t, type TextKey } from '../text';
import type { Finding } from '../types';
import { reopen, Waive } from '../waive';
import { wordsGet } from '../words';


export function FindingsPage(): JSX.Element {
  const [query] = useQueryWord('q');
  // What the server can narrow itself, it does: the words are its own.
  const subject = wordsGet(query, 'subject');
  const wanted = { subject: subject?.includes('/') ? subject : null, state: wordsGet(query, 'state') };
  const [partial, setPartial] = useState<string | null>(null);
  const name = `findings/list/${wanted.subject ?? ''}/${wanted.state ?? ''}`;
  const all = useResource<Finding[]>(name, async (signal) => {
    const list = await pages(
      (before) => api.findings({ ...wanted, limit: PAGE, before }, signal),
      (so) => setPartial(t('table.loading', { count: count(so.length) })),
    );
    setPartial(list.length >= MOST ? t('table.newest', { count: count(MOST) }) : null);
    return list;
  });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    const stop = liveSubscribe('', (e) => {
      if (!e.type.startsWith('finding.') || timer !== null) return;
      timer = setTimeout(() => {
        timer = null;
        resourceStale('findings/list');
      }, 2_000);
    });
    return () => {
      stop();
      if (timer !== null) clearTimeout(timer);
    };
  }, []);
  const films = useResource('deliveries', api.deliveries);
  const [waiving, setWaiving] = useState<readonly Finding[] | null>(null);

  if (all.error && !all.value)
    return (
      <div class="page">
        <Failure of={all} />
      </div>
    );
  if (!all.value) return <Skeletons />;
  const names = new Map((films.value ?? []).map((d) => [`delivery/${d.id}`, d.title ?? d.file_name]));
  const nameOf = (f: Finding): string | null => f.subject_name ?? names.get(f.subject ?? '') ?? null;
  const link = (f: Finding): string => {
    const to = subjectHref(f.subject ?? '');
    if (!to) return '/desk/findings';
    return f.start_frame === null ? to : `${to}?frame=${f.start_frame}`;
  };
  const act = (f: Finding): JSX.Element | null =>
    f.state === 'waived' ? (
      <Button size="small" kind="outline" onClick={() => void reopen(f)}>
        {t('reopen')}
      </Button>
    ) : f.state === 'open' ? (
      <Button size="small" kind="outline" onClick={() => setWaiving([f])}>
        {t('waive')}
      </Button>
    ) : null;
  const columns: Column<Finding>[] = [
    { id: 'severity', title: t('findings.severity'), width: '104px', sort: (f) => severityRank(f.severity), descendingFirst: true, cell: (f) => <SeverityBadge severity={f.severity} />, wide: true },
    {
      id: 'kind',
      title: t('findings.kind'),
      width: 'minmax(170px, 3fr)',
      sort: (f) => kindWord(f.kind),
      cell: (f) => (
        <span class="said">
          <a class="name" href={link(f)}>
            {kindWord(f.kind)}
          </a>
          {reportText(f) && (
            <q class="clip" title={reportText(f)!}>
              {reportText(f)}
            </q>
          )}
        </span>
      ),
    },
    { id: 'subject', title: t('findings.subject'), width: 'minmax(130px, 1.3fr)', sort: (f) => nameOf(f) ?? f.subject ?? '', cell: (f) => <span class="clip"><SubjectLink subject={f.subject ?? ''} name={nameOf(f)} /></span>, wide: true },
    { id: 'place', title: t('findings.place'), width: 'minmax(232px, 1.2fr)', sort: (f) => f.start_frame ?? f.start_pts, cell: (f) => <span class="num clip">{reportHref(f) ? <a class="link" href={reportHref(f)!} title={t('findings.watch')}>{placeText(f)}</a> : placeText(f)}</span>, wide: true },
    {
      id: 'state',
      title: t('findings.state'),
      width: 'minmax(110px, 1fr)',
      sort: (f) => f.state ?? '',
      wide: true,
      cell: (f) => (
        <span class="working" title={f.waived_why ?? undefined}>
          <StateBadge state={f.state ?? 'open'} />
          {f.state === 'waived' && <small class="clip">{f.waived_why}</small>}
        </span>
      ),
    },
    { id: 'seen', title: t('findings.seen'), width: '96px', end: true, sort: (f) => Date.parse(f.seen_last ?? ''), descendingFirst: true, cell: (f) => (f.seen_last ? <time title={dateTime(f.seen_last)}>{ago(f.seen_last)}</time> : '–'), wide: true },
    { id: 'act', title: t('findings.act'), width: '84px', end: true, tall: true, cell: act },
  ];
  // What was seen at one time stands in the order of the film.
  const rows = [...all.value].sort((a, b) => (a.subject ?? '').localeCompare(b.subject ?? '') || (a.start_frame ?? -1) - (b.start_frame ?? -1) || (a.start_pts ?? -1) - (b.start_pts ?? -1));
  const kinds = [...new Set(all.value.map((f) => f.kind))].sort();
  return (
    <div class="page full">
      <header class="head">
        <h1>{t('findings')}</h1>
      </header>
      {all.error && <Failure of={all} />}
      <Table
        name={t('findings')}
        rows={rows}
        columns={columns}
        rowKey={(f) => f.id ?? `${f.subject} ${f.kind} ${f.start_pts}`}
        href={link}
        sort="-seen"
        partial={partial}
        fields={(f) => ({ kind: f.kind, words: kindWord(f.kind), severity: f.severity, state: f.state, subject: f.subject, name: nameOf(f), detector: f.detector, owner: f.owner, why: f.waived_why, text: reportText(f) })}
        facets={[
          { key: 'state', label: t('findings.state'), values: ['open', 'waived', 'fixed', 'superseded'].map((v) => ({ value: v, label: stateWord(v) })) },
          { key: 'severity', label: t('findings.severity'), values: ['error', 'warning', 'info'].map((v) => ({ value: v, label: t(`severity.${v}` as TextKey) })) },
          { key: 'kind', label: t('findings.kind'), values: kinds.map((v) => ({ value: v, label: kindWord(v) })) },
        ]}
        second={(f) => (
          <span class="working">
            <SeverityBadge severity={f.severity} bare /> <StateBadge state={f.state ?? 'open'} />
            <small class="clip">{reportText(f) ?? nameOf(f) ?? f.subject}</small>
          </span>
        )}
        empty={
          <Empty icon="flag" title={t('findings.empty')}>
            <p>{t('findings.empty.text')}</p>
          </Empty>
        }
      />
      {waiving && <Waive findings={waiving} onClose={() => setWaiving(null)} />}
    </div>
  );
}
