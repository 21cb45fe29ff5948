// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 3
//
// What the processes send as telemetry, read by a parser of its own: every line is of the grammar, requests
// are counted exactly, and so are the frames that were encoded and what players told.
import test from 'node:test';
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import path from 'node:path';
import { folder, makeFilm, marquee, start, writeLadder } from './marquee.mjs';

const word = '[-._A-Za-z0-9]+';
const line = new RegExp(`^(?:([cdDtTmACUg])|([gX]),(\\d+)):(${word})((?:,${word}=${word})*):(-?\\d+(?:\\.\\d+)?(?:e[-+]?\\d+)?)$`);

function parse(text) {
  const m = line.exec(text);
  assert.ok(m, `no line of the grammar: ${JSON.stringify(text)}`);
  const tags = {};
  for (const pair of m[5].split(',').slice(1)) {
    const [key, value] = pair.split('=');
    assert.ok(!(key in tags), `${key} twice: ${text}`);
    tags[key] = value;
  }
  return { type: m[1] ?? m[2], option: m[3], name: m[4], tags, value: Number(m[6]) };
}

// A receiver: what came, line by line, datagrams checked.
async function receiver(t) {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
  const lines = [];
  let end;
  const over = new Promise((resolve) => { end = resolve; });
  socket.on('message', (bytes) => {
    const text = bytes.toString('latin1');
    if (text === 'end') return end();
    assert.ok(bytes.length <= 1400, `a datagram of ${bytes.length} bytes`);
    assert.ok(text.endsWith('\n'), 'half a line');
    lines.push(...text.slice(0, -1).split('\n').map(parse));
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => { try { socket.close(); } catch { /* it is closed */ } });
  const { port } = socket.address();
  const fits = (l, name, tags) => l.name === name && Object.entries(tags).every(([k, v]) => l.tags[k] === v);
  return {
    address: `udp://127.0.0.1:${port}`,
    lines,
    // Datagrams keep their order on loopback: behind this one nothing is missing.
    async all() {
      const last = dgram.createSocket('udp4');
      last.send('end', port, '127.0.0.1', () => last.close());
      await over;
      return this;
    },
    find: (name, tags = {}) => lines.filter((l) => fits(l, name, tags)),
    sum: (name, tags = {}) => lines.filter((l) => l.type === 'c' && fits(l, name, tags)).reduce((n, l) => n + l.value, 0),
  };
}

async function serve(t, data, more, env = {}) {
  const service = start(['serve', '--data', data, '--port', '0', ...more], { env });
  t.after(() => service.kill());
  const [url] = await service.said(/http:\/\/\S+/);
  return { service, url };
}

const password = 'a long password';

function addUser(data) {
  const added = marquee(['user', 'add', 'olga', '--role', 'operator', '--password-stdin', '--data', data], { input: `${password}\n` });
  assert.equal(added.code, 0, added.stderr);
}

async function signIn(url) {
  const answer = await fetch(`${url}/api/v1/session`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'olga', password }),
  });
  assert.equal(answer.status, 200);
  return { authorization: `Bearer ${(await answer.json()).token}`, 'content-type': 'application/json' };
}

async function ask(url, status, options) {
  const answer = await fetch(url, options);
  const text = await answer.text();
  assert.equal(answer.status, status, `${options?.method ?? 'GET'} ${url}: ${text}`);
  return text ? JSON.parse(text) : null;
}

test('requests are counted exactly, by route, method and status', async (t) => {
  const data = path.join(folder(t), 'data');
  const got = await receiver(t);
  addUser(data);
  const { service, url } = await serve(t, data, ['--meter', got.address], { MARQUEE_METER_TAGS: 'node=n1,cluster=web' });
  const who = await signIn(url);
  await Promise.all(Array.from({ length: 300 }, (_, i) => fetch(`${url}/healthz`, { method: i % 3 ? 'GET' : 'HEAD' }).then((a) => a.arrayBuffer())));
  for (let i = 0; i < 40; i++) await ask(`${url}/api/v1/home`, 200, { headers: who });
  for (let i = 0; i < 7; i++) await ask(`${url}/api/v1/home`, 401);
  for (let i = 0; i < 5; i++) await ask(`${url}/api/v1/titles/0190d3f4-0000-7000-8000-00000000000${i}`, 404, { headers: who });
  assert.deepEqual(await service.kill('SIGTERM'), { code: 0, signal: null });
  await got.all();

  const name = 'marquee.http.requests';
  const home = { route: '_api_v1_home', method: 'GET' };
  assert.equal(got.sum(name, { route: '_healthz', method: 'GET', status: '200' }), 300);
  assert.equal(got.sum(name, { route: '_api_v1_session', method: 'POST', status: '200' }), 1);
  assert.equal(got.sum(name, { ...home, status: '200' }), 40);
  assert.equal(got.sum(name, { ...home, status: '401' }), 7);
  assert.equal(got.sum(name, { status: '404' }), 5);
  assert.equal(got.sum(name), 353);
  // Their times: as many, in as many buckets, and as long as they can have taken.
  assert.equal(got.sum('marquee.http.time', { ...home, statistic: 'count' }), 47);
  assert.equal(got.sum('marquee.http.time', { ...home, statistic: 'percentile' }), 47);
  assert.ok(got.find('marquee.http.time', { statistic: 'percentile' }).every((l) => /^T0[01][0-9A-F]{2}$/.test(l.tags.percentile)));
  const total = got.sum('marquee.http.time', { ...home, statistic: 'totalTime' });
  const max = Math.max(...got.find('marquee.http.time', { ...home, statistic: 'max' }).map((l) => l.value));
  assert.ok(max > 0 && total >= max && total < 47 * max + 1e-9, `${total} s in all, ${max} s at most`);

  assert.ok(got.lines.every((l) => l.tags.node === 'n1' && l.tags.cluster === 'web'), 'the common tags are on every line');
  assert.ok(got.find('marquee.process.rss', { process: 'serve' })[0].value > 5e6);
  assert.ok(got.find('marquee.process.threads').at(-1).value >= 1);
  assert.equal(got.find('marquee.process.meter.lost').at(-1).value, 0);
  assert.equal(got.find('marquee.process.meter.refused').at(-1).value, 0);
  assert.ok(got.sum('marquee.store.transactions', { mode: 'write', end: 'commit' }) > 0);
});

test('work is counted where it is done, and what players tell', async (t) => {
  const dir = folder(t), data = path.join(dir, 'data');
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 4 });
  const worked = await receiver(t);
  const done = marquee(['ingest', film, '--data', data, '--ladder', writeLadder(dir), '--meter', worked.address, '--json']);
  assert.equal(done.code, 0, done.stderr);
  await worked.all();
  const published = done.json.films[0];
  for (const height of ['120', '240']) {
    const tags = { codec: 'h264', height };
    assert.equal(worked.sum('marquee.encode.frames', tags), 96);
    const seconds = worked.sum('marquee.encode.film', { ...tags, statistic: 'totalTime' });
    assert.ok(Math.abs(seconds - 4) < 1e-3, `${seconds} s of film`);
    const bytes = published.renditions.find((r) => r.height === Number(height))?.bytes;
    const counted = worked.sum('marquee.encode.bytes', tags);
    assert.ok(counted > 1000 && (!bytes || counted <= bytes), `${counted} bytes of ${bytes}`);
  }
  assert.ok(worked.sum('marquee.encode.frames', { codec: 'aac' }) > 100);
  // Each step that ran was started and ended, and the job says the same.
  for (const step of published.steps) {
    assert.equal(worked.sum('marquee.flow.steps.started', { type: step.name }), step.run, step.name);
    assert.equal(worked.sum('marquee.flow.steps.ended', { type: step.name, result: 'done' }), step.run, step.name);
    assert.equal(worked.sum('marquee.flow.step.time', { type: step.name, statistic: 'count' }), step.run, step.name);
  }
  assert.ok(worked.sum('marquee.flow.step.cpu', { type: 'encode.video', statistic: 'totalTime' }) > 0);
  assert.ok(worked.find('marquee.flow.slots')[0].value >= 1);
  assert.ok(worked.find('marquee.process.rss', { process: 'ingest' }).length > 0);

  const got = await receiver(t);
  addUser(data);
  const { service, url } = await serve(t, data, [], { MARQUEE_METER: got.address });
  const who = { ...await signIn(url), 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0' };
  const play = await ask(`${url}/api/v1/plays`, 201, {
    method: 'POST', headers: who, body: JSON.stringify({ title_id: published.title_id, device: { codecs: ['h264', 'aac'], max_height: 1080 } }),
  });
  const beats = [
    { startup_ms: 750, stalls: 0, stall_ms: 0, frames: 100, dropped: 1, bandwidth_bps: 8e6, height: 120, rate_bps: 400000, codec: 'h264' },
    { stalls: 2, stall_ms: 1500, frames: 50, dropped: 0, bandwidth_bps: 4e6, height: 250, rate_bps: 800000, codec: 'h264' },
    // whatever a player says, its tags stay those that are known
    { stalls: -5, stall_ms: 1e12, frames: 1e15, height: 'high', codec: `x${'y'.repeat(200)}`, error: 'told by nobody: 1\nc:evil:1' },
    { error: 'not_arriving' },
  ];
  for (const qoe of beats) await ask(`${url}/api/v1/plays/${play.id}`, 204, { method: 'PUT', headers: who, body: JSON.stringify({ position_us: 1, state: 'playing', qoe }) });
  await ask(`${url}/api/v1/plays/${play.id}`, 204, { method: 'DELETE', headers: who });
  assert.deepEqual(await service.kill('SIGTERM'), { code: 0, signal: null });
  await got.all();

  const desktop = { device: 'desktop' };
  const at = (height) => ({ ...desktop, codec: 'h264', height });
  assert.equal(got.sum('marquee.play.started', desktop), 1);
  assert.equal(got.sum('marquee.play.beats', { ...desktop, state: 'playing' }), 4);
  assert.equal(got.sum('marquee.play.startup', { ...desktop, statistic: 'totalTime' }), 0.75);
  assert.equal(got.sum('marquee.play.startup', { ...desktop, statistic: 'count' }), 1);
  assert.equal(got.sum('marquee.play.stalls', at('240')), 2);
  assert.equal(got.sum('marquee.play.stalls'), 2);
  assert.equal(got.sum('marquee.play.stalled', { ...at('240'), statistic: 'totalTime' }), 1.5);
  assert.equal(got.sum('marquee.play.frames', at('0')), 100); // 120 lines are below the smallest usual height
  assert.equal(got.sum('marquee.play.dropped', at('0')), 1);
  assert.equal(got.sum('marquee.play.rate', { ...at('240'), statistic: 'totalAmount' }), 800000);
  assert.equal(got.sum('marquee.play.bandwidth', { ...desktop, statistic: 'totalAmount' }), 12e6);
  assert.equal(got.sum('marquee.play.errors', { ...desktop, error: 'other' }), 1);
  assert.equal(got.sum('marquee.play.errors', { ...desktop, error: 'not_arriving' }), 1);
  const said = JSON.stringify(got.lines);
  for (const secret of ['olga', published.title_id, play.id, 'evil', 'yyy']) assert.ok(!said.includes(secret), `${secret} is no tag`);
  assert.deepEqual([...new Set(got.find('marquee.play.frames').map((l) => l.tags.codec))].sort(), ['h264', 'other']);
});
