// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
// minutes: 1
// A service on loopback under 1,000 slow and malformed clients stays up and serves; uploads and
// event streams go on behind a kill -9.
import test from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

const program = process.env.MARQUEE;
const password = 'correct horse battery';
const skip = program && existsSync(program) ? false : 'MARQUEE names no program';

async function serve(data, port = 0) {
  const child = spawn(program, ['serve', '--data', data, '--port', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const url = line.match(/http:\/\/\S+/)?.[0];
    if (url) return { child, url, port: Number(new URL(url).port) };
  }
  throw new Error('the service ended before it listened');
}

async function stop(service, signal = 'SIGTERM') {
  const ended = once(service.child, 'exit');
  service.child.kill(signal);
  return ended;
}

function folder(t) {
  const data = mkdtempSync(path.join(os.tmpdir(), 'marquee-crowd-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const added = spawnSync(program, ['user', 'add', 'olga', '--role', 'operator', '--password-stdin', '--data', data], {
    input: `${password}\n`, encoding: 'utf8',
  });
  assert.equal(added.status, 0, added.stderr);
  return data;
}

async function signIn(service) {
  const answer = await fetch(`${service.url}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'olga', password }),
  });
  assert.equal(answer.status, 200);
  return { authorization: `Bearer ${(await answer.json()).token}` };
}

const words = [
  'GET / HTTP/1.1\r\nHost: h\r\n',
  'GET / HT',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'POST /api/v1/session HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{"name"',
  'POST /api/v1/session HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n',
  'GET /%00/../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n',
  'PATCH /api/v1/uploads/x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nx',
  `GET / HTTP/1.1\r\nX: ${'y'.repeat(90000)}`,
];

test('1,000 slow and malformed clients', { skip }, async (t) => {
  const service = await serve(folder(t));
  t.after(() => service.child.kill('SIGKILL'));
  const crowd = [];
  for (let i = 0; i < 1000; i++) {
    const socket = net.connect(service.port, '127.0.0.1');
    socket.on('error', () => {}); // being cut is what they are here for
    socket.write(words[i % words.length], 'latin1');
    crowd.push(socket);
  }
  t.after(() => crowd.forEach((socket) => socket.destroy()));
  const drip = setInterval(() => crowd.forEach((socket) => socket.writable && socket.write('a')), 250);
  t.after(() => clearInterval(drip));
  const who = await signIn(service);
  const waits = [];
  for (let i = 0; i < 200; i++) {
    const began = performance.now();
    const answer = await fetch(`${service.url}/api/v1/home`, { headers: who });
    assert.equal(answer.status, 200);
    await answer.arrayBuffer();
    waits.push(performance.now() - began);
  }
  waits.sort((a, b) => a - b);
  t.diagnostic(`home under the crowd: median ${waits[100].toFixed(1)} ms, worst ${waits[199].toFixed(1)} ms`);
  assert.ok(waits[199] < 2000, `${waits[199]} ms`);
  const [code] = await stop(service);
  assert.equal(code, 0);
});

async function* eventIds(url, headers, lastId) {
  const answer = await fetch(`${url}/api/v1/events`, {
    headers: { ...headers, ...(lastId === undefined ? {} : { 'last-event-id': String(lastId) }) },
  });
  assert.equal(answer.status, 200);
  let text = '';
  for await (const bytes of answer.body) {
    text += Buffer.from(bytes).toString('utf8');
    const blocks = text.split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const id = block.match(/^id: (\d+)$/m);
      // A block without data only says where the stream is.
      if (id && /^data: /m.test(block)) yield Number(id[1]);
    }
  }
}

test('an upload and a stream of events go on behind a kill', { skip }, async (t) => {
  const data = folder(t);
  let service = await serve(data);
  t.after(() => service.child.kill('SIGKILL'));
  let who = await signIn(service);
  const tus = { 'tus-resumable': '1.0.0' };
  const whole = Buffer.alloc(3_000_000, 'marquee');
  const made = await fetch(`${service.url}/api/v1/uploads`, {
    method: 'POST',
    headers: { ...who, ...tus, 'upload-length': String(whole.length), 'upload-metadata': `filename ${btoa('a film.mp4')}` },
  });
  assert.equal(made.status, 201);
  const place = made.headers.get('location');
  // Half of it by hand, then the server dies in the middle of the request.
  const socket = net.connect(service.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`PATCH ${place} HTTP/1.1\r\nHost: h\r\nAuthorization: ${who.authorization}\r\nTus-Resumable: 1.0.0\r\n` +
    `Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: ${whole.length}\r\n\r\n`);
  socket.write(whole.subarray(0, 1_500_000));
  let offset = 0;
  while (offset === 0) { // until some of it is there
    const asked = await fetch(service.url + place, { method: 'HEAD', headers: { ...who, ...tus } });
    offset = Number(asked.headers.get('upload-offset'));
  }
  await stop(service, 'SIGKILL');
  socket.destroy();
  service = await serve(data, service.port);
  who = await signIn(service);
  const asked = await fetch(service.url + place, { method: 'HEAD', headers: { ...who, ...tus } });
  const kept = Number(asked.headers.get('upload-offset'));
  assert.ok(kept >= offset && kept <= 1_500_000, `${kept} of ${offset}`);
  const rest = await fetch(service.url + place, {
    method: 'PATCH',
    headers: { ...who, ...tus, 'upload-offset': String(kept), 'content-type': 'application/offset+octet-stream' },
    body: whole.subarray(kept),
  });
  assert.equal(rest.status, 204);
  const delivered = await fetch(`${service.url}/api/v1/deliveries`, {
    method: 'POST',
    headers: { ...who, 'content-type': 'application/json' },
    body: JSON.stringify({ upload_id: place.split('/').pop(), title: 'Killed and kept' }),
  });
  assert.equal(delivered.status, 201);
  const seen = [];
  for await (const id of eventIds(service.url, who, 0)) {
    seen.push(id);
    if (seen.length === 3) break; // title added, job submitted, delivery received
  }
  assert.deepEqual(seen, [1, 2, 3]);
  for await (const id of eventIds(service.url, who, 1)) {
    assert.equal(id, 2);
    break;
  }
  await stop(service);
});
