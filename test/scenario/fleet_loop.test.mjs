// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 6
// The whole loop, with nothing in it that is not real: twelve servers behind nginx under load tell their series to a
// service; one is made slow; it is found, taken out of the upstream, examined, ended, replaced and put back;
// requests never go unanswered; the audit trail says so and is whole.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { addressOf, faults, fleetFolder, missing, serverName, startFleet } from '../fleet/fleet.mjs';
import { readRequests } from '../fleet/cost.mjs';
import { folder, marquee, program, start } from './marquee.mjs';

const skip = missing() ?? (fs.existsSync(program) ? false : 'MARQUEE names no program');
const count = 12;
const sick = 's07';

// Who is compared by what: a second stands for a minute.
const peers = `schema: 1
clusters:
  - name: shop
    server: server
    step_s: 1
    window_s: 10
    windows: 3
    enough: 2
    warm_up_s: 15
    min_peers: 8
    most_percent: 20
    eps: 6
    min_points: 4
    metrics:
      - name: latency
        query: name,client.latency,:eq,statistic,totalTime,:eq,:and,:sum,(,server,),:by,name,client.latency,:eq,statistic,count,:eq,:and,:sum,(,server,),:by,:div
        statistic: median
        compare: ratio
        side: above
        least: 0.1
`;

// How they are treated: JSON is YAML.
const clusters = (fleet) => JSON.stringify({
  schema: 1,
  clusters: [{
    name: 'shop', owner: 'shop@example.org', action: 'terminate',
    servers: fleet.names.map((name) => ({ name, address: addressOf(name), pid_file: path.join(fleet.dir, `${name}.pid`) })),
    discovery: {
      driver: 'nginx', file: path.join(fleet.dir, 'upstream.conf'), config: path.join(fleet.dir, 'nginx.conf'), prefix: fleet.dir,
      pid_file: path.join(fleet.dir, 'nginx.pid'),
    },
    life: { driver: 'process', start: [fleet.program, 'tell', `to=${path.join(fleet.dir, 'host.sock')}`, 'text=restart {server}'] },
    health: { run: ['nsenter', '-t', String(fleet.pid), '-n', 'curl', '-fsS', '-m', '5', '-o', '/dev/null', 'http://{address}/health'], within_s: 60 },
    drain_s: 5,
    forensics: [
      { name: 'process', run: ['cat', path.join(fleet.dir, '{server}.pid')] },
      { name: 'sockets', run: ['nsenter', '-t', String(fleet.pid), '-n', 'ss', '-tn', 'dst', '127.1.0.7'] },
    ],
    guards: { max_share_percent: 10, min_left: 10, max_at_once: 1, max_per_hour: 1, min_peers: 8, outlier_percent: 20, max_age_s: 30 },
  }],
}, null, 1);

async function until(what, holds, tries = 1200) {
  for (let i = 0; i < tries; i++) {
    const value = await holds();
    if (value) return value;
    await new Promise((r) => setTimeout(r, 200));
  }
  assert.fail(`never: ${what}`);
}

test('found, removed, examined, replaced, and written down', { skip }, async (t) => {
  const data = folder(t), conf = folder(t), dir = fleetFolder();
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const day_ms = 4e8; // the load stands still, a quarter up from the quiet of a day
  const fleet = await startFleet({
    dir, count, seed: 11, series: `unix://${data}/series.sock`, day_ms, dawn_ms: Math.round(Date.now() - day_ms / 6),
  });
  t.after(() => fleet.stop());
  fs.writeFileSync(path.join(conf, 'clusters.yaml'), clusters(fleet));
  fs.writeFileSync(path.join(conf, 'peers.yaml'), peers);
  const checked = marquee(['actions', 'check', path.join(conf, 'clusters.yaml')]);
  assert.equal(checked.code, 0, checked.stderr);

  const service = start(['serve', '--data', data, '--port', '0', '--conf', conf, '--series-step', '1']);
  t.after(() => service.kill('SIGKILL'));
  await service.said(/http:\/\/\S+/);
  fleet.load();
  fleet.probe();
  const rows = () => readRequests(path.join(dir, 'requests.csv'));
  const treatments = () => {
    const listed = marquee(['actions', 'list', '--data', data, '--json']);
    assert.equal(listed.code, 0, listed.stderr);
    return listed.json.actions;
  };
  const pids = (name) => fleet.events.filter((l) => l.startsWith(`started ${name} `)).map((l) => l.split(' ')[2]);

  await until('600 requests served', () => fs.existsSync(path.join(dir, 'requests.csv')) && rows().length > 600);
  await until('a minute of every server', () => {
    const served = rows();
    return served.length > 0 && served.at(-1).at_ms - served[0].at_ms > 40000;
  });
  assert.deepEqual(treatments(), [], 'a healthy fleet is left alone');

  faults.latency.on(fleet, sick, 6);
  // The fault is the machine's: whoever comes in its place starts on a sound one.
  const replaced = fleet.said((l) => l.startsWith(`ended ${sick} `)).then(() => { faults.latency.off(fleet, sick); return Date.now(); });

  const begun = await until('a treatment', () => treatments()[0]);
  assert.equal(begun.server, sick);
  const done = await until('its end', () => treatments().find((a) => !['held', 'acting'].includes(a.state)));
  assert.equal(done.state, 'done', JSON.stringify(done));
  const at = await replaced;

  await t.test('only the slow one was treated, once', () => {
    assert.deepEqual(treatments().map((a) => a.server), [sick]);
    for (let i = 1; i <= count; i++) assert.equal(pids(serverName(i)).length, serverName(i) === sick ? 2 : 1);
    assert.equal(fleet.events.filter((l) => l.startsWith('ended s')).length, 1);
  });

  await t.test('it was examined while it still ran', () => {
    const probes = JSON.stringify(done.forensics);
    assert.ok(probes.includes(pids(sick)[0]), probes);
    assert.ok(!probes.includes(pids(sick)[1]), probes);
  });

  await t.test('why it was a suspect can be read', () => {
    assert.ok(JSON.stringify(done.suspicion).includes('latency'), JSON.stringify(done.suspicion));
  });

  await t.test('the new one serves, as fast as the others', async () => {
    await until('answers of it', () => rows().filter((r) => r.server === sick && r.status === 200 && r.at_ms > at + 2000).length > 60);
    const middle = (list) => list.map((r) => r.us).sort((a, b) => a - b)[list.length >> 1];
    const after = rows().filter((r) => r.at_ms > at + 2000);
    const new_one = middle(after.filter((r) => r.server === sick)), others = middle(after.filter((r) => r.server !== sick));
    assert.ok(new_one < 2 * others, `${new_one} beside ${others}`);
    assert.ok(fs.readFileSync(path.join(dir, 'upstream.conf'), 'utf8').includes(`server ${addressOf(sick)};`));
  });

  await t.test('out of service it got no request, and no request went unanswered', () => {
    const all = rows();
    assert.deepEqual(all.filter((r) => r.status === 502 || r.status === 504 || r.status === 599), []);
    const began = at - 500; // just before it ended, behind the drain
    assert.equal(all.filter((r) => r.server === sick && r.at_ms > began && r.at_ms < at).length, 0);
  });

  await t.test('the audit trail tells each step and is whole', () => {
    const listed = marquee(['audit', 'list', '--data', data, '--json', '--limit', '100']);
    assert.equal(listed.code, 0, listed.stderr);
    const told = listed.stdout;
    const steps = ['notify', 'remove', 'drain', 'examine', 'terminate', 'start', 'verify', 'return'];
    for (const step of steps) assert.ok(told.includes(step), `${step} in ${told}`);
    const verified = marquee(['audit', 'verify', '--data', data, '--json']);
    assert.equal(verified.code, 0, verified.stderr);
    assert.equal(verified.json.whole, true);
    assert.ok(verified.json.entries >= steps.length);
  });

  await t.test('the decision can be looked at again, from what was kept', async () => {
    assert.equal((await service.kill('SIGTERM')).code, 0);
    const again = marquee(['insight', 'suspects', '--data', data, '--config', path.join(conf, 'peers.yaml'), '--store-step', '1',
      '--at', String(Date.parse(done.suspicion.window.end)), '--json']);
    assert.ok(again.stdout.includes(`"server":"${sick}"`) || again.stdout.includes(`"server": "${sick}"`), again.stdout + again.stderr);
  });
});
