// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { TUS_CHUNK_MAX, TUS_CHUNK_MIN, tusFingerprint, tusInitial, tusMetadata, tusNext, type TusEffect, type TusEvent, type TusState } from './tus';

const MB = 1 << 20;

// A server as the protocol sees it, whose line can break at any byte; the machine must end with all bytes there.
class Server {
  places = new Map<string, { size: number; bytes: number }>();
  serial = 0;
  breakAfter: number[] = []; // bytes of the next PATCHes that still arrive
  refuse: number[] = []; // statuses of the next requests
  patches = 0;

  answer(effect: TusEffect, size: number): TusEvent | null {
    const status = effect.do === 'nothing' || effect.do === 'wait' || effect.do === 'abort' ? undefined : this.refuse.shift();
    if (status !== undefined) return { type: 'refused', status };
    switch (effect.do) {
      case 'create': {
        const place = `/u/${(this.serial += 1)}`;
        this.places.set(place, { size, bytes: 0 });
        return { type: 'created', place };
      }
      case 'ask': {
        const u = this.places.get(effect.place);
        return u ? { type: 'told', offset: u.bytes, size: u.size } : { type: 'refused', status: 404 };
      }
      case 'send': {
        this.patches += 1;
        const u = this.places.get(effect.place);
        if (!u) return { type: 'refused', status: 404 };
        if (u.bytes !== effect.from) return { type: 'refused', status: 409 };
        const cut = this.breakAfter.shift();
        if (cut !== undefined) {
          u.bytes += Math.min(cut, effect.to - effect.from);
          return { type: 'broken' };
        }
        u.bytes = effect.to;
        return { type: 'stored', offset: effect.to, tookMs: 100 };
      }
      case 'wait':
        return { type: 'timer' };
      default:
        return null;
    }
  }
}

function drive(server: Server, start: TusState, first: TusEvent, most = 500): { state: TusState; waits: number[] } {
  let state = start;
  let event: TusEvent | null = first;
  const waits: number[] = [];
  for (let i = 0; event !== null && i < most; i += 1) {
    const [next, effect]: readonly [TusState, TusEffect] = tusNext(state, event);
    if (effect.do === 'wait') waits.push(effect.ms);
    state = next;
    event = server.answer(effect, state.size);
  }
  return { state, waits };
}

describe('an upload', () => {
  it('sends all bytes, in growing chunks on a fast line', () => {
    const server = new Server();
    const { state } = drive(server, tusInitial(300 * MB, null), { type: 'start' });
    expect(state.phase).toBe('done');
    expect(server.places.get(state.place!)!.bytes).toBe(300 * MB);
    expect(state.chunk).toBeLessThanOrEqual(TUS_CHUNK_MAX);
    expect(server.patches).toBeLessThan(20);
  });

  it('takes an empty file', () => {
    const server = new Server();
    expect(drive(server, tusInitial(0, null), { type: 'start' }).state.phase).toBe('done');
    expect(server.patches).toBe(0);
  });

  it('goes on where the server says, wherever the line broke', () => {
    for (const cut of [0, 1, 1000, 3 * MB, 4 * MB]) {
      const server = new Server();
      server.breakAfter = [cut, 0, 17];
      const { state, waits } = drive(server, tusInitial(9 * MB + 5, null), { type: 'start' });
      expect(state.phase).toBe('done');
      expect(server.serial).toBe(1);
      expect(server.places.get(state.place!)!.bytes).toBe(9 * MB + 5);
      expect(waits).toEqual([500, 1000, 2000]);
    }
  });

  it('loses less on a poor line, but never sends crumbs', () => {
    const server = new Server();
    server.breakAfter = new Array<number>(8).fill(0);
    const { state } = drive(server, tusInitial(64 * MB, null, 8 * MB), { type: 'start' });
    expect(state.phase).toBe('done');
    expect(state.chunk).toBeGreaterThanOrEqual(TUS_CHUNK_MIN);
  });

  it('resumes after a reload, from a place that was remembered', () => {
    const server = new Server();
    server.places.set('/u/old', { size: 8 * MB, bytes: 5 * MB });
    const { state } = drive(server, tusInitial(8 * MB, '/u/old'), { type: 'start' });
    expect(state.phase).toBe('done');
    expect(server.serial).toBe(0);
    expect(server.patches).toBe(1);
  });

  it('starts anew when the server forgot, or holds another file there', () => {
    const server = new Server();
    expect(drive(server, tusInitial(MB, '/u/gone'), { type: 'start' }).state.phase).toBe('done');
    server.places.set('/u/other', { size: 7, bytes: 7 });
    const again = drive(server, tusInitial(MB, '/u/other'), { type: 'start' }).state;
    expect(again.phase).toBe('done');
    expect(again.place).not.toBe('/u/other');
  });

  it('asks again after a conflict, but not for ever', () => {
    const server = new Server();
    server.places.set('/u/1', { size: 4 * MB, bytes: 0 });
    const first = tusNext({ ...tusInitial(4 * MB, '/u/1'), phase: 'sending' }, { type: 'refused', status: 409 });
    expect(first[1]).toEqual({ do: 'ask', place: '/u/1' });
    let s: TusState = { ...tusInitial(4 * MB, '/u/1'), phase: 'sending' };
    let asked = 0;
    while (s.phase !== 'failed' && asked < 50) {
      [s] = tusNext({ ...s, phase: 'sending' }, { type: 'refused', status: 409 });
      asked += 1;
    }
    expect(s.phase).toBe('failed');
    expect(asked).toBeLessThan(20);
  });

  it('does not believe an answer that does not move on', () => {
    const s: TusState = { ...tusInitial(4 * MB, '/u/1'), phase: 'sending', offset: MB, sent: MB };
    expect(tusNext(s, { type: 'stored', offset: MB, tookMs: 1 })[1]).toEqual({ do: 'ask', place: '/u/1' });
    expect(tusNext(s, { type: 'stored', offset: 5 * MB, tookMs: 1 })[1]).toEqual({ do: 'ask', place: '/u/1' });
  });

  it('waits out a server that is down or busy, and gives up what cannot work', () => {
    const at = (phase: TusState['phase']): TusState => ({ ...tusInitial(MB, '/u/1'), phase });
    for (const status of [500, 502, 503, 423, 429, 507]) {
      const [s, e] = tusNext(at('sending'), { type: 'refused', status });
      expect([s.phase, e.do, s.status]).toEqual(['waiting', 'wait', status]);
    }
    for (const status of [400, 401, 413, 415]) {
      const [s] = tusNext(at('creating'), { type: 'refused', status });
      expect([s.phase, s.status]).toEqual(['failed', status]);
    }
    expect(tusNext({ ...at('failed'), status: 413 }, { type: 'retry' })[1]).toEqual({ do: 'ask', place: '/u/1' });
  });

  it('backs off longer and longer, up to a bound', () => {
    let s: TusState = { ...tusInitial(MB, '/u/1'), phase: 'asking' };
    const waits: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      const [w, e] = tusNext({ ...s, phase: 'asking' }, { type: 'broken' });
      waits.push((e as { ms: number }).ms);
      s = w;
    }
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits[8]).toBe(30_000);
  });

  it('pauses in any state and goes on from what was acknowledged', () => {
    const sending: TusState = { ...tusInitial(8 * MB, '/u/1'), phase: 'sending', offset: 4 * MB, sent: 6 * MB };
    const [paused, effect] = tusNext(sending, { type: 'pause' });
    expect([paused.phase, paused.sent, effect.do]).toEqual(['paused', 4 * MB, 'abort']);
    // What the aborted request still tells is of no meaning any more.
    expect(tusNext(paused, { type: 'stored', offset: 6 * MB, tookMs: 5 })[0]).toEqual(paused);
    expect(tusNext(paused, { type: 'broken' })[0]).toEqual(paused);
    expect(tusNext(paused, { type: 'resume' })[1]).toEqual({ do: 'ask', place: '/u/1' });
    expect(tusNext({ ...sending, phase: 'done' }, { type: 'pause' })[0].phase).toBe('done');
  });

  it('never shows more than was acknowledged plus what is on the wire', () => {
    const s: TusState = { ...tusInitial(8 * MB, '/u/1'), phase: 'sending', offset: 4 * MB, sent: 4 * MB };
    expect(tusNext(s, { type: 'progress', sent: MB })[0].sent).toBe(5 * MB);
    expect(tusNext(s, { type: 'progress', sent: 99 * MB })[0].sent).toBe(8 * MB);
  });
});

describe('headers', () => {
  it('writes names in any script', () => {
    expect(tusMetadata({ filename: 'Größe ☂.mkv', filetype: 'video/x-matroska' })).toBe(
      'filename R3LDtsOfZSDimIIubWt2,filetype dmlkZW8veC1tYXRyb3NrYQ==',
    );
  });
  it('knows a file again, and only that one', () => {
    const a = { name: 'a', size: 1, lastModified: 2 };
    expect(tusFingerprint(a)).toBe(tusFingerprint({ ...a }));
    expect(tusFingerprint(a)).not.toBe(tusFingerprint({ ...a, size: 2 }));
  });
});
