// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
// minutes: 2
//
// A cause is injected among a thousand series that all share the cycle of a day. Series come over the wire, the alert fires by itself,
// and what is attached to it, out of the live store, has the cause among its first three, with its picture.
import test from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { folder, serve, skip, until } from './series_service.mjs';

const MINUTE = 60_000;
const SERVERS = 250;
const NAMES = ['cpu.load', 'disk.queue', 'net.bytes', 'memory.used'];
const STEPS = 300;
const CHANGED = STEPS - 8; // the alert's series changes here, its cause two minutes earlier
const CAUSE = { name: 'disk.queue', server: 's017' };

let seed = 11n;
function uniform() {
  seed = (seed * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number(seed >> 11n) / 2 ** 53;
}

// All that there is of one minute.
function minute(step, at) {
  const cycle = 50 + 30 * Math.sin((step / 1440) * 2 * Math.PI);
  const metrics = [];
  const put = (tags, value) => metrics.push({ tags: { ...tags, 'atlas.dstype': 'gauge' }, timestamp: at, value });
  put({ name: 'service.latency' }, 0.05 + 0.001 * uniform() + cycle / 5000 + (step >= CHANGED ? 0.03 : 0));
  for (let i = 0; i < SERVERS; i++) {
    const server = `s${String(i).padStart(3, '0')}`;
    for (const name of NAMES) {
      const own = name === CAUSE.name && server === CAUSE.server;
      const late = name === 'cpu.load' && i % 60 === 0; // symptoms: weaker and later
      put({ name, server }, cycle + 3 * uniform() + (own && step >= CHANGED - 2 ? 18 : 0) + (late && step >= CHANGED + 2 ? 3 : 0));
    }
  }
  put({ name: 'restart.backlog', server: 's200' }, 4); // there all the time
  return metrics;
}

test('the injected cause is among the first three that an alert brings with it', { skip }, async (t) => {
  const data = folder(t);
  const conf = path.join(data, 'rules');
  mkdirSync(conf);
  writeFileSync(path.join(conf, 'alerts.yaml'), `schema: 1
channels: [{name: ops, mail: ops@example.org}]
rules:
  - {name: slow, summary: Answers are slow, expr: "name,service.latency,:eq,:max", above: 0.08, channels: [ops]}
`);
  const service = await serve(t, data, ['--conf', conf]);
  const end = Math.floor(Date.now() / MINUTE) * MINUTE;
  for (let step = 0; step < STEPS; step++) {
    const answer = await fetch(`${service.url}/atlas/api/v1/publish`, {
      method: 'POST',
      headers: { authorization: service.authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ tags: {}, metrics: minute(step, end - (STEPS - 1 - step) * MINUTE) }),
    });
    assert.equal(answer.status, 200, await answer.text());
  }
  const alert = await until('the alert', async () => (await service.ask('/api/v1/alerts?state=firing')).alerts[0], 120);
  assert.equal(alert.rule, 'slow');
  const related = await until('what is related', async () => {
    const got = await fetch(`${service.url}/api/v1/alerts/${alert.id}/related`, { headers: { authorization: service.authorization } });
    return got.status === 200 && got.json();
  }, 120);
  assert.equal(related.why, null);
  const { found } = related;
  assert.ok(found.candidates >= SERVERS * NAMES.length, `${found.candidates}`);
  const place = found.related.findIndex((r) => r.name.name === CAUSE.name && r.name.server === CAUSE.server);
  assert.ok(place >= 0 && place < 3, `the cause is at ${place}: ${JSON.stringify(found.related.slice(0, 5).map((r) => [r.name, r.score]))}`);
  const cause = found.related[place];
  assert.equal(found.changed - cause.changed, 2 * MINUTE, 'it changed two minutes before');
  assert.ok(Math.abs(found.changed - (end - (STEPS - 1 - CHANGED) * MINUTE)) <= 2 * MINUTE, new Date(found.changed).toISOString());
  assert.equal(cause.values.length, found.target.values.length);
  const picture = await fetch(`${service.url}/api/v1/alerts/${alert.id}/related/${place}/picture?theme=dark`, { headers: { authorization: service.authorization } });
  assert.equal(picture.headers.get('content-type'), 'image/png');
  assert.equal(Buffer.from(await picture.arrayBuffer()).toString('latin1', 1, 4), 'PNG');
  const missing = await fetch(`${service.url}/api/v1/alerts/${alert.id}/related/999/picture`, { headers: { authorization: service.authorization } });
  assert.equal(missing.status, 404);
  // Nobody is a suspect here, and the page asks for that, too.
  assert.deepEqual(await service.ask(`/api/v1/alerts/${alert.id}/actions`), { actions: [] });
  await service.stop();
});
