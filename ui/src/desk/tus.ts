// SPDX-License-Identifier: GPL-3.0-or-later
//
// tus 1.0 (tus.io/protocols/resumable-upload) as a pure machine: `tusNext(state, event)` gives the
// next state and the one effect that the driver is to carry out. It never touches the network, so
// that each way an upload can break is a unit test.
//
//     idle ─start─▶ asking (HEAD, when a place is known) ─▶ sending (PATCH) ─▶ … ─▶ done
//                 ▶ creating (POST)                     ◀──┘ 409: ask again
//     any ─pause─▶ paused ─resume─▶ asking      any ─network, 5xx─▶ waiting ─timer, online─▶ asking

export type TusPhase = 'idle' | 'creating' | 'asking' | 'sending' | 'waiting' | 'paused' | 'done' | 'failed';

export interface TusState {
  readonly phase: TusPhase;
  readonly size: number;
  readonly place: string | null; // the upload's URL
  readonly offset: number; // what the server acknowledged
  readonly sent: number; // ≥ offset: with what is on the wire
  readonly chunk: number; // bytes of the next PATCH
  readonly tries: number; // failures in a row
  readonly status: number | null; // of the failure that ended or delays it
}

export type TusEvent =
  | { type: 'start' }
  | { type: 'created'; place: string }
  | { type: 'told'; offset: number; size: number | null } // answer to HEAD
  | { type: 'progress'; sent: number } // bytes of this PATCH on the wire
  | { type: 'stored'; offset: number; tookMs: number } // answer to PATCH
  | { type: 'refused'; status: number } // an HTTP error
  | { type: 'broken' } // no answer at all
  | { type: 'pause' }
  | { type: 'resume' }
  | { type: 'timer' } // back-off over, or the browser is on line again
  | { type: 'retry' }; // the person asks for it

export type TusEffect =
  | { do: 'nothing' }
  | { do: 'create' }
  | { do: 'ask'; place: string }
  | { do: 'send'; place: string; from: number; to: number }
  | { do: 'wait'; ms: number }
  | { do: 'abort' };

export const TUS_CHUNK_MIN = 1 << 20;
export const TUS_CHUNK_MAX = 64 << 20;
const CHUNK_MS = 2_000; // a chunk should take about this: short to lose, long enough to fill a link
const WAIT_MS = [500, 1_000, 2_000, 5_000, 10_000, 30_000];

export function tusInitial(size: number, place: string | null, chunk = 4 << 20): TusState {
  return { phase: 'idle', size, place, offset: 0, sent: 0, chunk, tries: 0, status: null };
}

type Step = readonly [TusState, TusEffect];
const nothing: TusEffect = { do: 'nothing' };

function ask(s: TusState): Step {
  if (s.place === null) return [{ ...s, phase: 'creating', offset: 0, sent: 0 }, { do: 'create' }];
  return [{ ...s, phase: 'asking' }, { do: 'ask', place: s.place }];
}

function send(s: TusState): Step {
  if (s.place === null) return ask(s);
  if (s.offset >= s.size) return [{ ...s, phase: 'done', sent: s.size, tries: 0, status: null }, nothing];
  const to = Math.min(s.size, s.offset + s.chunk);
  return [{ ...s, phase: 'sending', sent: s.offset, status: null }, { do: 'send', place: s.place, from: s.offset, to }];
}

function wait(s: TusState, status: number | null): Step {
  const ms = WAIT_MS[Math.min(s.tries, WAIT_MS.length - 1)]!;
  // A link that breaks in mid-chunk is a poor one: lose less next time.
  const chunk = Math.max(TUS_CHUNK_MIN, s.chunk >> 1);
  return [{ ...s, phase: 'waiting', sent: s.offset, tries: s.tries + 1, status, chunk }, { do: 'wait', ms }];
}

function refused(s: TusState, status: number): Step {
  switch (true) {
    // Gone or never there (a swept upload, another server): the bytes start anew.
    case status === 404 || status === 410 || (status === 403 && s.phase === 'asking'):
      return s.phase === 'creating'
        ? [{ ...s, phase: 'failed', status }, nothing]
        : [{ ...s, phase: 'creating', place: null, offset: 0, sent: 0, status: null }, { do: 'create' }];
    case status === 409: // the server's offset is another: ask for it
      return s.tries < 8 ? ask({ ...s, tries: s.tries + 1 }) : [{ ...s, phase: 'failed', status }, nothing];
    case status === 408 || status === 423 || status === 429 || status === 460 || status >= 500:
      // 507: the disk is full; waiting alone does not empty it, but a person may meanwhile.
      return wait(s, status);
    default:
      return [{ ...s, phase: 'failed', sent: s.offset, status }, nothing];
  }
}

export function tusNext(s: TusState, e: TusEvent): Step {
  const busy = s.phase === 'creating' || s.phase === 'asking' || s.phase === 'sending';
  switch (e.type) {
    case 'start':
      return s.phase === 'idle' ? ask(s) : [s, nothing];
    case 'created':
      return s.phase === 'creating' ? send({ ...s, place: e.place, offset: 0, tries: 0 }) : [{ ...s, place: e.place }, nothing];
    case 'told':
      if (s.phase !== 'asking') return [s, nothing];
      if ((e.size !== null && e.size !== s.size) || e.offset > s.size)
        return [{ ...s, phase: 'creating', place: null, offset: 0, sent: 0 }, { do: 'create' }];
      return send({ ...s, offset: e.offset, sent: e.offset });
    case 'progress':
      return s.phase === 'sending' ? [{ ...s, sent: Math.min(s.size, s.offset + e.sent) }, nothing] : [s, nothing];
    case 'stored': {
      if (s.phase !== 'sending') return [s, nothing];
      // An answer that does not move on would loop for ever.
      if (e.offset <= s.offset || e.offset > s.size) return refused(s, 409);
      const rate = (e.offset - s.offset) / Math.max(1, e.tookMs);
      const fit = Math.round(rate * CHUNK_MS);
      const chunk = Math.min(TUS_CHUNK_MAX, Math.max(TUS_CHUNK_MIN, s.chunk >> 1, Math.min(fit, s.chunk * 2)));
      return send({ ...s, offset: e.offset, tries: 0, chunk });
    }
    case 'refused':
      return busy ? refused(s, e.status) : [s, nothing];
    case 'broken':
      return busy ? wait(s, null) : [s, nothing];
    case 'pause':
      if (busy || s.phase === 'waiting' || s.phase === 'idle')
        return [{ ...s, phase: 'paused', sent: s.offset }, { do: 'abort' }];
      return [s, nothing];
    case 'resume':
      return s.phase === 'paused' ? ask({ ...s, tries: 0 }) : [s, nothing];
    case 'timer':
      return s.phase === 'waiting' ? ask(s) : [s, nothing];
    case 'retry':
      return s.phase === 'failed' || s.phase === 'waiting' ? ask({ ...s, tries: 0, status: null }) : [s, nothing];
  }
}

// What recognises the same file after a reload, without reading it.
export function tusFingerprint(file: { name: string; size: number; lastModified: number }): string {
  return `${file.name}\u0000${file.size}\u0000${file.lastModified}`;
}

// "filename <base64>" pairs; tus wants base64 of the UTF-8 bytes.
export function tusMetadata(pairs: Record<string, string>): string {
  return Object.entries(pairs)
    .map(([k, v]) => `${k} ${btoa(String.fromCharCode(...new TextEncoder().encode(v)))}`)
    .join(',');
}
