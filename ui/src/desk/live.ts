// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one event stream of the page, shared by all that listen; progress of jobs and steps is kept
// here, since it is told once and asked for by many.

import { follow, type CloudEvent, type Following } from '../shared/sse';
import { Changes } from '../shared/use';
import type { Progress } from './types';

export type LiveState = 'off' | 'live' | 'waiting' | 'refused';

type Listener = (event: CloudEvent) => void;
const listeners = new Map<string, Set<Listener>>();
const changes = new Changes();
const jobs = new Map<string, Progress & { at: number }>();
const steps = new Map<string, Progress & { at: number }>(); // "job step"
let following: Following | null = null;
let state: LiveState = 'off';
let scheduled = false;

// Many progress messages may come between two frames of the screen: one drawing for all.
function drawSoon(): void {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    changes.tell();
  });
}

export function liveDispatch(event: CloudEvent): void {
  if (event.type.startsWith('progress.')) {
    const p = event.data as unknown as Progress;
    const at = Date.now();
    if (p.step) steps.set(`${p.job} ${p.step}`, { ...p, at });
    else jobs.set(p.job, { ...p, at });
    drawSoon();
  }
  const subject = event.subject ?? '';
  for (const [prefix, set] of listeners) if (subject.startsWith(prefix)) for (const l of [...set]) l(event);
}

export function liveStart(subject: string): void {
  following?.stop();
  following = follow(`/api/v1/events${subject === '' ? '' : `?subject=${encodeURIComponent(subject)}`}`, liveDispatch, (s) => {
    state = s;
    drawSoon();
  });
}

export function liveStop(): void {
  following?.stop();
  following = null;
  state = 'off';
}

export function liveSubscribe(prefix: string, listener: Listener): () => void {
  let set = listeners.get(prefix);
  if (!set) listeners.set(prefix, (set = new Set()));
  set.add(listener);
  return () => {
    set.delete(listener);
    if (set.size === 0) listeners.delete(prefix);
  };
}

export function useLiveState(): LiveState {
  changes.use();
  return state;
}

// Looks up the latest progress of a job, or of one of its steps; null before the first message.
export function useProgress(): (job: string, step?: string) => (Progress & { at: number }) | null {
  changes.use();
  return (job, step) => (step === undefined ? jobs.get(job) : steps.get(`${job} ${step}`)) ?? null;
}
