// SPDX-License-Identifier: GPL-3.0-or-later
//
// Search over everything: titles by the server, what the desk has loaded by itself. A combobox after
// the ARIA practices: the list never takes focus, arrows move through it.

import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { titles, type Card } from '../shared/api';
import { Icon, type IconName } from '../shared/components/icons';
import { ago } from '../shared/format';
import { href, navigate } from '../shared/router';
import { useSettled } from '../shared/use';
import { api } from './api';
import { useMayOperate } from './session';
import { kindWord, stateWord } from './state';
import { subjectHref } from './subject';
import { t } from './text';
import type { Delivery, Finding, Job, Request } from './types';

interface Hit {
  to: string;
  icon: IconName;
  text: string;
  aside: string;
}

interface Everything {
  deliveries: Delivery[];
  jobs: Job[];
  findings: Finding[];
  requests: Request[];
}

const AGE_MS = 20_000;
const PER_GROUP = 5;

export function SearchBox(): JSX.Element {
  const operate = useMayOperate();
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const [all, setAll] = useState<Everything | null>(null);
  const [found, setFound] = useState<Card[]>([]);
  const loaded = useRef(0);
  const input = useRef<HTMLInputElement>(null);
  const settled = useSettled(text.trim(), 120);

  const loadAll = (): void => {
    if (Date.now() - loaded.current < AGE_MS) return;
    loaded.current = Date.now();
    // A part that fails is a part without hits: its own page says why.
    const or = <T,>(p: Promise<T[]>): Promise<T[]> => p.catch(() => []);
    void Promise.all([
      or(api.deliveries()),
      operate ? or(api.jobs(null, 200)) : [],
      operate ? or(api.findings({ limit: 500 })) : [],
      or(api.requests()),
    ]).then(([deliveries, jobs, findings, requests]) => setAll({ deliveries, jobs, findings, requests }));
  };

  useEffect(() => {
    if (settled === '') return setFound([]);
    const stop = new AbortController();
    titles.search(settled, { signal: stop.signal }).then(
      (f) => setFound(f.titles),
      () => undefined,
    );
    return () => stop.abort();
  }, [settled]);

  const groups = useMemo(() => hits(text.trim().toLowerCase(), all, found, operate), [text, all, found]);
  const flat = groups.flatMap((g) => g.hits);
  const chosen = Math.min(at, flat.length - 1);

  const leave = (): void => {
    setOpen(false);
    setText('');
    setAt(0);
    input.current?.blur();
  };

  let serial = -1;
  return (
    <div class="search" role="search">
      <Icon name="search" />
      <input
        ref={input}
        data-search
        type="search"
        role="combobox"
        aria-label={t('search')}
        aria-expanded={open && text !== ''}
        aria-controls="search-hits"
        aria-activedescendant={open && flat[chosen] ? `hit-${chosen}` : undefined}
        placeholder={t('search.placeholder')}
        autocomplete="off"
        spellcheck={false}
        value={text}
        onFocus={() => {
          loadAll();
          setOpen(true);
        }}
        onBlur={() => setTimeout(() => setOpen(false), 120)}
        onInput={(e) => {
          setText(e.currentTarget.value);
          setAt(0);
          setOpen(true);
        }}
        onKeyDown={(e) => {
          if (e.key === 'Escape') leave();
          else if (e.key === 'ArrowDown') setAt(Math.min(flat.length - 1, chosen + 1));
          else if (e.key === 'ArrowUp') setAt(Math.max(0, chosen - 1));
          else if (e.key === 'Enter' && flat[chosen]) {
            navigate(flat[chosen].to);
            leave();
          } else return;
          e.preventDefault();
        }}
      />
      <kbd aria-hidden="true">/</kbd>
      {open && text.trim() !== '' && (
        <div class="hits" id="search-hits" role="listbox" aria-label={t('search.results')}>
          {flat.length === 0 && <p class="none">{all === null ? t('loading') : t('search.none', { text: text.trim() })}</p>}
          {groups.map((g) => (
            <div role="group" aria-label={g.name} key={g.name}>
              <h3 aria-hidden="true">{g.name}</h3>
              {g.hits.map((h) => {
                serial += 1;
                const mine = serial;
                return (
                  <a
                    key={h.to}
                    id={`hit-${mine}`}
                    role="option"
                    aria-selected={mine === chosen}
                    href={h.to}
                    tabIndex={-1}
                    onPointerMove={() => setAt(mine)}
                    onClick={leave}
                  >
                    <Icon name={h.icon} />
                    <span>{h.text}</span>
                    <small>{h.aside}</small>
                  </a>
                );
              })}
            </div>
          ))}
        </div>
      )}
    </div>
  );
}

function hits(text: string, all: Everything | null, found: readonly Card[], operate: boolean): { name: string; hits: Hit[] }[] {
  if (text === '') return [];
  const fits = (...of: (string | null | undefined)[]): boolean =>
    text.split(/\s+/).every((w) => of.some((o) => o?.toLowerCase().includes(w)));
  const groups: { name: string; hits: Hit[] }[] = [];
  const add = (name: string, list: Hit[]): void => {
    if (list.length > 0) groups.push({ name, hits: list.slice(0, PER_GROUP) });
  };
  add(
    t('nav.films'),
    (all?.deliveries ?? [])
      .filter((d) => fits(d.title, d.file_name, d.id, d.partner, d.hash))
      .map((d) => ({ to: `/desk/films/${d.id}`, icon: 'film', text: d.title ?? d.file_name, aside: `${stateWord(d.state)} · ${d.file_name}` })),
  );
  if (operate)
    add(
      t('nav.titles'),
      found.map((c) => ({ to: `/desk/titles/${c.id}`, icon: 'list', text: c.name, aside: c.year ? String(c.year) : '' })),
    );
  add(
    t('nav.jobs'),
    (all?.jobs ?? [])
      .filter((j) => fits(j.id, j.workflow, j.subject, j.state, j.error))
      .map((j) => ({ to: `/desk/jobs/${j.id}`, icon: 'jobs', text: `${j.workflow} ${j.id.slice(-8)}`, aside: `${stateWord(j.state)} · ${ago(j.created)}` })),
  );
  add(
    t('nav.findings'),
    (all?.findings ?? [])
      .filter((f) => fits(f.kind, kindWord(f.kind), f.subject, f.severity, f.state))
      .map((f) => ({ to: subjectHref(f.subject ?? '') ?? href('/desk/findings', { q: `kind:${f.kind}` }), icon: 'flag', text: kindWord(f.kind), aside: `${stateWord(f.state ?? 'open')} · ${f.subject ?? ''}` })),
  );
  add(
    t('nav.requests'),
    (all?.requests ?? [])
      .filter((r) => fits(r.id, r.partner, r.title, r.file_name, r.state))
      .map((r) => ({ to: `/desk/requests/${r.id}`, icon: 'mail', text: r.title ?? r.file_name ?? r.id, aside: `${stateWord(r.state)} · ${ago(r.created)}` })),
  );
  return groups;
}
