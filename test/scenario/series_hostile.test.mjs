// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
// minutes: 1
// A million hostile lines and a thousand slow clients cost counters: the service answers, keeps what is good, and
// grows by little. A name with too many series is told of once.
import test from 'node:test';
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { folder, freeUdpPort, serve, skip, token, until } from './series_service.mjs';

const hostile = [
  'c::1', 'c:hits', 'q:hits:1', '::::', 'c:hits,:1', 'c:hits,a=:1', 'g,99999999999999999999:load:1', 'c:hits:0x10',
  'c:hits:1 2', 'X:bytes:1', `c:${'n'.repeat(5000)}:1`, '\u0000\u0001\u00ff', 'GET / HTTP/1.1', '{"metrics":[]}',
  'c:hits:-1', 'g:load:NaN', 'g:load:1e999', 'U:bytes:1.5', 't:wait:-inf',
];
const bad = (line) => ['c:hits:-1', 'g:load:NaN', 'g:load:1e999', 'U:bytes:1.5', 't:wait:-inf'].includes(line);

const rss_kb = (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]);

// Sends datagrams; every hundredth waits until the ones before are counted, received or dropped by the kernel.
async function sender(port, counts) {
  const socket = dgram.createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let sent = (await counts()).datagrams;
  return {
    async send(text) {
      await new Promise((done, fail) => { socket.send(text, (e) => (e ? fail(e) : done())); });
      sent += 1;
      if (sent % 500 === 0) await this.all();
    },
    all: () => until('every datagram', async () => {
      const now = await counts();
      return now.datagrams + now.kernel_drops >= sent ? now : null;
    }),
    close: () => socket.close(),
  };
}

test('a million hostile lines, a thousand slow clients', { skip }, async (t) => {
  const data = folder(t);
  const port = await freeUdpPort();
  const service = await serve(t, data, ['--series-udp', String(port)]);
  const counts = async () => (await service.ask('/api/v1/series/counts')).intake;
  const secret = token(data, 'sender');

  // Slow: a head that does not end, a body that does not come, with and without a token.
  const crowd = [];
  for (let i = 0; i < 1000; i += 1) {
    const socket = net.connect(service.port, '127.0.0.1');
    socket.on('error', () => {});
    const posts = (path, first) => `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: 16000000\r\n`
      + `Authorization: Bearer ${secret}\r\n\r\n${first}`;
    socket.write(['POST /prometheus/api/v1/write HTTP/1.1\r\nHost: h\r\n',
      posts('/prometheus/api/v1/write', 'x'), posts('/atlas/api/v1/publish', '{'), posts('/otlp/v1/metrics', '\n'),
      posts('/api/v1/series/exposition', 'a 1'), 'GET /atlas/api/v1/graph?q=name,sps,:eq HTTP/1.1\r\nHost: h\r\n',
      'POST /atlas/api/v1/publish HTTP/1.1\r\nHost: h\r\nContent-Length: 16000000\r\n\r\n{', 'G', ''][i % 8]);
    crowd.push(socket);
  }
  await Promise.all(crowd.map((s) => (s.connecting ? once(s, 'connect') : null)));

  const before = await counts();
  const began_kb = rss_kb(service.pid);
  const lines = await sender(port, counts);
  let [malformed, bad_values, total] = [0, 0, 0];
  for (let i = 0; total < 1000000; i += 1) {
    const batch = [];
    for (let k = 0; k < 60; k += 1) batch.push(hostile[(i + k) % (k % 7 === 0 ? hostile.length : 10)]);
    malformed += batch.filter((l) => !bad(l)).length;
    bad_values += batch.filter(bad).length;
    total += batch.length;
    await lines.send(batch.join('\n'));
  }
  const after = await lines.all();
  const dropped = after.kernel_drops - before.kernel_drops;
  assert.equal(after.datagrams - before.datagrams + dropped, Math.ceil(1000000 / 60));
  if (dropped === 0) {
    assert.equal(after.malformed - before.malformed, malformed);
    assert.equal(after.bad_value - before.bad_value, bad_values);
  }
  assert.ok(after.malformed - before.malformed > 500000, 'most came');
  const grown_kb = rss_kb(service.pid) - began_kb;
  assert.ok(grown_kb < 64 * 1024, `${grown_kb} kB more`);

  // Bodies that would unpack to gigabytes are refused before they do.
  const bomb = gzipSync(Buffer.alloc(15 << 20));
  for (const at of ['/atlas/api/v1/publish', '/prometheus/api/v1/write', '/otlp/v1/metrics', '/api/v1/series/exposition']) {
    const got = await fetch(service.url + at, {
      method: 'POST', headers: { authorization: `Bearer ${secret}`, 'content-encoding': 'gzip' }, body: Buffer.concat(Array(200).fill(bomb)),
    });
    assert.ok([400, 413].includes(got.status), `${at}: ${got.status}`);
  }

  // Meanwhile somebody else sends what is good, and is served.
  const good = await fetch(`${service.url}/api/v1/series/exposition`, {
    method: 'POST', headers: { authorization: `Bearer ${secret}` }, body: 'good 1\n',
  });
  assert.equal(good.status, 204);
  const packed = await fetch(`${service.url}/api/v1/series/exposition`, {
    method: 'POST', headers: { authorization: `Bearer ${secret}`, 'content-encoding': 'gzip' }, body: gzipSync('packed 1\n'),
  });
  assert.equal(packed.status, 204);
  crowd.forEach((s) => s.destroy());
  lines.close();
  assert.deepEqual(await service.stop(), [0, null]);
});

test('a name with too many series is told of once', { skip }, async (t) => {
  const data = folder(t);
  const port = await freeUdpPort();
  const service = await serve(t, data, ['--series-udp', String(port)]);
  const counts = async () => (await service.ask('/api/v1/series/counts')).intake;
  const findings = async () => (await service.ask('/api/v1/findings?subject=series/')).findings;
  const lines = await sender(port, counts);
  let next = 0;
  await until('the limit', async () => {
    for (let k = 0; k < 100; k += 1) {
      const batch = [];
      for (let n = 0; n < 60; n += 1, next += 1) batch.push(`c:flood,id=${next}:1`);
      await lines.send(batch.join('\n'));
    }
    return (await lines.all()).over_limit > 1000;
  }, 120);
  const found = await until('the finding', async () => ((await findings()).length ? findings() : null));
  assert.deepEqual(found.map((f) => [f.subject, f.kind, f.state]), [['series/flood', 'cardinality', 'open']]);
  await lines.send('c:other:1');
  assert.equal((await lines.all()).over_limit > 1000, true);
  lines.close();
  assert.deepEqual(await service.stop(), [0, null]);
});
