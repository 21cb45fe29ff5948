// SPDX-License-Identifier: GPL-3.0-or-later
// Addresses as state: one place that reads and writes the browser's history. Each entry has a key, under
// which the window's scroll is remembered, so that going back finds the page where it was left.
import { useEffect, useState } from 'preact/hooks';

export interface Place {
  path: string;
  query: URLSearchParams;
  key: string;
}

export type Params = Record<string, string>;

/** "/title/:id" against "/title/x%20y" is {id: "x y"}; a last "*name" takes slashes too; null otherwise. */
export function match(pattern: string, path: string): Params | null {
  const want = pattern.split('/').filter(Boolean);
  const have = path.split('/').filter(Boolean);
  const params: Params = {};
  for (let i = 0; i < want.length; i += 1) {
    const part = want[i]!;
    if (part.startsWith('*')) {
      params[part.slice(1)] = have.slice(i).map(decode).join('/');
      return params;
    }
    const got = have[i];
    if (got === undefined) return null;
    if (part.startsWith(':')) params[part.slice(1)] = decode(got);
    else if (part !== got) return null;
  }
  return want.length === have.length ? params : null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray % is the user's, not a reason to fail
  }
}

/** "/search" with {q: "a b", tag: undefined} is "/search?q=a+b". */
export function href(path: string, query: Record<string, string | number | undefined | null> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

let serial = 0;
const freshKey = () => `${Date.now().toString(36)}.${(serial += 1)}`;
const keyOf = (state: unknown): string =>
  (state as { key?: string } | null)?.key ?? 'first';

function read(): Place {
  return {
    path: location.pathname,
    query: new URLSearchParams(location.search),
    key: keyOf(history.state),
  };
}

const listeners = new Set<() => void>();
const tell = () => listeners.forEach((listener) => listener());

const scrolls = new Map<string, number>();
const keepScroll = () => scrolls.set(keyOf(history.state), window.scrollY);

/** Where the window was when this entry was left; 0 for a new one. */
export const scrollOf = (place: Place): number => scrolls.get(place.key) ?? 0;

export function navigate(to: string, how: { replace?: boolean; keepScroll?: boolean } = {}): void {
  keepScroll();
  if (how.replace) history.replaceState({ key: keyOf(history.state) }, '', to);
  else history.pushState({ key: freshKey() }, '', to);
  if (!how.replace && !how.keepScroll) window.scrollTo(0, 0);
  tell();
}

/** Goes back where this application was before, or to `otherwise` when one came from outside. */
export function back(otherwise: string): void {
  if (keyOf(history.state) === 'first') navigate(otherwise, { replace: true });
  else history.back();
}

/** Begins to listen: once an application. Plain clicks on its own links become navigation. */
export function startRouter(base: string): void {
  history.scrollRestoration = 'manual';
  // The browser has moved on when popstate comes: the scroll of the entry left is kept as it changes.
  let left = keyOf(history.state);
  let y = 0;
  window.addEventListener('scroll', () => (y = window.scrollY), { passive: true });
  window.addEventListener('popstate', () => {
    scrolls.set(left, y);
    left = keyOf(history.state);
    tell();
  });
  listeners.add(() => (left = keyOf(history.state)));
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (!belongs(base, link.pathname)) return;
    if (link.pathname === location.pathname && link.search === location.search && link.hash) return;
    event.preventDefault();
    navigate(link.pathname + link.search + link.hash);
  });
}

/** The faces live beside each other and beside the server's own paths. */
function belongs(base: string, path: string): boolean {
  if (/^\/(api|media|art|link|assets|healthz)(\/|$)/.test(path)) return false;
  return base === '/' ? !/^\/desk(\/|$)/.test(path) : path.startsWith(base) || `${path}/` === base;
}

export function usePlace(): Place {
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const listener = () => setPlace(read());
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
  }, []);
  return place;
}

/** Reads and writes one word of the query without leaving the page. */
export function useQueryWord(name: string): [string, (value: string) => void] {
  const place = usePlace();
  const set = (value: string) => {
    const query = new URLSearchParams(location.search);
    if (value === '') query.delete(name);
    else query.set(name, value);
    const text = query.toString();
    navigate(location.pathname + (text ? `?${text}` : ''), { replace: true });
  };
  return [place.query.get(name) ?? '', set];
}
