// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 1
//
// From a suspicion to a replaced server, through a whole service: real processes, a discovery that is a program, the
// forensics, the trail.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { folder, marquee, start } from './marquee.mjs';

const letters = ['a', 'b', 'c', 'd', 'e'];

// A server is a process that only lives; the start script makes it and writes its pid.
function describe(dir) {
  fs.writeFileSync(path.join(dir, 'start.sh'),
    `setsid sh -c 'echo $$ > ${dir}/new.$0; mv ${dir}/new.$0 ${dir}/$0.pid; exec sleep 600' $1 < /dev/null > /dev/null 2>&1 &\n` +
    `while ! [ -e ${dir}/$1.pid ]; do :; done\n`);
  fs.writeFileSync(path.join(dir, 'discovery.sh'), `cat >> ${dir}/discovery.log; echo >> ${dir}/discovery.log\n`);
  fs.mkdirSync(path.join(dir, 'conf'));
  fs.writeFileSync(path.join(dir, 'conf/clusters.yaml'), `schema: 1
clusters:
  - name: edges
    owner: edges@example.org
    action: terminate
    servers: [${letters.map((x) => `{name: ${x}, pid_file: ${dir}/${x}.pid}`).join(', ')}]
    discovery: {driver: exec, run: [sh, ${dir}/discovery.sh]}
    life: {driver: process, start: [sh, ${dir}/start.sh, "{server}"], stop_s: 5}
    health: {run: [test, -e, "${dir}/{server}.pid"], within_s: 30}
    forensics: [{name: state, run: [cat, "${dir}/{server}.pid"]}]
    guards: {max_share_percent: 20}
`);
}

function suspicion(servers, age_s = 0) {
  const at = (s) => new Date(Date.now() - s * 1000).toISOString().replace(/\.\d+Z/, 'Z');
  return {
    cluster: 'edges', rule: 'scenario@1', window_start: at(120 + age_s), window_end: at(1 + age_s), data: at(1 + age_s), members: 5, reporting: 5,
    suspects: servers.map((server, i) => ({ server, since: at(120 + age_s), score: 9 - i, evidence: { p99_ms: 900 } })),
  };
}

test('a suspect is replaced, guards hold the others, and the trail tells', async (t) => {
  const dir = folder(t);
  const data = path.join(dir, 'data');
  const pid = (x) => Number(fs.readFileSync(path.join(dir, `${x}.pid`), 'utf8'));
  describe(dir);
  t.after(() => letters.forEach((x) => { try { process.kill(pid(x), 'SIGKILL'); } catch { /* gone */ } }));
  assert.equal(marquee(['actions', 'check', path.join(dir, 'conf/clusters.yaml')]).code, 0);
  assert.equal(marquee(['user', 'add', 'ada', '--role', 'operator', '--password-stdin', '--data', data], { input: 'a long password\n' }).code, 0);
  const service = start(['serve', '--data', data, '--port', '0', '--conf', path.join(dir, 'conf')]);
  t.after(() => service.kill());
  const url = (await service.said(/listens on (http:\S+)/))[1];
  const session = await fetch(`${url}/api/v1/session`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'ada', password: 'a long password' }),
  });
  const { token } = await session.json();
  const send = (body) => fetch(`${url}/api/v1/suspicions`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: JSON.stringify(body),
  });
  const actions = () => marquee(['actions', 'list', '--json', '--data', data]).json.actions;
  for (const x of letters) {
    assert.equal(spawnSync('sh', [path.join(dir, 'start.sh'), x]).status, 0);
  }
  const before = Object.fromEntries(letters.map((x) => [x, pid(x)]));

  assert.equal((await send(suspicion(['c'], 600))).status, 204); // stale
  assert.deepEqual(actions().map((a) => [a.server, a.state, a.guard]), [['c', 'held', 'stale']]);
  assert.equal((await send(suspicion(['a', 'b']))).status, 204); // two of five are no outlier
  assert.ok(actions().filter((a) => a.server !== 'c').every((a) => a.state === 'held' && a.guard === 'outliers'));
  assert.equal((await send(suspicion(['c']))).status, 204);
  let done = null;
  for (const until = Date.now() + 240000; !done && Date.now() < until;) {
    done = actions().find((a) => a.server === 'c' && a.state === 'done');
  }
  assert.ok(done, JSON.stringify(actions()));
  assert.notEqual(pid('c'), before.c);
  // Ended; whoever adopted it may not have asked how yet.
  const stat = `/proc/${before.c}/stat`;
  assert.ok(!fs.existsSync(stat) || / Z /.test(fs.readFileSync(stat, 'utf8')));
  process.kill(pid('c'), 0);
  letters.filter((x) => x !== 'c').forEach((x) => assert.equal(pid(x), before[x]));
  assert.equal(done.forensics[0].out.trim(), String(before.c));
  assert.equal(done.suspicion.evidence.p99_ms, 900);
  const told = fs.readFileSync(path.join(dir, 'discovery.log'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(told.map((x) => [x.do, x.out]), [['remove', ['c']], ['restore', []]]);

  const sound = marquee(['audit', 'verify', '--json', '--data', data]);
  assert.equal(sound.code, 0);
  assert.ok(sound.json.entries > 10);
  // A person refuses one; the head of before is still in the trail.
  assert.equal(marquee(['actions', 'refuse', actions().find((a) => a.server === 'a').id, '--data', data]).code, 0);
  const later = marquee(['audit', 'verify', '--head', sound.json.head, '--json', '--data', data]);
  assert.equal(later.code, 0);
  assert.equal(later.json.entries, sound.json.entries + 1);
  const other = sound.json.head.replace(/.$/, (x) => (x === '0' ? '1' : '0'));
  assert.equal(marquee(['audit', 'verify', '--head', other, '--data', data]).code, 1);
});
