// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
// minutes: 1
//
// What was sent is read as Atlas' users, Grafana and Prometheus' users ask for it, by who may; and it is there after
// kill -9.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { folder, program, serve, skip, until } from './series_service.mjs';

const text = '# TYPE queue gauge\nqueue{kind="mail",host="a"} 7\nqueue{kind="mail",host="b"} 5\nqueue{kind="film",host="a"} 1\n';
const graph = (q, more = {}) => `/atlas/api/v1/graph?${new URLSearchParams({ q, s: 'e-1m', e: 'now', step: '1s', ...more })}`;
const sums = 'name,queue,:eq,:sum,(,kind,),:by';

async function send(service) {
  const answer = await fetch(`${service.url}/api/v1/series/exposition`, { method: 'POST', headers: { authorization: service.authorization }, body: text });
  assert.ok(answer.ok, `${answer.status} ${await answer.text()}`);
}

const known = (service) => until('both kinds', async () => {
  await send(service);
  const answer = await service.ask(graph(sums, { format: 'std.json' }));
  const newest = Object.fromEntries(answer.legend.map((l, i) => [answer.metrics[i].kind, answer.values.map((row) => row[i]).filter(Number.isFinite).at(-1)]));
  return newest.mail === 12 && newest.film === 1 && answer;
});

test('series are read', { skip }, async (t) => {
  const data = folder(t);
  const service = await serve(t, data, ['--series-step', '1']);
  await known(service);
  const get = (what, headers = { authorization: service.authorization }) => fetch(service.url + what, { headers });

  await t.test('as Atlas has them', async () => {
    assert.deepEqual(await service.ask('/atlas/api/v1/tags/kind?q=name,queue,:eq'), ['film', 'mail']);
    const first = await get('/atlas/api/v1/tags/host?q=name,queue,:eq&limit=1');
    assert.deepEqual([await first.json(), first.headers.get('x-nflx-atlas-next-offset')], [['a'], 'a']);
    assert.deepEqual(await service.ask('/atlas/api/v1/tags/host?q=name,queue,:eq&limit=1&offset=a'), ['b']);
    const png = await get(graph(sums));
    assert.equal(png.headers.get('content-type'), 'image/png');
    assert.equal(Buffer.from(await png.arrayBuffer()).toString('latin1', 1, 4), 'PNG');
    const csv = await (await get(graph(sums, { format: 'csv' }))).text();
    assert.match(csv, /^"timestamp","[^\n]*mail[^\n]*\n/);
    assert.match(csv, /12\.000000/);
    const stats = await service.ask(graph(sums, { format: 'stats.json' }));
    assert.ok(stats.stats.some((s) => s.max === 12));
    const wrong = await get(graph('name,queue,:nosuchword'));
    assert.equal(wrong.status, 400);
    assert.match((await wrong.json()).error.message, /nosuchword/);
  });

  await t.test('as Prometheus has them', async () => {
    const now = Math.floor(Date.now() / 1000);
    const ask = (path, values) => service.ask(`/prometheus/api/v1/${path}?${new URLSearchParams(values)}`);
    const at = await ask('query', { query: 'sum by (kind) (queue)' });
    assert.deepEqual(Object.fromEntries(at.data.result.map((r) => [r.metric.kind, r.value[1]])), { film: '1', mail: '12' });
    const over = await ask('query_range', { query: 'max(queue{kind="mail"})', start: now - 30, end: now, step: '1s' });
    assert.equal(over.data.resultType, 'matrix');
    assert.ok(over.data.result[0].values.some(([, v]) => v === '7'));
    assert.ok((await ask('labels', {})).data.includes('__name__'));
    assert.deepEqual((await ask('label/host/values', { 'match[]': 'queue{kind="mail"}' })).data, ['a', 'b']);
    const form = await fetch(`${service.url}/prometheus/api/v1/query`, {
      method: 'POST', headers: { authorization: service.authorization }, body: new URLSearchParams({ query: 'count(queue)' }),
    });
    assert.equal((await form.json()).data.result[0].value[1], '3');
    // What Grafana's data source asks for by itself.
    const labels = { __name__: 'queue', kind: 'mail' };
    const series = (await ask('series', { 'match[]': 'queue{kind="mail"}', start: now - 60, end: now + 5 })).data;
    assert.deepEqual(series.map((s) => s.host).sort(), ['a', 'b']);
    for (const s of series) assert.deepEqual({ ...s, ...labels }, s);
    const posted = await fetch(`${service.url}/prometheus/api/v1/series`, {
      method: 'POST', headers: { authorization: service.authorization }, body: new URLSearchParams({ 'match[]': 'queue' }),
    });
    assert.equal((await posted.json()).data.length, 3);
    assert.deepEqual((await ask('metadata', { metric: 'queue' })).data, { queue: [{ type: 'unknown', help: '', unit: '' }] });
    assert.deepEqual((await ask('query_exemplars', { query: 'queue', start: now - 60, end: now })).data, []);
    assert.deepEqual((await ask('rules', {})).data, { groups: [] });
    assert.ok((await ask('label/__name__/values', {})).data.includes('queue'));
    assert.match((await ask('status/buildinfo', {})).data.version, /^\d/);
    assert.equal((await get('/prometheus/api/v1/series')).status, 400);
    const wrong = await get('/prometheus/api/v1/query?query=sum(');
    assert.deepEqual([wrong.status, (await wrong.json()).errorType], [400, 'bad_data']);
  });

  await t.test('by operators alone', async () => {
    for (const what of [graph(sums), '/atlas/api/v1/tags', '/prometheus/api/v1/labels', '/api/v1/dashboards'])
      assert.equal((await get(what, {})).status, 401, what);
    const user = spawnSync(program, ['user', 'add', 'vera', '--role', 'viewer', '--password-stdin', '--data', data], { input: 'correct horse battery\n', encoding: 'utf8' });
    assert.equal(user.status, 0, user.stderr);
    const signed = await fetch(`${service.url}/api/v1/session`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'vera', password: 'correct horse battery' }),
    });
    const { token } = await signed.json();
    assert.equal((await get(graph(sums), { authorization: `Bearer ${token}` })).status, 403);
  });

  await t.test('after kill -9', async () => {
    const before = await service.ask('/api/v1/series/counts');
    assert.ok(before.store.series >= 3);
    process.kill(service.pid, 'SIGKILL');
    await until('its end', async () => !(await fetch(service.url).then(() => true, () => false)));
    const again = await serve(t, data, ['--series-step', '1']);
    const answer = await again.ask(graph(sums, { format: 'std.json', s: 'e-5m' }));
    const mail = answer.metrics.findIndex((m) => m.kind === 'mail');
    assert.ok(answer.values.some((row) => row[mail] === 12), 'what was read before is there');
  });
});
