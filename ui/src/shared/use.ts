// SPDX-License-Identifier: GPL-3.0-or-later
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

export interface Loaded<T> {
  value: T | null; // the last good answer, kept while another is on its way
  error: unknown;
  loading: boolean;
  reload: () => void;
  /** Puts in what the page knows already (a toggled heart), without asking again. */
  set: (change: (value: T) => T) => void;
}

/** State outside of components: `tell` that it changed, `use` to be drawn again when it did. */
export class Changes {
  private readonly listeners = new Set<() => void>();
  private told = 0;

  readonly tell = (): void => {
    this.told += 1;
    this.listeners.forEach((listener) => listener());
  };

  /** Sees what was told between the drawing and the effect behind it, too: a page may open on a change. */
  readonly use = (): void => {
    const drawn = this.told;
    const [, turn] = useState(0);
    useEffect(() => {
      const listener = () => turn((n) => n + 1);
      this.listeners.add(listener);
      if (this.told !== drawn) listener();
      return () => void this.listeners.delete(listener);
    }, []);
  };
}

const kept = new Map<string, unknown>();

/** Forgets what `keep` kept: after signing in or out, or when the profile changes. */
export function forgetKept(): void {
  kept.clear();
}

/**
 * Asks when `deps` change and cancels what is no longer wanted. With `keep`, the last answer under that
 * name is shown at once when one comes back to the page, and refreshed behind it.
 */
export function useLoad<T>(
  load: (signal: AbortSignal) => Promise<T>,
  deps: readonly unknown[],
  keep?: string,
): Loaded<T> {
  const start = (): { value: T | null; error: unknown; loading: boolean } => ({
    value: (keep === undefined ? null : (kept.get(keep) as T | undefined)) ?? null,
    error: null,
    loading: true,
  });
  const [state, setState] = useState(start);
  const [round, setRound] = useState(0);
  const name = useRef(keep);
  useEffect(() => {
    const stop = new AbortController();
    if (name.current !== keep) {
      name.current = keep;
      setState(start());
    } else setState((before) => ({ ...before, loading: true, error: null }));
    load(stop.signal).then(
      (value) => {
        if (stop.signal.aborted) return;
        if (keep !== undefined) kept.set(keep, value);
        setState({ value, error: null, loading: false });
      },
      (error: unknown) => {
        if (!stop.signal.aborted) setState((before) => ({ ...before, error, loading: false }));
      },
    );
    return () => stop.abort();
  }, [...deps, round]);
  const reload = useCallback(() => setRound((n) => n + 1), []);
  const set = useCallback((change: (value: T) => T) => {
    setState((before) => {
      if (before.value === null) return before;
      const value = change(before.value);
      if (keep !== undefined) kept.set(keep, value);
      return { ...before, value };
    });
  }, [keep]);
  return { ...state, reload, set };
}

/** True once `ms` have passed while `on` holds: skeletons only for what takes over 300 ms. */
export function useAfter(on: boolean, ms: number): boolean {
  const [after, setAfter] = useState(false);
  useEffect(() => {
    setAfter(false);
    if (!on) return;
    const timer = setTimeout(() => setAfter(true), ms);
    return () => clearTimeout(timer);
  }, [on, ms]);
  return after;
}

/** The value as it was when it last stood still for `ms`. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

export function useTitle(text: string): void {
  useEffect(() => {
    document.title = text;
  }, [text]);
}
