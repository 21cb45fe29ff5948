// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 2
//
// From a suspicion to what a program found on the server itself: a whole service, and an agent that knows it by a token alone. Either is
// killed in the midst, and nothing runs twice.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { folder, marquee, start } from './marquee.mjs';

const script = (file, text) => { fs.writeFileSync(file, `#!/bin/sh\n${text}\n`); fs.chmodSync(file, 0o700); };
const lines = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n').length : 0);
const alive = (pid) => { try { return !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8')); } catch { return false; } };

async function until(what, look, seconds = 120) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    const got = await look();
    if (got) return got;
    await new Promise((r) => setTimeout(r, 50));
  }
  return assert.fail(`never: ${what}`);
}

function describe(dir) {
  fs.mkdirSync(path.join(dir, 'conf'));
  fs.mkdirSync(path.join(dir, 'agent'));
  fs.writeFileSync(path.join(dir, 'conf/clusters.yaml'), `schema: 1
clusters:
  - {name: edges, owner: edges@example.org, action: notify, servers: [{name: c}, {name: d}, {name: e}, {name: f}, {name: g}]}
`);
  fs.writeFileSync(path.join(dir, 'conf/runbooks.yaml'), `schema: 1
runbooks:
  - {name: look, where: agent, target: "{data.server}", on: [{type: treatment.held.v1, where: [{name: data.server, is: c}]}]}
  - {name: hang, where: agent, target: "{data.server}", retries: {count: 0}, on: [{type: treatment.held.v1, where: [{name: data.server, is: d}]}]}
  - {name: secret, where: agent, target: "{data.server}", retries: {count: 0}, on: [{type: treatment.held.v1, where: [{name: data.server, is: e}]}]}
  - {name: here, run: [${dir}/here.sh], target: "{data.server}", approval: {needed: true, expires_s: 600},
     on: [{type: treatment.held.v1, where: [{name: data.server, is: f}]}]}
`);
  script(path.join(dir, 'look.sh'), `cat > ${dir}/asked.json\necho "$0 looked" >&2\necho '{"schema":1,"status":"attention","summary":"a queue is full","findings":[{"kind":"full_queue","severity":"warning"}]}'`);
  script(path.join(dir, 'hang.sh'), `sh -c 'echo $$ > ${dir}/grandchild; exec sleep 600' &\necho $$ >> ${dir}/hung\nsleep 600`);
  script(path.join(dir, 'here.sh'), `echo '{"schema":1,"status":"ok","summary":"done here"}'`);
}

test('an event has a program run on its server, once, and the incident keeps what it found', async (t) => {
  const dir = folder(t);
  const data = path.join(dir, 'data');
  describe(dir);
  assert.equal(marquee(['runbook', 'check', path.join(dir, 'conf/runbooks.yaml')]).code, 0);
  assert.equal(marquee(['user', 'add', 'ada', '--role', 'operator', '--password-stdin', '--data', data], { input: 'a long password\n' }).code, 0);
  const tokens = Object.fromEntries(['c', 'd', 'e'].map((s) => [s, marquee(['agent', 'add', s, '--data', data]).stdout.trim()]));
  let url = null;
  let service = null;
  const serve = async (port) => {
    service = start(['serve', '--data', data, '--port', String(port), '--conf', path.join(dir, 'conf')]);
    const own = service;
    t.after(() => own.kill());
    url = (await service.said(/listens on (http:\S+)/))[1];
  };
  const agent = async (server, allow) => {
    const conf = path.join(dir, 'agent', server);
    fs.mkdirSync(conf, { recursive: true });
    fs.writeFileSync(path.join(conf, 'token'), tokens[server], { mode: 0o600 });
    fs.writeFileSync(path.join(conf, 'agent.yaml'), `schema: 1\nservice: ${url}\ntoken_file: ${conf}/token\nfolder: ${conf}/work\nrunbooks:${allow}\n`);
    const it = start(['serve', '--role', 'agent', '--conf', conf]);
    t.after(() => it.kill());
    await it.said(/asks/);
    return it;
  };
  await serve(0);
  const port = new URL(url).port;
  const { token } = await (await fetch(`${url}/api/v1/session`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'ada', password: 'a long password' }),
  })).json();
  const api = async (method, where, body, bearer = token) => fetch(`${url}/api/v1/${where}`, {
    method, headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` }, body: body && JSON.stringify(body),
  });
  const old = (s) => new Date(Date.now() - s * 1000).toISOString().replace(/\.\d+Z/, 'Z');
  const suspect = async (server) => assert.equal((await api('POST', 'suspicions', {
    cluster: 'edges', rule: 'scenario@1', window_start: old(900), window_end: old(600), data: old(600), members: 5, reporting: 5,
    suspects: [{ server, since: old(900), score: 9, evidence: {} }],
  })).status, 204);
  const runs = () => marquee(['runbook', 'runs', '--json', '--data', data]).json.runs;
  const run = (name) => runs().find((r) => r.runbook === name);
  const show = (id) => marquee(['runbook', 'show', id, '--json', '--data', data]).json;

  // On the server, from the event to what is kept.
  await agent('c', `\n  - {name: look, run: [${dir}/look.sh]}`);
  await suspect('c');
  const looked = await until('look ends', () => { const r = run('look'); return r?.state === 'done' && r; });
  assert.equal(looked.summary, 'a queue is full');
  assert.match(looked.subject, /^treatment\//);
  const kept = await (await api('GET', `runs/${looked.id}`)).json();
  assert.match(kept.tries[0].stderr, /looked/);
  assert.equal(JSON.parse(fs.readFileSync(path.join(dir, 'asked.json'), 'utf8')).event.data.server, 'c');
  const ofIncident = await (await api('GET', `runs?subject=${looked.subject}`)).json();
  assert.deepEqual(ofIncident.runs.map((r) => r.id), [looked.id]);

  // An agent is one for its server alone, and for nothing else; a person's session is none.
  assert.equal((await api('GET', 'runs', null, tokens.c)).status, 403);
  assert.equal((await api('POST', 'agent/take', { wait_s: 0 })).status, 403);
  assert.equal((await api('POST', 'agent/take', { wait_s: 0 }, 'mqa_nobody')).status, 401);

  // What its own file does not list is not run.
  await agent('e', ' []');
  await suspect('e');
  const unknown = await until('secret ends', () => { const r = run('secret'); return r?.state === 'failed' && r; });
  assert.match(unknown.error, /allows no runbook secret/);

  // The agent ends in the midst: it was begun once, and is told as lost, with nothing of it left.
  const first = await agent('d', `\n  - {name: hang, run: [${dir}/hang.sh]}`);
  await suspect('d');
  await until('hang hangs', () => lines(path.join(dir, 'hung')) === 1 && fs.existsSync(path.join(dir, 'grandchild')));
  process.kill(first.child.pid, 'SIGKILL');
  await first.ended;
  // The service ends, too, and comes back at the same place.
  await service.kill('SIGKILL');
  await serve(port);
  await agent('d', `\n  - {name: hang, run: [${dir}/hang.sh]}`);
  const lost = await until('hang is told as lost', () => { const r = run('hang'); return r?.state === 'failed' && r; });
  assert.match(lost.error, /in the midst/);
  assert.equal(lines(path.join(dir, 'hung')), 1);
  assert.equal(alive(Number(fs.readFileSync(path.join(dir, 'grandchild'), 'utf8'))), false);

  // A person is asked first.
  await suspect('f');
  const waits = await until('here waits', () => { const r = run('here'); return r?.state === 'waiting' && r; });
  assert.equal((await api('POST', `runs/${waits.id}/approve`, {})).status, 204);
  const done = await until('here ends', () => { const r = run('here'); return r?.state === 'done' && r; });
  assert.match(done.approved_by, /^user\//);
  assert.equal((await api('POST', `runs/${waits.id}/refuse`, {})).status, 409);
  assert.equal(show(done.id).tries.length, 1);
  assert.equal(marquee(['audit', 'verify', '--data', data]).code, 0);
});
