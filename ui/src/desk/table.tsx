// SPDX-License-Identifier: GPL-3.0-or-later
//
// Dense tables of any length. Sort and filter stand in the address; only the rows on screen are in
// the document (heights are fixed, spacers stand for the rest), so ten thousand rows scroll like
// ten. Keys: j/k or arrows move, Enter opens, Home/End jump.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Icon } from '../shared/components/icons';
import { count } from '../shared/format';
import { navigate, useQueryWord } from '../shared/router';
import { t } from './text';
import { wordsGet, wordsMatch, wordsParse, wordsSet } from './words';

export interface Column<T> {
  id: string;
  title: string;
  width: string; // a grid track: "96px", "minmax(120px, 2fr)"
  cell: (row: T) => ComponentChildren;
  sort?: (row: T) => string | number | null; // null comes last either way
  descendingFirst?: boolean;
  end?: boolean; // numbers stand right
  wide?: boolean; // not on a phone
  tall?: boolean; // on a phone, as high as both lines
}

export interface Facet {
  key: string; // the query word: "state"
  label: string;
  values: { value: string; label: string }[];
}

export interface TableProps<T> {
  name: string; // for screen readers
  rows: readonly T[];
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  href?: (row: T) => string;
  fields: (row: T) => Record<string, string | null | undefined>; // what words search in
  facets?: readonly Facet[];
  sort: string; // the sort when the address says none: "-received"
  second?: (row: T) => ComponentChildren; // a phone's second line
  actions?: ComponentChildren;
  partial?: string | null; // what to say when not all rows are here yet
  empty: ComponentChildren; // when there are no rows at all
  lead?: (row: T) => ComponentChildren; // a phone's first cell, where it differs
}

const ROW = 36;
const ROW_PHONE = 60;
const PHONE = '(max-width: 720px)';

export function usePhone(): boolean {
  const [phone, set] = useState(() => matchMedia(PHONE).matches);
  useEffect(() => {
    const m = matchMedia(PHONE);
    const on = (): void => set(m.matches);
    m.addEventListener('change', on);
    return () => m.removeEventListener('change', on);
  }, []);
  return phone;
}

function compare(a: string | number | null, b: string | number | null): number {
  if (a === b) return 0;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return collator.compare(String(a), String(b));
}
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

export function sortRows<T>(rows: readonly T[], column: Column<T> | undefined, down: boolean): readonly T[] {
  const value = column?.sort;
  if (!value) return rows;
  return rows
    .map((row) => ({ row, key: value(row) }))
    .sort((a, b) => {
      if (a.key === null || b.key === null) return a.key === b.key ? 0 : a.key === null ? 1 : -1;
      return down ? compare(b.key, a.key) : compare(a.key, b.key);
    })
    .map((x) => x.row);
}

export function Table<T>(props: TableProps<T>): JSX.Element {
  const { rows, columns, rowKey } = props;
  const phone = usePhone();
  const [query, setQuery] = useQueryWord('q');
  const [sortWord, setSortWord] = useQueryWord('sort');
  const sort = sortWord || props.sort;
  const down = sort.startsWith('-');
  const sortId = sort.replace(/^-/, '');
  const column = columns.find((c) => c.id === sortId);

  const shown = useMemo(() => {
    const words = wordsParse(query);
    const some = words.keys.length + words.text.length > 0;
    const kept = some ? rows.filter((r) => wordsMatch(words, props.fields(r))) : rows;
    return sortRows(kept, column, down);
  }, [rows, query, sort]);

  const visible = phone ? columns.filter((c) => !c.wide) : columns;
  const template = visible.map((c) => c.width).join(' ');
  const height = phone && props.second ? ROW_PHONE : ROW;

  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 900 });
  useLayoutEffect(() => {
    const el = scroller.current;
    if (!el) return;
    const measure = (): void =>
      setView((v) => {
        const next = { top: el.scrollTop, height: el.clientHeight };
        return next.height === v.height && Math.abs(next.top - v.top) < height ? v : next;
      });
    measure();
    const ro = new ResizeObserver(measure);
    ro.observe(el);
    el.addEventListener('scroll', measure, { passive: true });
    return () => {
      ro.disconnect();
      el.removeEventListener('scroll', measure);
    };
  }, [height, rows.length === 0 && query === '']);

  const [at, setAt] = useState<string | null>(null); // key of the chosen row
  // Keys may come faster than renders: they read and write the place itself.
  const place = useRef(-1);
  place.current = at === null ? -1 : shown.findIndex((r) => rowKey(r) === at);

  const go = (to: number): void => {
    const row = shown[Math.max(0, Math.min(shown.length - 1, to))];
    const el = scroller.current;
    if (!row || !el) return;
    setAt(rowKey(row));
    place.current = Math.max(0, Math.min(shown.length - 1, to));
    const y = Math.max(0, Math.min(shown.length - 1, to)) * height;
    const head = phone ? 0 : 32;
    if (y < el.scrollTop) el.scrollTop = y;
    else if (y + height + head > el.scrollTop + el.clientHeight) el.scrollTop = y + height + head - el.clientHeight;
  };

  useEffect(() => {
    const onKey = (e: KeyboardEvent): void => {
      if (e.defaultPrevented || e.metaKey || e.ctrlKey || e.altKey || document.querySelector('dialog[open]')) return;
      const target = e.target as HTMLElement;
      if (target.closest('input, textarea, select, [role=menu]')) return;
      const step: Record<string, number> = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 15, PageUp: -15 };
      if (e.key in step) go(place.current + step[e.key]!);
      else if (e.key === 'Home') go(0);
      else if (e.key === 'End') go(shown.length - 1);
      else if (e.key === 'Enter' && shown[place.current] && props.href && !target.closest('a, button')) navigate(props.href(shown[place.current]!));
      else return;
      e.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });

  const first = Math.max(0, Math.floor(view.top / height) - 10);
  const last = Math.min(shown.length, Math.ceil((view.top + view.height) / height) + 10);

  return (
    <div class="table-page">
      <div class="table-bar" hidden={rows.length === 0 && query === ''}>
        <label class="filter">
          <Icon name="search" />
          <span class="visually-hidden">{t('table.filter')}</span>
          <input
            type="search"
            value={query}
            placeholder={t('table.filter.placeholder')}
            spellcheck={false}
            autocomplete="off"
            data-filter
            onInput={(e) => setQuery(e.currentTarget.value)}
            onKeyDown={(e) => {
              if (e.key === 'Escape') e.currentTarget.blur();
              if (e.key === 'Enter' || e.key === 'ArrowDown') {
                e.currentTarget.blur();
                go(0);
                e.preventDefault();
              }
            }}
          />
        </label>
        {props.facets?.map((f) => {
          const value = wordsGet(query, f.key);
          return (
            <label key={f.key} class={`facet ${value ? 'on' : ''}`}>
              <span class="visually-hidden">{f.label}</span>
              <select
                value={value ?? ''}
                onChange={(e) => setQuery(wordsSet(query, f.key, e.currentTarget.value || null))}
              >
                <option value="">{f.label}</option>
                {value && !f.values.some((v) => v.value === value) && <option value={value}>{value}</option>}
                {f.values.map((v) => (
                  <option key={v.value} value={v.value}>
                    {v.label}
                  </option>
                ))}
              </select>
            </label>
          );
        })}
        {phone && (
          <label class="facet">
            <span class="visually-hidden">{t('table.sort')}</span>
            <select value={sort} onChange={(e) => setSortWord(e.currentTarget.value)}>
              {columns
                .filter((c) => c.sort)
                .flatMap((c) => [
                  <option key={c.id} value={c.id}>{`${c.title} ↑`}</option>,
                  <option key={`-${c.id}`} value={`-${c.id}`}>{`${c.title} ↓`}</option>,
                ])}
            </select>
          </label>
        )}
        <span class="count" role="status">
          {shown.length === rows.length
            ? t('table.count', { n: rows.length, count: count(rows.length) })
            : t('table.count.some', { shown: count(shown.length), count: count(rows.length) })}
          {props.partial ? ` · ${props.partial}` : ''}
        </span>
        {props.actions}
      </div>
      {rows.length === 0 && query === '' ? (
        props.empty
      ) : (
        <div class="table" ref={scroller} role="table" aria-label={props.name} aria-rowcount={shown.length + 1} tabIndex={-1}>
          <div class={`thead ${phone ? 'visually-hidden' : ''}`} role="rowgroup">
            <div class="tr" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
              {visible.map((c) => (
                <div
                  key={c.id}
                  role="columnheader"
                  class={`th ${c.end ? 'end' : ''}`}
                  aria-sort={sortId === c.id ? (down ? 'descending' : 'ascending') : undefined}
                >
                  {c.sort ? (
                    <button
                      type="button"
                      onClick={() =>
                        setSortWord(sortId === c.id ? (down ? c.id : `-${c.id}`) : c.descendingFirst ? `-${c.id}` : c.id)
                      }
                    >
                      {c.title}
                      {sortId === c.id && <Icon name={down ? 'chevronDown' : 'chevronUp'} />}
                    </button>
                  ) : (
                    c.title
                  )}
                </div>
              ))}
            </div>
          </div>
          {shown.length === 0 ? (
            <div class="nothing">
              <p>{t('table.nothing')}</p>
              <button type="button" class="button small outline" onClick={() => setQuery('')}>
                {t('table.clear')}
              </button>
            </div>
          ) : (
            <div class="tbody" role="rowgroup" style={{ height: `${shown.length * height}px` }}>
              {shown.slice(first, last).map((row, i) => {
                const key = rowKey(row);
                const to = props.href?.(row);
                return (
                  <div
                    key={key}
                    role="row"
                    aria-rowindex={first + i + 2}
                    aria-selected={key === at}
                    class={`tr ${to ? 'opens' : ''} ${key === at ? 'at' : ''} ${phone && props.second ? 'two' : ''}`}
                    style={{
                      gridTemplateColumns: template,
                      height: `${height}px`,
                      transform: `translateY(${(first + i) * height}px)`,
                    }}
                    onClick={(e) => {
                      if ((e.target as HTMLElement).closest('a, button, input')) return;
                      setAt(key);
                      if (to && getSelection()?.isCollapsed !== false) navigate(to);
                    }}
                  >
                    {visible.map((c) => (
                      <div key={c.id} role="cell" class={`td ${c.end ? 'end' : ''} ${c.tall ? 'tall' : ''}`}>
                        {c.cell(row)}
                      </div>
                    ))}
                    {phone && props.second && (
                      <div class="second" role="cell">
                        {props.second(row)}
                      </div>
                    )}
                  </div>
                );
              })}
            </div>
          )}
        </div>
      )}
    </div>
  );
}
