// SPDX-License-Identifier: GPL-3.0-or-later
//
// What was loaded, by name: shown at once when one comes back, asked for anew behind it, and
// asked for again when an event names its subject. Pages never hold server state of their own.

import { useEffect, useState } from 'preact/hooks';
import { liveSubscribe } from './live';

export interface Resource<T> {
  value: T | undefined;
  error: Error | null;
  loading: boolean; // the first time: nothing to show yet
  reload: () => void;
  // Shows a change before the server confirmed it; the next load replaces it.
  patch: (change: (value: T) => T) => void;
}

interface Entry {
  value: unknown;
  error: Error | null;
  pending: AbortController | null;
  again: boolean;
  load: ((signal: AbortSignal) => Promise<unknown>) | null;
  readonly listeners: Set<() => void>;
}

const entries = new Map<string, Entry>();
const KEEP = 200;

function entryOf(name: string): Entry {
  let e = entries.get(name);
  if (!e) {
    e = { value: undefined, error: null, pending: null, again: false, load: null, listeners: new Set() };
    entries.set(name, e);
    if (entries.size > KEEP)
      for (const [k, old] of entries) {
        if (old.listeners.size === 0 && k !== name) {
          entries.delete(k);
          break;
        }
      }
  }
  return e;
}

function changed(e: Entry): void {
  for (const l of e.listeners) l();
}

function load(e: Entry): void {
  if (e.pending) {
    e.again = true;
    return;
  }
  if (!e.load) return;
  const stop = new AbortController();
  e.pending = stop;
  e.load(stop.signal).then(
    (value) => {
      e.value = value;
      e.error = null;
    },
    (error: unknown) => {
      if (!stop.signal.aborted) e.error = error instanceof Error ? error : new Error(String(error));
    },
  ).finally(() => {
    e.pending = null;
    if (e.again && e.listeners.size > 0) {
      e.again = false;
      load(e);
    }
    changed(e);
  });
}

// Asks again for all whose names begin with `prefix`, where somebody looks at them.
export function resourceStale(prefix: string): void {
  for (const [name, e] of entries) {
    if (!name.startsWith(prefix)) continue;
    if (e.listeners.size > 0) load(e);
    else entries.delete(name);
  }
}

// What is already here, for searching; undefined when nobody asked for it yet.
export function resourcePeek<T>(name: string): T | undefined {
  return entries.get(name)?.value as T | undefined;
}

export function useResource<T>(
  name: string | null,
  how: (signal: AbortSignal) => Promise<T>,
  live: readonly string[] = [], // subject prefixes whose events make it stale
): Resource<T> {
  const [, turn] = useState(0);
  const entry = name === null ? null : entryOf(name);
  if (entry) entry.load = how;
  useEffect(() => {
    if (name === null) return;
    const e = entryOf(name);
    e.load = how;
    const listener = (): void => turn((n) => n + 1);
    e.listeners.add(listener);
    load(e);
    let timer: ReturnType<typeof setTimeout> | null = null;
    const quiet = live.map((subject) =>
      liveSubscribe(subject, (event) => {
        // Progress is shown from the stream itself; only facts change what the server would answer.
        if (event.type.startsWith('progress.') || timer !== null) return;
        timer = setTimeout(() => {
          timer = null;
          load(e);
        }, 250);
      }),
    );
    return () => {
      e.listeners.delete(listener);
      quiet.forEach((q) => q());
      if (timer !== null) clearTimeout(timer);
    };
    // The loader is a fresh closure at every render; the name is what identifies it.
  }, [name, live.join()]);
  return {
    value: entry?.value as T | undefined,
    error: entry?.error ?? null,
    loading: entry !== null && entry.value === undefined && entry.error === null,
    reload: () => entry && load(entry),
    patch: (change) => {
      if (!entry || entry.value === undefined) return;
      entry.value = change(entry.value as T);
      changed(entry);
    },
  };
}
