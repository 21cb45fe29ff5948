// SPDX-License-Identifier: GPL-3.0-or-later
// What both faces ask of the HTTP API (/api/v1/openapi.json), typed; the operators' part is desk/api.ts. Fields that a
// server may leave out are optional: pages must stand without them.
import { href } from './router';
import { t } from './strings';

// --- what goes over the wire ----------------------------------------------------------------

export type Role = 'viewer' | 'partner' | 'agent' | 'operator' | 'admin';

export interface User {
  id: string;
  name: string;
  role: Role;
}

export interface Profile {
  id: string;
  name: string;
  avatar?: string | null;
  language?: string | null;
  maturity?: number | string | null;
}

export interface Plan {
  id?: string;
  name?: string;
  max_height?: number;
  streams?: number;
}

export interface Session {
  token?: string;
  user: User;
  profile: Profile | null;
  plan: Plan | null;
}

export interface Poster {
  url: string;
  width: number;
  height: number;
  color?: string | null;
}

export interface Progress {
  position_us: number;
  duration_us: number;
}

export type TitleKind = 'film' | 'series' | 'episode';

export interface Card {
  id: string;
  kind: TitleKind;
  name: string;
  year?: number | null;
  duration_us?: number | null;
  poster?: Poster | null;
  /** Sprites for previews, where the server offers them; otherwise beside the poster. */
  thumbnails?: string | null;
  maturity?: string | number | null;
  tags?: string[];
  season?: number | null;
  episode?: number | null;
  series_id?: string | null;
  progress?: Progress | null;
  in_list?: boolean;
  rating?: -1 | 0 | 1 | null;
  why?: string | null;
  quality?: string | null;
  synopsis?: string | null;
  published?: string | null;
  withdrawn?: string | null; // since when
}

export interface Person {
  name: string;
  role?: string;
}

export interface Track {
  language: string;
  title?: string | null;
}

export interface Season {
  number: number;
  name?: string | null;
  episodes: Card[];
}

export interface Detail extends Card {
  credit?: string | null;
  licence?: string | null;
  licence_url?: string | null;
  source_url?: string | null;
  people?: Person[];
  seasons?: Season[];
  more_like?: Card[];
  audio?: Track[];
  captions?: Track[];
}

export interface Row {
  id: string;
  name: string;
  items: Card[];
}

export interface Home {
  billboard: Card | null;
  rows: Row[];
}

export interface Found {
  titles: Card[];
  people?: (Person | string)[];
  tags?: string[];
}

export interface Device {
  codecs: string[];
  hdr: boolean;
  max_height: number;
}

export interface Play {
  id: string;
  hls: string | null;
  dash: string | null;
  thumbnails: string | null;
  position_us: number;
  duration_us: number;
  next: Card | null;
  heartbeat_s: number;
  title: Card;
}

export interface Qoe {
  startup_ms?: number;
  stalls?: number;
  stall_ms?: number;
  frames?: number;
  dropped?: number;
  bandwidth_bps?: number;
  height?: number;
  rate_bps?: number;
  /** Of the picture: h264, hevc, av1, vp9. */
  codec?: string;
  /** What went wrong since the last beat, by its code. */
  error?: string;
}

export type PlayState = 'playing' | 'paused' | 'buffering' | 'ended';

// --- asking ---------------------------------------------------------------------------------

export const API = '/api/v1';

/** What went wrong, in the server's words: message says what, hint says what to do. */
export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no answer at all
    readonly code: string,
    message: string,
    readonly hint: string | null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
export interface Asking {
  signal?: AbortSignal;
  /** The answer is wanted even while the page goes away (a last heartbeat). */
  keepalive?: boolean;
}

let onSignedOut: () => void = () => {};
/** Called when the server answers 401 to anything but an attempt to sign in. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

export async function ask<T>(method: Method, path: string, body?: unknown, how: Asking = {}): Promise<T> {
  return (await askAt<T>(API + path, method, body, how)).value;
}

/** Of any address of the service: some roots speak other services' dialects, with answers in their headers. */
export async function askAt<T>(url: string, method: Method = 'GET', body?: unknown, how: Asking = {}): Promise<{ value: T; headers: Headers }> {
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      credentials: 'same-origin',
      headers: {
        Accept: 'application/json',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(how.signal ? { signal: how.signal } : {}),
      ...(how.keepalive ? { keepalive: true } : {}),
    });
  } catch (error) {
    if (how.signal?.aborted) throw error;
    throw new ApiError(0, 'unreachable', t('unreachable'), t('unreachableHint'));
  }
  const text = await response.text();
  let value: unknown = null;
  if (text !== '') {
    try {
      value = JSON.parse(text);
    } catch {
      value = null; // a proxy's page, not ours
    }
  }
  if (response.ok) return { value: value as T, headers: response.headers };
  const error = (value as { error?: { code?: string; message?: string; hint?: string } } | null)?.error;
  if (response.status === 401 && !(method === 'POST' && url === `${API}/session`)) onSignedOut();
  throw new ApiError(
    response.status,
    error?.code ?? `http_${response.status}`,
    error?.message || `The service answered ${response.status}.`,
    error?.hint || null,
  );
}

const id = encodeURIComponent;

export const session = {
  /** null when nobody is signed in. */
  get: (how?: Asking) => ask<Session | null>('GET', '/session', undefined, how),
  signIn: (name: string, password: string) => ask<Session>('POST', '/session', { name, password }),
  signOut: () => ask<void>('DELETE', '/session'),
  choose: (profile_id: string) => ask<Session | null>('PUT', '/session/profile', { profile_id }),
};

export const profiles = {
  list: async (how?: Asking) =>
    (await ask<{ profiles: Profile[] }>('GET', '/profiles', undefined, how)).profiles,
  create: (profile: Partial<Profile>) => ask<Profile>('POST', '/profiles', profile),
  change: (key: string, profile: Partial<Profile>) => ask<Profile>('PATCH', `/profiles/${id(key)}`, profile),
  remove: (key: string) => ask<void>('DELETE', `/profiles/${id(key)}`),
};

export const titles = {
  home: (how?: Asking) => ask<Home>('GET', '/home', undefined, how),
  list: (query: { query?: string; tag?: string; limit?: number; after?: string }, how?: Asking) =>
    ask<{ titles: Card[] }>('GET', href('/titles', query), undefined, how),
  get: (key: string, how?: Asking) => ask<Detail>('GET', `/titles/${id(key)}`, undefined, how),
  change: (key: string, fields: Partial<Detail>) => ask<Detail>('PATCH', `/titles/${id(key)}`, fields),
  withdraw: (key: string) => ask<void>('DELETE', `/titles/${id(key)}`),
  restore: (key: string) => ask<void>('POST', `/titles/${id(key)}/restore`),
  search: (q: string, how?: Asking) => ask<Found>('GET', href('/search', { q }), undefined, how),
  myList: async (how?: Asking) =>
    (await ask<{ titles: Card[] }>('GET', '/list', undefined, how)).titles,
  addToList: (key: string) => ask<void>('PUT', `/list/${id(key)}`),
  removeFromList: (key: string) => ask<void>('DELETE', `/list/${id(key)}`),
  rate: (key: string, value: -1 | 0 | 1) => ask<void>('PUT', `/titles/${id(key)}/rating`, { value }),
};

export const plays = {
  start: (title_id: string, device: Device, how?: Asking) =>
    ask<Play>('POST', '/plays', { title_id, device }, how),
  beat: (key: string, body: { position_us: number; state: PlayState; qoe?: Qoe }, how?: Asking) =>
    ask<void>('PUT', `/plays/${id(key)}`, body, how),
  end: (key: string, how?: Asking) => ask<void>('DELETE', `/plays/${id(key)}`, undefined, how),
  problem: (key: string, body: { position_us: number; text: string }) =>
    ask<void>('POST', `/plays/${id(key)}/problem`, body),
};
