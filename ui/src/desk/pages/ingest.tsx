// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files on their way in: one card each, with what it is, how far it is, and what can be done.

import type { ComponentChildren, JSX } from 'preact';
import { useId, useRef } from 'preact/hooks';
import { Button, ErrorNote, Field, LinkButton } from '../../shared/components/base';
import { Icon } from '../../shared/components/icons';
import { bytes, percent } from '../../shared/format';
import { navigate } from '../../shared/router';
import { api } from '../api';
import {
  ingestAdd,
  ingestDiscard,
  ingestEdit,
  ingestIsReady,
  ingestPause,
  ingestRate,
  ingestResume,
  ingestWant,
  useIngestItems,
  type IngestForm,
  type IngestItem,
} from '../ingest';
import { useProgress } from '../live';
import { ProgressBar, remainingText, waitingText } from '../progress';
import { useResource } from '../resource';
import { useMayOperate, useSession, useWhile } from '../session';
import { StateBadge } from '../state';
import { t, type TextKey } from '../text';

export const FILM_TYPES = 'video/*,.mkv,.mxf,.ts,.m2ts,.mts,.ogv,.avi,.mov,.webm,.mp4,.flv,.wmv,.vob,.dv,.y4m,.3gp';

export function FilePick({ primary = true, form, label }: { primary?: boolean; form?: Partial<IngestForm>; label?: string }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button kind={primary ? 'primary' : 'outline'} size="small" icon="upload" onClick={() => input.current?.click()}>
        {label ?? t('ingest.pick')}
      </Button>
      <input
        ref={input}
        type="file"
        hidden
        multiple
        accept={FILM_TYPES}
        onChange={(e) => {
          const files = [...(e.currentTarget.files ?? [])];
          e.currentTarget.value = '';
          if (files.length === 0) return;
          ingestAdd(files, form);
          if (location.pathname !== '/desk/ingest') navigate('/desk/ingest');
        }}
      />
    </>
  );
}

export function IngestEmpty({ children }: { children?: ComponentChildren }): JSX.Element {
  return (
    <div class="drop-zone">
      <Icon name="upload" />
      <h2>{t('ingest.empty')}</h2>
      <p>{t('ingest.empty.text')}</p>
      <div class="actions">
        <FilePick />
        {children}
      </div>
      <p class="faint">
        {t('ingest.empty.command')} <code>marquee ingest FILE</code>
      </p>
    </div>
  );
}

export function IngestPage(): JSX.Element {
  const items = useIngestItems();
  const open = items.filter((i) => i.delivery === null && (i.upload !== null || ingestIsReady(i)) && !i.empty && i.form.title.trim() !== '' && (!i.wanted || i.error));
  return (
    <div class="page">
      <header class="head">
        <h1>{t('ingest')}</h1>
        <div class="acts">
          {open.length > 1 && (
            <Button kind="outline" size="small" onClick={() => open.forEach((i) => ingestWant(i.key, i.form))}>
              {t('form.deliver.all', { n: open.length })}
            </Button>
          )}
          {items.length > 0 && <FilePick />}
        </div>
      </header>
      {items.length === 0 ? (
        <IngestEmpty />
      ) : (
        <ul class="uploads">
          {items.map((i) => (
            <li key={i.key}>
              <UploadCard item={i} />
            </li>
          ))}
        </ul>
      )}
      <AtWork not={items.map((i) => i.delivery?.delivery_id)} />
    </div>
  );
}

// What is being ingested by whoever delivered it, beside the cards of this visit.
function AtWork({ not }: { not: readonly (string | undefined)[] }): JSX.Element | null {
  const all = useResource('deliveries', api.deliveries, ['delivery/']);
  const progress = useProgress();
  const rows = (all.value ?? []).filter((d) => WORKING.has(d.state) && !not.includes(d.id));
  useWhile(rows.length > 0, all.reload);
  if (rows.length === 0) return null;
  return (
    <section>
      <h2 class="section">{t('ingest.at_work', { n: rows.length })}</h2>
      <ul class="at-work">
        {rows.map((d) => {
          const p = d.job_id ? progress(d.job_id) : null;
          const waits = waitingText(d, p);
          return (
            <li key={d.id}>
              <StateBadge state={waits === null ? d.state : 'waiting'} />
              <a class="link clip" href={`/desk/films/${d.id}`}>
                {d.title ?? d.file_name}
              </a>
              {waits === null && p && <ProgressBar ratio={p.done_ppm / 1e6} label={t('films.progress', { name: d.title ?? d.file_name })} quiet />}
              <small class="faint num">{waits ?? (p ? remainingText(p.remaining_us) || percent(p.done_ppm / 1e6) : '')}</small>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

const AGES = [0, 6, 12, 16, 18];
const WORKING = new Set(['received', 'inspected']);

type Situation = 'lost' | 'queued' | 'sending' | 'waiting' | 'paused' | 'failed' | 'ready' | 'delivering' | 'delivered' | 'empty';

function situation(i: IngestItem): Situation {
  if (i.delivery) return 'delivered';
  if (i.delivering) return 'delivering';
  if (i.empty) return 'empty';
  if (ingestIsReady(i)) return 'ready';
  switch (i.upload?.phase) {
    case undefined:
      return 'lost';
    case 'idle':
      return 'queued';
    case 'creating':
    case 'asking':
    case 'sending':
      return 'sending';
    case 'done':
      return 'ready';
    case 'waiting':
    case 'paused':
    case 'failed':
      return i.upload.phase;
  }
}

function failureHint(status: number | null): TextKey {
  if (status === 413) return 'upload.failed.413';
  if (status === 403 || status === 401) return 'upload.failed.403';
  if (status === 507) return 'upload.failed.507';
  return 'upload.failed.hint';
}

function UploadCard({ item }: { item: IngestItem }): JSX.Element {
  const operate = useMayOperate();
  const s = situation(item);
  const sent = item.upload ? item.upload.sent : item.kept;
  const ratio = item.size === 0 ? 0 : sent / item.size;
  const rate = ingestRate(item);
  const left = rate && rate > 0 ? ((item.size - sent) / rate) * 1e6 : null;
  const delivered = item.delivery?.delivery_id ?? null;
  const delivery = useResource(delivered && `delivery/${delivered}`, (signal) => api.delivery(delivered!, signal), delivered ? [`delivery/${delivered}`] : []);
  const state = delivery.value?.state ?? null;
  const working = state === null || WORKING.has(state);
  const progress = useProgress();
  const job = item.delivery && working ? progress(item.delivery.job_id) : null;
  const waits = working && delivery.value ? waitingText(delivery.value, job) : null;
  useWhile(delivered !== null && working, delivery.reload);

  return (
    <article class={`upload ${s}`} aria-label={item.name}>
      <header>
        <Icon name={s === 'delivered' ? 'ok' : s === 'failed' || s === 'empty' ? 'error' : 'film'} />
        <h2 class="clip" title={item.name}>
          {item.name}
        </h2>
        <span class="num faint">{bytes(item.size)}</span>
        <div class="acts">
          {s === 'sending' && (
            <Button size="small" kind="quiet" icon="pause" onClick={() => ingestPause(item.key)}>
              {t('upload.pause')}
            </Button>
          )}
          {s === 'paused' && (
            <Button size="small" kind="quiet" icon="play" onClick={() => ingestResume(item.key)}>
              {t('upload.resume')}
            </Button>
          )}
          {(s === 'failed' || s === 'waiting') && (
            <Button size="small" kind="quiet" icon="refresh" onClick={() => ingestResume(item.key)}>
              {t('retry')}
            </Button>
          )}
          <Button size="small" kind="quiet" icon="close" onClick={() => ingestDiscard(item.key)}>
            {s === 'delivered' || s === 'empty' ? t('dismiss') : t('upload.discard')}
          </Button>
        </div>
      </header>
      {s !== 'delivered' && s !== 'empty' && (
        <div class="line">
          <ProgressBar
            ratio={ratio}
            label={t('upload.progress', { name: item.name })}
            tone={s === 'failed' ? 'error' : s === 'ready' || s === 'delivering' ? 'ok' : s === 'sending' ? 'info' : 'idle'}
          />
          <span class="num">{percent(ratio)}</span>
        </div>
      )}
      <p class="say" role="status">
        {s === 'lost' && t('upload.lost', { percent: percent(ratio) })}
        {s === 'empty' && t('upload.empty')}
        {s === 'queued' && t('upload.queued')}
        {s === 'sending' &&
          (rate === null
            ? t('upload.sending', { sent: bytes(sent), size: bytes(item.size) })
            : t('upload.sending.rate', { sent: bytes(sent), size: bytes(item.size), rate: bytes(rate), remaining: remainingText(left) }))}
        {s === 'waiting' && t(item.upload?.status === 507 ? 'upload.failed.507' : 'upload.waiting')}
        {s === 'paused' && t('upload.paused', { sent: bytes(sent) })}
        {s === 'failed' && t(failureHint(item.upload?.status ?? null))}
        {s === 'ready' && !item.error && t('upload.ready')}
        {s === 'delivering' && (item.checked === null ? t('upload.delivering') : t('upload.checking', { percent: percent(item.checked) }))}
        {s === 'delivered' && (waits !== null ? waits : working ? (job && remainingText(job.remaining_us)) || t('upload.delivered') : t('upload.delivered.ended'))}
      </p>
      {s === 'lost' && <FilePick primary={false} label={t('upload.again')} />}
      {item.error && <ErrorNote error={item.error} />}
      {item.delivery ? (
        <div class="acts">
          {/* Buttons first: what comes and goes behind them must not move them away under the pointer. */}
          <LinkButton size="small" kind="primary" href={`/desk/films/${item.delivery.delivery_id}`}>
            {t('upload.open')}
          </LinkButton>
          {operate && (
            <LinkButton size="small" kind="quiet" href={`/desk/jobs/${item.delivery.job_id}`}>
              {t('upload.job')}
            </LinkButton>
          )}
          {state && <StateBadge state={waits === null ? state : 'waiting'} />}
          {job && waits === null && <ProgressBar ratio={job.done_ppm / 1e6} label={t('films.progress', { name: item.name })} />}
        </div>
      ) : (
        <DeliveryForm item={item} />
      )}
    </article>
  );
}

function DeliveryForm({ item }: { item: IngestItem }): JSX.Element {
  const operate = useMayOperate();
  const list = useId();
  const titles = useResource(operate ? 'titles/all' : null, (s) => api.titles({ limit: 500 }, s));
  const requests = useResource('requests', api.requests, ['request/']);
  const { user } = useSession();
  const partners = useResource(user.role === 'admin' ? 'partners' : null, api.partners);
  const films = useResource(operate ? 'deliveries' : null, api.deliveries);
  // Administrators may list partners; to others those are known who delivered before.
  const names = [...new Set([...(partners.value ?? []).map((p) => p.name), ...(films.value ?? []).map((d) => d.partner_name ?? '')])].filter(Boolean).sort();
  const form = item.form;
  const set = (change: Partial<IngestForm>): void => ingestEdit(item.key, { ...form, ...change });
  const open = (requests.value ?? []).filter((r) => r.state === 'open' || r.id === form.answers);
  return (
    <form
      class="delivery-form"
      onSubmit={(e) => {
        e.preventDefault();
        ingestWant(item.key, form);
      }}
    >
      <Field label={t('form.title')} hint={t('form.title.hint')}>
        {(a) => <input {...a} value={form.title} required maxLength={300} autocomplete="off" onInput={(e) => set({ title: e.currentTarget.value })} />}
      </Field>
      {operate && (
        <Field label={t('form.title_id')} hint={t('form.title_id.hint')}>
          {(a) => (
            <>
              <input {...a} value={form.titleId} list={list} autocomplete="off" spellcheck={false} onInput={(e) => set({ titleId: e.currentTarget.value })} />
              <datalist id={list}>
                {(titles.value ?? []).map((c) => (
                  <option key={c.id} value={c.id}>
                    {c.name}
                  </option>
                ))}
              </datalist>
            </>
          )}
        </Field>
      )}
      {operate && (
        <Field label={t('form.partner')} hint={t('form.partner.hint')}>
          {(a) => (
            <>
              <input {...a} value={form.partner} list={`${list}-p`} autocomplete="off" onInput={(e) => set({ partner: e.currentTarget.value })} />
              <datalist id={`${list}-p`}>
                {names.map((name) => (
                  <option key={name} value={name} />
                ))}
              </datalist>
            </>
          )}
        </Field>
      )}
      <Field label={t('form.maturity')} hint={t('form.maturity.hint')}>
        {(a) => (
          <select {...a} value={form.maturity} onChange={(e) => set({ maturity: e.currentTarget.value })}>
            <option value="">{t('maturity.none')}</option>
            {AGES.map((age) => (
              <option key={age} value={String(age)}>
                {t(age === 0 ? 'maturity.all' : 'maturity.from', { age })}
              </option>
            ))}
          </select>
        )}
      </Field>
      {(open.length > 0 || form.answers !== '') && (
        <Field label={t('form.answers')} hint={t('form.answers.hint')}>
          {(a) => (
            <select {...a} value={form.answers} onChange={(e) => set({ answers: e.currentTarget.value })}>
              <option value="">{t('form.answers.none')}</option>
              {form.answers !== '' && !open.some((r) => r.id === form.answers) && <option value={form.answers}>{form.answers}</option>}
              {open.map((r) => (
                <option key={r.id} value={r.id}>
                  {`${r.title ?? r.file_name ?? r.id} · ${r.partner_name ?? ''}`.replace(/ · $/, '')}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <div class="foot">
        <Button type="submit" kind="primary" disabled={item.wanted && !item.error}>
          {item.wanted && !item.error ? t('form.deliver.wanted') : t('form.deliver')}
        </Button>
        <span class="faint">{item.upload?.phase === 'done' ? '' : t('form.deliver.hint')}</span>
      </div>
    </form>
  );
}
