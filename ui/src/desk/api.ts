// SPDX-License-Identifier: GPL-3.0-or-later
//
// The desk's calls, one function a route of docs/api.md, with the desk's own fuller types.

import { API, ApiError, ask } from '../shared/api';
import { href } from '../shared/router';
import type { CloudEvent } from '../shared/sse';
import type {
  Alert,
  AuditEntry,
  AuditVerdict,
  Dashboard,
  DashboardHead,
  Delivery,
  Finding,
  Job,
  Partner,
  PeersPlot,
  Plan,
  Related,
  Report,
  Request,
Run, RunWhole,   Session,
  Title,
  Treatment,
  Card,
  User,
} from './types';

const BASE = `${API}/`;

const call = <T>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, signal?: AbortSignal): Promise<T> =>
  ask<T>(method, `/${path}`, body, { signal });
const get = <T>(path: string, signal?: AbortSignal): Promise<T> => call<T>('GET', path, undefined, signal);
const id = encodeURIComponent;

const query = (values: Parameters<typeof href>[1]): string => href('', values);

export const PAGE = 1000;
export const MOST = 20_000;

// All of a list, page by page: sorting and filtering work on the whole of it.
export async function pages<T extends { id?: string }>(page: (before: string | null) => Promise<T[]>, onPage: (all: readonly T[]) => void = () => undefined): Promise<T[]> {
  const all: T[] = [];
  for (let before: string | null = null; all.length < MOST; ) {
    const some: T[] = await page(before);
    all.push(...some);
    before = some[some.length - 1]?.id ?? null;
    if (some.length < PAGE || before === null) break;
    onPage(all);
  }
  return all;
}

export const api = {
  session: (s?: AbortSignal) => get<Session>('session', s),
  signIn: (name: string, password: string) => call<Session>('POST', 'session', { name, password }),
  signOut: () => call<null>('DELETE', 'session'),

  deliveries: (s?: AbortSignal) =>
    pages((before) => get<{ deliveries: Delivery[] }>(`deliveries${query({ limit: PAGE, before })}`, s).then((r) => r.deliveries)),
  delivery: (d: string, s?: AbortSignal) => get<Delivery>(`deliveries/${id(d)}`, s),
  deliver: (body: {
    upload_id: string;
    title?: string;
    title_id?: string;
    partner?: string;
    answers?: string;
    maturity?: number;
  }) => call<{ delivery_id: string; job_id: string } | { checked: number; bytes: number }>('POST', 'deliveries', body),
  again: (d: string) => call<{ delivery_id: string; job_id: string }>('POST', `deliveries/${id(d)}/again`, {}),
  report: (d: string, s?: AbortSignal) => get<Report>(`deliveries/${id(d)}/report`, s),
  framePts: (d: string, start: number, end: number, s?: AbortSignal) =>
    get<{ start: number; pts: number[] }>(`deliveries/${id(d)}/frames${query({ start, end })}`, s),
  stillUrl: (d: string, n: number) => `${BASE}deliveries/${id(d)}/stills/${n}.jpg`,
  frameUrl: (d: string, n: number) => `${BASE}deliveries/${id(d)}/frames/${n}.jpg`,

  requests: (s?: AbortSignal) =>
    pages((before) => get<{ requests: Request[] }>(`requests${query({ limit: PAGE, before })}`, s).then((r) => r.requests)),
  request: (r: string, s?: AbortSignal) => get<Request>(`requests/${id(r)}`, s),

  alerts: (s?: AbortSignal) => get<{ alerts: Alert[] }>('alerts', s).then((r) => r.alerts),
  alert: (a: string, s?: AbortSignal) => get<Alert>(`alerts/${id(a)}`, s),
  related: (a: string, s?: AbortSignal) => get<Related>(`alerts/${id(a)}/related`, s),
  pictureUrl: (a: string, place: number, theme: 'dark' | 'light') => `${BASE}alerts/${id(a)}/related/${place}/picture?theme=${theme}`,
  actionsBeside: (a: string, s?: AbortSignal) => get<{ actions: Treatment[] }>(`alerts/${id(a)}/actions`, s).then((r) => r.actions),
  plot: (a: string, s?: AbortSignal) => get<{ plot: PeersPlot | null }>(`actions/${id(a)}/plot`, s).then((r) => r.plot),
  alertsBeside: (a: string, s?: AbortSignal) => get<{ alerts: Alert[] }>(`actions/${id(a)}/alerts`, s).then((r) => r.alerts),
  alertsEnded: (s?: AbortSignal) => get<{ alerts: Alert[] }>('alerts?state=resolved&limit=20', s).then((r) => r.alerts),
  ack: (a: string, why: string) => call<unknown>('POST', `alerts/${id(a)}/ack`, { why }),
  actions: (s?: AbortSignal) => get<{ actions: Treatment[] }>('actions', s).then((r) => r.actions),
  action: (a: string, s?: AbortSignal) => get<Treatment>(`actions/${id(a)}`, s),
  decide: (a: string, how: 'approve' | 'refuse' | 'undo') => call<unknown>('POST', `actions/${id(a)}/${how}`, {}),
  runs: (subject: string, s?: AbortSignal) => get<{ runs: Run[] }>(`runs${query({ subject })}`, s).then((r) => r.runs),
  runsWaiting: (s?: AbortSignal) => get<{ runs: Run[] }>('runs?state=waiting', s).then((r) => r.runs),
  run: (r: string, s?: AbortSignal) => get<RunWhole>(`runs/${id(r)}`, s),
  decideRun: (r: string, how: 'approve' | 'refuse' | 'cancel') => call<unknown>('POST', `runs/${id(r)}/${how}`, {}),
  audit: (subject: string, s?: AbortSignal) => get<{ audit: AuditEntry[] }>(`audit${query({ subject, limit: PAGE })}`, s).then((r) => r.audit),
  auditVerify: (s?: AbortSignal) => get<AuditVerdict>('audit/verify', s),

  dashboards: (s?: AbortSignal) => get<{ dashboards: DashboardHead[] }>('dashboards', s).then((r) => r.dashboards),
  dashboard: (d: string, s?: AbortSignal) => get<Dashboard>(`dashboards/${id(d)}`, s),

  jobs: async (subject: string | null, limit: number, s?: AbortSignal) => {
    const r = await get<{ jobs: Job[] }>(`jobs${query({ subject, limit })}`, s);
    return r.jobs;
  },
  job: (j: string, s?: AbortSignal) => get<Job>(`jobs/${id(j)}`, s),
  rerun: (j: string) => call<unknown>('POST', `jobs/${id(j)}/rerun`, {}),
  cancel: (j: string) => call<unknown>('POST', `jobs/${id(j)}/cancel`, {}),
  log: async (j: string, step: string, offset: number, signal?: AbortSignal) => {
    const answer = await fetch(`${BASE}jobs/${id(j)}/log${query({ step, offset })}`, { cache: 'no-store', signal });
    if (!answer.ok) throw new ApiError(answer.status, `http_${answer.status}`, '', null);
    return new Uint8Array(await answer.arrayBuffer());
  },

  findings: async (
    q: { subject?: string | null; kind?: string | null; state?: string | null; limit?: number; before?: string | null },
    s?: AbortSignal,
  ) => {
    const r = await get<{ findings: Finding[] }>(`findings${query(q)}`, s);
    return r.findings;
  },
  waive: (f: string, why: string, until: string) => call<unknown>('POST', `findings/${id(f)}/waive`, { why, until }),
  reopen: (f: string) => call<unknown>('POST', `findings/${id(f)}/reopen`, {}),

  titles: async (q: { query?: string; limit?: number; after?: string | null }, s?: AbortSignal) =>
    (await get<{ titles: Card[] }>(`titles${query(q)}`, s)).titles,
  title: (t: string, s?: AbortSignal) => get<Title>(`titles/${id(t)}`, s),
  editTitle: (t: string, change: Partial<Title>) => call<Title | null>('PATCH', `titles/${id(t)}`, change),
  withdraw: (t: string) => call<unknown>('DELETE', `titles/${id(t)}`),
  restore: (t: string) => call<unknown>('POST', `titles/${id(t)}/restore`, {}),

  history: async (subject: string, limit: number, s?: AbortSignal) =>
    (await get<{ events: CloudEvent[] }>(`history${query({ subject, limit })}`, s)).events,

  users: async (s?: AbortSignal) => {
    const r = await get<{ users: User[] }>('users', s);
    return r.users;
  },
  addUser: (u: { name: string; role: string; password?: string; partner?: string; plan?: string }) =>
    call<unknown>('POST', 'users', u),
  editUser: (u: string, change: { role?: string; plan?: string; partner?: string; password?: string }) => call<unknown>('PATCH', `users/${id(u)}`, change),
  removeUser: (u: string) => call<unknown>('DELETE', `users/${id(u)}`),
  linkUser: (u: string) => call<{ path: string; until: string }>('POST', `users/${id(u)}/link`, {}),
  partners: async (s?: AbortSignal) => {
    const r = await get<{ partners: Partner[] }>('partners', s);
    return r.partners;
  },
  addPartner: (p: { name: string; email: string }) => call<unknown>('POST', 'partners', p),
  plans: async (s?: AbortSignal) => {
    const r = await get<{ plans: Plan[] }>('plans', s);
    return r.plans;
  },
};
