// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
// minutes: 1
// A service fetches what targets expose: one that answers, one that does not, one that is slow. A mistake in the
// file of targets is told with its line.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { folder, program, serve, skip, until } from './series_service.mjs';

async function target(t, answer) {
  const server = http.createServer(answer).listen(0, '127.0.0.1');
  t.after(() => { server.closeAllConnections(); server.close(); });
  await once(server, 'listening');
  return server.address().port;
}

test('targets are fetched', { skip }, async (t) => {
  const data = folder(t);
  let fetched = 0;
  const good = await target(t, (_, res) => { fetched += 1; res.end('# TYPE queue gauge\nqueue{kind="mail"} 7\n'); });
  const slow = await target(t, (_, res) => { res.write('queue{kind="mail"} 9'); }); // and nothing more
  const gone = await target(t, (_, res) => { res.statusCode = 500; res.end('queue 11\n'); });
  const moved = await target(t, (_, res) => { res.writeHead(302, { location: `http://127.0.0.1:${good}/` }); res.end('queue 13\n'); });
  const guarded = await target(t, (req, res) => {
    res.statusCode = req.headers.authorization === `Basic ${btoa('ada:secret')}` ? 200 : 401;
    res.end('queue_guarded 1\n');
  });
  const file = path.join(data, 'targets.yaml');
  writeFileSync(file, `interval_s: 1\ntimeout_s: 1\ntargets:\n  - {url: http://127.0.0.1:${good}/metrics, job: good, instance: web-1}\n`
    + `  - {url: http://127.0.0.1:${moved}/, job: moved}\n  - {url: "http://ada:secret@127.0.0.1:${guarded}/", job: guarded}\n`
    + `  - {url: http://127.0.0.1:${slow}/metrics, job: slow}\n  - {url: http://127.0.0.1:${gone}/metrics}\n`);
  const service = await serve(t, data, ['--series-step', '1', '--scrape', file]);
  const latest = async (query) => {
    const q = new URLSearchParams({ q: query, s: 'e-20s', e: 'now', step: '1s', format: 'std.json' });
    const graph = await service.ask(`/atlas/api/v1/graph?${q}`);
    return Object.fromEntries((graph.metrics ?? []).map((tags, i) => [
      `${tags.job} ${tags.instance}`, graph.values.map((row) => row[i]).filter(Number.isFinite).at(-1)]));
  };
  const up = await until('all targets', async () => {
    const now = await latest('name,up,:eq,(,job,instance,),:by');
    return Object.values(now).filter(Number.isFinite).length === 5 ? now : null;
  });
  // A password in an address is not kept among the series.
  assert.deepEqual(up, { 'good web-1': 1, [`guarded 127.0.0.1:${guarded}`]: 1, [`moved 127.0.0.1:${moved}`]: 0, [`slow 127.0.0.1:${slow}`]: 0, [`scrape 127.0.0.1:${gone}`]: 0 });
  const queue = await until('the queue', async () => {
    const now = await latest('name,queue,:eq,kind,mail,:eq,:and,(,job,instance,),:by');
    return Number.isFinite(now['good web-1']) ? now : null;
  });
  assert.deepEqual(queue, { 'good web-1': 7 }); // nothing of what did not come whole
  assert.ok(fetched >= 2, 'again and again');
  assert.deepEqual(await service.stop(), [0, null]);
});

test('a service keeps what it counts of itself', { skip }, async (t) => {
  const service = await serve(t, folder(t), ['--series-step', '1']);
  const names = await until('its own names', async () => {
    const list = await service.ask('/atlas/api/v1/tags/name');
    return list.includes('marquee.http.requests') ? list : null;
  });
  assert.ok(names.includes('marquee.process.rss'), names.join(' '));
  assert.deepEqual(await service.stop(), [0, null]);
});

test('a mistake among targets has its line', { skip }, (t) => {
  const data = folder(t);
  const file = path.join(data, 'targets.yaml');
  writeFileSync(file, 'targets:\n  - {url: http://127.0.0.1:1/}\n  - {url: ftp://127.0.0.1/}\n');
  const done = spawnSync(program, ['serve', '--data', data, '--port', '0', '--scrape', file], { encoding: 'utf8', timeout: 30000 });
  assert.equal(done.status, 1);
  assert.match(done.stderr, /targets\.yaml:3: .*http/);
});
