// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
// minutes: 1
// A real Prometheus scrapes itself and writes what it has to a service: both answer the same.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { folder, serve, skip as no_program, token, until } from './series_service.mjs';

const peer = spawnSync('prometheus', ['--version']).status === 0 ? false : 'prometheus is not installed';
const skip = no_program || peer;
const STEP_MS = 5000;

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function prometheus(t, dir, service, credentials) {
  const port = await freePort();
  mkdirSync(dir);
  const config = path.join(dir, 'prometheus.yml');
  writeFileSync(config, JSON.stringify({ // JSON is YAML
    global: { scrape_interval: '1s' },
    scrape_configs: [{ job_name: 'itself', static_configs: [{ targets: [`127.0.0.1:${port}`] }] }],
    remote_write: [{
      url: `${service.url}/prometheus/api/v1/write`,
      authorization: { credentials },
      queue_config: { batch_send_deadline: '200ms', max_samples_per_send: 500 },
    }],
  }));
  const child = spawn('prometheus', [`--config.file=${config}`, `--storage.tsdb.path=${path.join(dir, 'tsdb')}`,
    `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  return async (query) => {
    const got = await fetch(`http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams(query)}`).catch(() => null);
    return got?.ok ? (await got.json()).data.result : null;
  };
}

const identity = (tags) => JSON.stringify(Object.entries(tags).sort());

// The values at `at` of all series of a name, by their tags.
async function stored(service, name, keys, at) {
  const by = keys.length ? `,(,${keys.join(',')},),:by` : '';
  const query = new URLSearchParams({
    q: `name,${name},:eq${by}`, s: String(at - STEP_MS), e: String(at + STEP_MS), step: `${STEP_MS / 1000}s`, format: 'std.json',
  });
  const graph = await service.ask(`/atlas/api/v1/graph?${query}`);
  const row = (at - graph.start) / graph.step;
  return new Map((graph.metrics ?? []).map((tags, i) => [
    identity(Object.fromEntries(keys.map((k) => [k, tags[k]]))), graph.values[row]?.[i]]));
}

test('what Prometheus writes is what Prometheus has', { skip }, async (t) => {
  const data = folder(t);
  const service = await serve(t, data, ['--series-step', String(STEP_MS / 1000)]);
  const ask = await prometheus(t, path.join(data, 'peer'), service, token(data, 'prometheus'));

  await until('a first sample', async () => (await service.ask('/api/v1/series/counts')).intake.samples > 500);
  const at = Math.ceil((Date.now() + 1) / STEP_MS) * STEP_MS + STEP_MS;
  await until('the step', async () => {
    const [value] = (await stored(service, 'prometheus_build_info', [], at)).values();
    return Number.isFinite(value) ? true : null;
  }, 90);

  const theirs = await ask({ query: '{job="itself"}', time: String(at / 1000) });
  const groups = new Map(); // series of one name and one set of keys are asked for at once
  for (const { metric, value: [, text] } of theirs) {
    const { __name__: name, ...labels } = metric;
    const tags = Object.fromEntries(Object.entries(labels).map(([k, v]) => [k === 'name' ? 'exported_name' : k, v]));
    const fits = Object.entries(tags).every(([k, v]) => k.length >= 2 && v.length <= 120);
    if (!Number.isFinite(Number(text)) || !fits) continue; // no number, or over a limit: not stored
    const keys = Object.keys(tags).sort();
    const group = JSON.stringify([name, keys]);
    groups.set(group, [...(groups.get(group) ?? []), [identity(tags), Number(text)]]);
  }
  let compared = 0;
  for (const [group, list] of groups) {
    const ours = await stored(service, ...JSON.parse(group), at);
    for (const [tags, value] of list) {
      assert.equal(ours.get(tags), value, `${group} ${tags}`);
      compared += 1;
    }
  }
  assert.ok(compared > 300, `${compared} series compared`);

  // The same language asks both.
  for (const query of ['process_start_time_seconds{job="itself"}', 'sum(prometheus_http_requests_total)',
    'sum by (handler) (prometheus_http_requests_total)', 'count(prometheus_sd_discovered_targets)', 'max(go_memstats_sys_bytes) / 1024']) {
    const q = { query, time: String(at / 1000) };
    const ours = await service.ask(`/prometheus/api/v1/query?${new URLSearchParams(q)}`);
    const plain = (list) => new Map(list.map(({ metric, value: [, text] }) => [metric.handler ?? '', Number(text)]));
    assert.deepEqual(plain(ours.data.result), plain(await ask(q)), query);
  }
  assert.deepEqual(await service.stop(), [0, null]);
});
