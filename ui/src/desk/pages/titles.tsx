// SPDX-License-Identifier: GPL-3.0-or-later
//
// The catalogue from behind: what viewers read of a title, and whether they see it at all.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button, ErrorNote, Field, LinkButton, Note } from '../../shared/components/base';
import { toast } from '../../shared/components/toasts';
import { ago, dateTime, length } from '../../shared/format';
import { api, PAGE, pages } from '../api';
import { Confirm } from '../confirm';
import { EventLine } from '../events';
import { placeText, reportHref, reportText } from '../finding_text';
import { Failure, Skeletons, toastUndo } from '../notes';
import { resourceStale, useResource } from '../resource';
import { StateBadge } from '../state';
import { Table, type Column } from '../table';
import { t } from '../text';
import type { Card, Title } from '../types';
import { IngestEmpty } from './ingest';

export const allTitles = (signal: AbortSignal): Promise<Card[]> => pages((after) => api.titles({ limit: PAGE, after }, signal));

const isWithdrawn = (c: Card): boolean => Boolean(c.withdrawn);
const stateOf = (c: Card): string => (isWithdrawn(c) ? 'withdrawn' : c.published ? 'published' : 'unpublished');

export function TitlesPage(): JSX.Element {
  const all = useResource('titles/list', allTitles, ['title/']);
  if (all.error && !all.value)
    return (
      <div class="page">
        <Failure of={all} />
      </div>
    );
  if (!all.value) return <Skeletons />;
  const columns: Column<Card>[] = [
    {
      id: 'name',
      title: t('titles.name'),
      width: 'minmax(180px, 2.4fr)',
      sort: (c) => c.name,
      cell: (c) => (
        <span class="with-poster">
          {c.poster ? <img src={c.poster.url} alt="" loading="lazy" width="40" height="23" /> : <i />}
          <a class="name" href={`/desk/titles/${c.id}`}>
            {c.name}
          </a>
        </span>
      ),
    },
    { id: 'kind', title: t('titles.kind'), width: '90px', sort: (c) => c.kind, cell: (c) => t(`titles.kind.${c.kind}`), wide: true },
    { id: 'year', title: t('titles.year'), width: '64px', end: true, sort: (c) => c.year ?? null, descendingFirst: true, cell: (c) => c.year ?? '–' },
    { id: 'length', title: t('titles.length'), width: '92px', end: true, sort: (c) => c.duration_us ?? null, descendingFirst: true, cell: (c) => (c.duration_us ? length(c.duration_us) : '–'), wide: true },
    { id: 'quality', title: t('titles.quality'), width: '76px', end: true, sort: (c) => c.quality ?? null, cell: (c) => c.quality ?? '–', wide: true },
    { id: 'maturity', title: t('titles.maturity'), width: '76px', sort: (c) => String(c.maturity ?? ''), cell: (c) => c.maturity ?? <span class="faint">{t('maturity.none')}</span>, wide: true },
    { id: 'tags', title: t('titles.tags'), width: 'minmax(140px, 2fr)', cell: (c) => <span class="clip faint">{(c.tags ?? []).join(', ')}</span>, wide: true },
    { id: 'state', title: t('titles.state'), width: '126px', sort: stateOf, cell: (c) => <StateBadge state={stateOf(c)} />, wide: true },
  ];
  return (
    <div class="page full">
      <header class="head">
        <h1>{t('titles')}</h1>
      </header>
      {all.error && <Failure of={all} />}
      <Table
        name={t('titles')}
        rows={all.value}
        columns={columns}
        rowKey={(c) => c.id}
        href={(c) => `/desk/titles/${c.id}`}
        sort="name"
        fields={(c) => ({ name: c.name, kind: c.kind, year: String(c.year ?? ''), quality: c.quality, tag: (c.tags ?? []).join(' '), state: stateOf(c), id: c.id })}
        facets={[
          { key: 'kind', label: t('titles.kind'), values: (['film', 'series', 'episode'] as const).map((v) => ({ value: v, label: t(`titles.kind.${v}`) })) },
          { key: 'state', label: t('titles.state'), values: (['published', 'unpublished', 'withdrawn'] as const).map((v) => ({ value: v, label: t(`state.${v}`) })) },
        ]}
        second={(c) => (
          <span class="faint">
            {t(`titles.kind.${c.kind}`)}
            {c.duration_us ? ` · ${length(c.duration_us)}` : ''}
            {stateOf(c) === 'published' ? '' : ` · ${t(stateOf(c) === 'withdrawn' ? 'state.withdrawn' : 'state.unpublished')}`}
          </span>
        )}
        empty={<IngestEmpty />}
      />
    </div>
  );
}

interface Draft {
  name: string;
  synopsis: string;
  year: string;
  maturity: string;
  tags: string;
  credit: string;
  licence: string;
  licence_url: string;
  source_url: string;
}

const draftOf = (x: Title): Draft => ({
  name: x.name,
  synopsis: x.synopsis ?? '',
  year: x.year ? String(x.year) : '',
  maturity: x.maturity === null || x.maturity === undefined ? '' : String(x.maturity),
  tags: (x.tags ?? []).join(', '),
  credit: x.credit ?? '',
  licence: x.licence ?? '',
  licence_url: x.licence_url ?? '',
  source_url: x.source_url ?? '',
});

// Only what changed is sent: two people who edit different fields do not undo each other.
export function titleChange(before: Title, draft: Draft): Partial<Title> {
  const was = draftOf(before);
  const change: Record<string, unknown> = {};
  for (const key of Object.keys(draft) as (keyof Draft)[]) {
    if (draft[key] === was[key]) continue;
    const text = draft[key].trim();
    if (key === 'year') change.year = text === '' ? null : Number(text);
    else if (key === 'tags')
      change.tags = text
        .split(',')
        .map((x) => x.trim())
        .filter((x) => x !== '');
    else if (key === 'maturity') change.maturity = text === '' ? null : Number(text);
    else change[key] = text === '' && key !== 'name' ? null : text;
  }
  return change as Partial<Title>;
}

export function TitlePage({ id }: { id: string }): JSX.Element {
  const title = useResource(`title/${id}`, (s) => api.title(id, s), [`title/${id}`]);
  const films = useResource('deliveries', api.deliveries);
  const told = useResource(`findings/of/title/${id}`, (s) => api.findings({ subject: `title/${id}`, kind: 'viewer_report', limit: 100 }, s), [`title/${id}`]);
  const [draft, setDraft] = useState<Draft | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [asking, setAsking] = useState(false);
  const x = title.value;
  useEffect(() => {
    if (x && draft === null) setDraft(draftOf(x));
  }, [x]);
  if (!x || !draft)
    return title.error ? (
      <div class="page">
        <Failure of={title} />
      </div>
    ) : (
      <Skeletons shape="page" />
    );
  const change = titleChange(x, draft);
  const dirty = Object.keys(change).length > 0;
  const withdrawn = isWithdrawn(x);
  const deliveries = (films.value ?? []).filter((d) => d.title_id === id);
  const stale = (): void => {
    resourceStale('titles/');
    title.reload();
  };
  const save = async (e: Event): Promise<void> => {
    e.preventDefault();
    if (!dirty || busy) return;
    setBusy(true);
    setError(null);
    const before = x;
    try {
      await api.editTitle(id, change);
      title.patch((v) => ({ ...v, ...change }));
      stale();
      toastUndo(t('title.saved'), async () => {
        const back: Record<string, unknown> = {};
        for (const k of Object.keys(change)) back[k] = (before as unknown as Record<string, unknown>)[k] ?? null;
        await api.editTitle(id, back as Partial<Title>);
        title.patch((v) => ({ ...v, ...(back as Partial<Title>) }));
        setDraft(draftOf(before));
        stale();
      });
    } catch (err) {
      setError(err);
    }
    setBusy(false);
  };
  const restore = async (): Promise<void> => {
    await api.restore(id);
    stale();
    toast(t('title.restored', { name: x.name }));
  };
  const input = (key: keyof Draft, label: string, extra: Record<string, unknown> = {}, hint?: string): JSX.Element => (
    <Field label={label} hint={hint}>
      {(a) => <input {...a} value={draft[key]} onInput={(e) => setDraft({ ...draft, [key]: e.currentTarget.value })} {...extra} />}
    </Field>
  );
  return (
    <div class="page">
      <header class="head tall">
        <div>
          <p class="crumb">
            <a href="/desk/titles">{t('nav.titles')}</a> / <code>{id.slice(-12)}</code>
          </p>
          <h1>{x.name}</h1>
          <p class="facts-line">
            <StateBadge state={stateOf(x)} />
            <span>{t(`titles.kind.${x.kind}`)}</span>
            {x.duration_us ? <span>{length(x.duration_us)}</span> : null}
            {x.quality && <span>{x.quality}</span>}
            {x.published && (
              <span>
                {t('title.published')} <time title={dateTime(x.published)}>{ago(x.published)}</time>
              </span>
            )}
          </p>
        </div>
        <div class="acts">
          <LinkButton kind="outline" size="small" icon="play" href={`/title/${id}`} target="_blank">
            {t('title.watch')}
          </LinkButton>
          {withdrawn ? (
            <Button kind="primary" size="small" icon="refresh" onClick={() => void restore()}>
              {t('title.restore')}
            </Button>
          ) : (
            <Button kind="danger" size="small" icon="cancelled" onClick={() => setAsking(true)}>
              {t('title.withdraw')}
            </Button>
          )}
        </div>
      </header>
      {withdrawn && <Note tone="warning" what={t('title.withdrawn')} hint={t('title.withdrawn.hint')} />}
      <div class="columns">
        <form class="edit" onSubmit={(e) => void save(e)}>
          {input('name', t('title.name'), { required: true, maxLength: 300 })}
          <Field label={t('title.synopsis')}>
            {(a) => <textarea {...a} rows={5} maxLength={4000} value={draft.synopsis} onInput={(e) => setDraft({ ...draft, synopsis: e.currentTarget.value })} />}
          </Field>
          <div class="pair">
            {input('year', t('title.year'), {
              inputMode: 'numeric',
              pattern: '[0-9]{4}',
              onInvalid: (e: Event) => (e.currentTarget as HTMLInputElement).setCustomValidity(t('title.year.wrong')),
              onInput: (e: Event) => {
                const field = e.currentTarget as HTMLInputElement;
                field.setCustomValidity('');
                setDraft({ ...draft, year: field.value });
              },
            })}
            {input('maturity', t('title.maturity'), { type: 'number', min: 0, max: 18 }, t('title.maturity.hint'))}
          </div>
          {input('tags', t('title.tags'), {}, t('title.tags.hint'))}
          {input('credit', t('title.credit'))}
          <div class="pair">
            {input('licence', t('title.licence'))}
            {input('licence_url', t('title.licence_url'), { type: 'url' })}
          </div>
          {input('source_url', t('title.source_url'), { type: 'url' })}
          {error !== null && <ErrorNote error={error} />}
          <div class="foot">
            <Button type="submit" kind="primary" disabled={!dirty || busy}>
              {t('title.save')}
            </Button>
            <Button kind="quiet" disabled={!dirty} onClick={() => setDraft(draftOf(x))}>
              {t('title.revert')}
            </Button>
          </div>
        </form>
        <aside class="side">
          {x.poster && <img class="poster" src={x.poster.url} alt={t('title.poster', { name: x.name })} width={x.poster.width} height={x.poster.height} />}
          {(told.value ?? []).length > 0 && (
            <>
              <h2 class="section">{t('title.reports')}</h2>
              <ul class="links">
                {told.value!.map((f) => (
                  <li key={f.id}>
                    <a class="link num" href={reportHref(f) ?? ''} title={t('findings.watch')}>
                      {placeText(f)}
                    </a>{' '}
                    {reportText(f)} <span class="faint">{f.seen_last && ago(f.seen_last)}</span>
                  </li>
                ))}
              </ul>
            </>
          )}
          <h2 class="section">{t('title.deliveries')}</h2>
          {deliveries.length === 0 && <p class="faint">{t('title.deliveries.none')}</p>}
          <ul class="links">
            {deliveries.map((d) => (
              <li key={d.id}>
                <StateBadge state={d.state} />{' '}
                <a class="link" href={`/desk/films/${d.id}`}>
                  {d.file_name}
                </a>{' '}
                <span class="faint">{ago(d.received)}</span>
              </li>
            ))}
          </ul>
          {(x.people ?? []).length > 0 && (
            <>
              <h2 class="section">{t('title.people')}</h2>
              <ul class="links">
                {x.people!.map((p) => (
                  <li key={`${p.name} ${p.role}`}>
                    {p.name} <span class="faint">{p.role}</span>
                  </li>
                ))}
              </ul>
            </>
          )}
          {(x.seasons ?? []).map((s) => (
            <section key={s.number}>
              <h2 class="section">{s.name}</h2>
              <ul class="links">
                {s.episodes.map((e) => (
                  <li key={e.id}>
                    <span class="num faint">{e.episode}</span>{' '}
                    <a class="link" href={`/desk/titles/${e.id}`}>
                      {e.name}
                    </a>
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </aside>
      </div>
      <EventLine subject={`title/${id}`} />
      {asking && (
        <Confirm
          title={t('title.withdraw.title', { name: x.name })}
          act={t('title.withdraw')}
          danger
          onClose={() => setAsking(false)}
          onAct={async () => {
            await api.withdraw(id);
            title.patch((v) => ({ ...v, withdrawn: new Date().toISOString() }));
            stale();
            toastUndo(t('title.withdraw.done', { name: x.name }), async () => {
              await api.restore(id);
              title.patch((v) => ({ ...v, withdrawn: null }));
              stale();
            });
          }}
        >
          <p>{t('title.withdraw.text', { name: x.name })}</p>
        </Confirm>
      )}
    </div>
  );
}
