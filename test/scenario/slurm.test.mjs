// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 1
//
// Sick nodes of a real Slurm: drained with a reason, their jobs finished or requeued as configured, the slurmd replaced, the node
// resumed; and what must never lead to a termination: jobs that may not move, a node that a person drained, a node that Slurm does
// not know, a controller that does not answer.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { marquee, start } from './marquee.mjs';
import { slurmMissing, startSlurm } from './slurm.mjs';

const nodes = ['n1', 'n2', 'n3', 'n4', 'n5', 'spare'];

const cluster = ({ dir, slurmd }, { name, node, conf, jobs, drain_s }) => `
  - name: ${name}
    owner: ops@example.org
    action: terminate
    servers: [{name: it, node: ${node}, pid_file: ${dir}/slurmd.${node}.pid}, {name: spare, node: spare, pid_file: ${dir}/slurmd.spare.pid}]
    discovery: {driver: slurm, config: ${conf}, jobs: ${jobs}}
    life: {driver: process, start: [${slurmd.join(', ')}, -N, "{node}"], stop_s: 10}
    health: {run: [sh, ${dir}/health.sh, "{node}"], within_s: 60}
    forensics: [{name: node, run: [env, SLURM_CONF=${dir}/slurm.conf, scontrol, show, node, "{node}"]}]
    drain_s: ${drain_s}
    guards: {max_share_percent: 50, min_peers: 2, outlier_percent: 50, cooldown_s: 1}`;

function describe(dir, slurm) {
  const made = [
    { name: 'patient', node: 'n1', conf: slurm.conf, jobs: 'finish', drain_s: 60 },
    { name: 'hasty', node: 'n2', conf: slurm.conf, jobs: 'requeue', drain_s: 1 },
    { name: 'bound', node: 'n3', conf: slurm.conf, jobs: 'requeue', drain_s: 1 },
    { name: 'taken', node: 'n4', conf: slurm.conf, jobs: 'requeue', drain_s: 1 },
    { name: 'unknown', node: 'ghost', conf: slurm.conf, jobs: 'finish', drain_s: 1 },
    { name: 'lost', node: 'n5', conf: slurm.nobody, jobs: 'finish', drain_s: 1 },
  ];
  // Registered, and answering: what its controller says of it.
  fs.writeFileSync(path.join(dir, 'health.sh'), `state=$(SLURM_CONF=${dir}/slurm.conf scontrol -o show node "$1" | grep -o ' State=[^ ]*')\n` +
    `case "$state" in *RESPONDING*|*DOWN*|*UNKNOWN*|"") exit 1;; esac\n`);
  // A job writes where it runs, for the how-many-eth time, and goes on until its file is there, or it is its second life.
  fs.writeFileSync(path.join(dir, 'job.sh'), `#!/bin/sh
echo "begins $1 $SLURMD_NODENAME \${SLURM_RESTART_COUNT:-0}" >> ${dir}/jobs.log
while ! [ -e ${dir}/end.$1 ] && [ "\${SLURM_RESTART_COUNT:-0}" = 0 ]; do sleep 0.2; done
echo "ends $1 $SLURMD_NODENAME" >> ${dir}/jobs.log
`);
  fs.mkdirSync(path.join(dir, 'conf'));
  fs.writeFileSync(path.join(dir, 'conf/clusters.yaml'), `schema: 1
everywhere: {max_at_once: 20, max_per_hour: 100}
clusters:${made.map((c) => cluster(slurm, c)).join('')}\n`);
}

function suspicion(name) {
  const at = (s) => new Date(Date.now() - s * 1000).toISOString().replace(/\.\d+Z/, 'Z');
  return { cluster: name, rule: 'scenario@1', window_start: at(120), window_end: at(1), data: at(1), members: 2, reporting: 2,
    suspects: [{ server: 'it', since: at(120), score: 9, evidence: {} }] };
}

test('nodes of Slurm are drained, replaced and resumed, and no job is lost', async (t) => {
  const why = slurmMissing();
  if (why) return t.skip(why);
  const slurm = await startSlurm(t, nodes);
  const { dir } = slurm;
  const data = path.join(dir, 'data');
  describe(dir, slurm);
  assert.equal(marquee(['actions', 'check', path.join(dir, 'conf/clusters.yaml')]).code, 0);
  assert.equal(marquee(['user', 'add', 'ada', '--role', 'operator', '--password-stdin', '--data', data], { input: 'a long password\n' }).code, 0);
  const service = start(['serve', '--data', data, '--port', '0', '--conf', path.join(dir, 'conf')]);
  t.after(() => service.kill());
  const url = (await service.said(/listens on (http:\S+)/))[1];
  const session = await fetch(`${url}/api/v1/session`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'ada', password: 'a long password' }),
  });
  const { token } = await session.json();
  const suspect = async (name) => {
    const { status } = await fetch(`${url}/api/v1/suspicions`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: JSON.stringify(suspicion(name)),
    });
    assert.equal(status, 204);
  };
  const actions = () => marquee(['actions', 'list', '--json', '--data', data]).json.actions;
  const treatment = (name) => actions().find((a) => a.cluster === name);
  const log = () => (fs.existsSync(path.join(dir, 'jobs.log')) ? fs.readFileSync(path.join(dir, 'jobs.log'), 'utf8') : '');
  const until = async (what, done) => {
    for (const end = Date.now() + 150000; Date.now() < end; await new Promise((r) => setTimeout(r, 100))) {
      const value = done();
      if (value) return value;
    }
    assert.fail(`${what}: ${JSON.stringify(actions())} ${log()} ${slurm.must('scontrol', ['-o', 'show', 'nodes'])}`);
  };

  await until('all nodes register', () => nodes.every((n) => slurm.node(n).state === 'IDLE'));
  const job = path.join(dir, 'job.sh');
  const send = (name, more) => slurm.submit([job, name], more);
  slurm.must('scontrol', ['update', 'NodeName=n4', 'State=DRAIN', 'Reason=disk swap']);
  const finishes = send('finishes', ['--nodelist=n1', '--no-requeue', '--exclusive']);
  const bound = send('bound', ['--nodelist=n3', '--no-requeue', '--exclusive']);
  await until('two jobs run', () => ['finishes', 'bound'].every((n) => log().includes(`begins ${n} `)));
  const moves = send('moves', ['--requeue']); // n2 is what is left; the spare one weighs more
  await until('a third runs', () => log().includes('begins moves n2 '));
  const before = Object.fromEntries(nodes.map((n) => [n, { pid: slurm.pid(n), ...slurm.node(n) }]));
  for (const name of ['patient', 'hasty', 'bound', 'taken', 'unknown', 'lost']) await suspect(name);

  // Drained with a reason that names the treatment, its job left alone, nothing new let in.
  await until('n1 drains', () => /DRAIN/.test(slurm.node('n1').state));
  assert.equal(slurm.node('n1').reason, `marquee ${treatment('patient').id}`);
  const waits = send('waits', ['--nodelist=n1']);
  const hasty = await until('n2 is replaced', () => actions().find((a) => a.cluster === 'hasty' && a.state === 'done'));
  assert.deepEqual([treatment('patient').state, treatment('patient').step, slurm.pid('n1')], ['acting', 'drain', before.n1.pid]);
  assert.deepEqual([slurm.job(finishes).state, slurm.job(waits).state], ['RUNNING', 'PENDING']);
  fs.writeFileSync(path.join(dir, 'end.waits'), '');
  fs.writeFileSync(path.join(dir, 'end.finishes'), '');
  await until('n1 is replaced', () => treatment('patient').state === 'done');

  // The fresh ones registered, serve, and are in again.
  for (const n of ['n1', 'n2']) {
    assert.notEqual(slurm.pid(n), before[n].pid);
    await until(`${n} is back`, () => !/DRAIN|DOWN|RESPONDING/.test(slurm.node(n).state));
    assert.equal(slurm.node(n).reason, null);
    assert.notEqual(slurm.node(n).started, before[n].started);
  }
  await until('work runs on n1 again', () => log().includes('ends waits n1'));
  assert.match(log(), /ends finishes n1/);
  assert.equal(slurm.job(finishes).restarts, 0);
  slurm.must('scontrol', ['update', `JobId=${moves}`, 'StartTime=now']); // Slurm lets a requeued job wait for two minutes
  await until('the requeued job has ended', () => slurm.job(moves).state === 'COMPLETED');
  assert.equal(slurm.job(moves).restarts, 1);
  assert.match(log(), /begins moves n2 0\n/);
  assert.match(hasty.forensics[0].out, /NodeName=n2/);

  // A job that may not be requeued: the node goes back as it was, the job runs on.
  const refused = await until('n3 is given back', () => actions().find((a) => a.cluster === 'bound' && a.state === 'restored'));
  assert.match(refused.error, /sending its work elsewhere: .*disabled for job/);
  assert.deepEqual([slurm.pid('n3'), slurm.job(bound).state, slurm.job(bound).restarts], [before.n3.pid, 'RUNNING', 0]);
  assert.doesNotMatch(slurm.node('n3').state, /DRAIN/);
  // A person's drain is neither taken over nor ended.
  const taken = await until('n4 is left alone', () => actions().find((a) => a.cluster === 'taken' && a.state === 'restored'));
  assert.match(taken.error, /node n4 is drained already: disk swap/);
  assert.deepEqual([slurm.pid('n4'), slurm.node('n4').reason], [before.n4.pid, 'disk swap']);
  assert.match(slurm.node('n4').state, /DRAIN/);
  // A node that Slurm does not know, a controller that is not there: an error, a person, no termination.
  const unknown = await until('the unknown node is a person\'s', () => actions().find((a) => a.cluster === 'unknown' && /stuck|restored/.test(a.state)));
  assert.match(unknown.error, /ghost/);
  const lost = await until('the controller does not answer', () => actions().find((a) => a.cluster === 'lost' && a.state === 'stuck'));
  assert.match(lost.error, /Unable to contact slurm controller/);

  assert.equal(slurm.pid('n5'), before.n5.pid);

  const trail = marquee(['audit', 'list', '--json', '--limit', '1000', '--data', data]).json.audit;
  const ended = trail.filter((e) => e.what === 'treatment.terminate.intended').map((e) => e.subject).sort();
  assert.deepEqual(ended, ['server/hasty/it', 'server/patient/it']);
  assert.deepEqual(trail.filter((e) => e.what.startsWith('treatment.drain.') && e.subject === 'server/hasty/it').map((e) => e.what.slice(16)).reverse(),
    ['late', 'intended', 'performed', 'performed']);
  assert.equal(marquee(['audit', 'verify', '--data', data]).code, 0);
});
