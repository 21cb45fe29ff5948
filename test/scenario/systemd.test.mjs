// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 1
//
// Units of a real systemd: a manager of its own in namespaces of its own (its units, /run and processes are nobody else's), the
// service inside with it. A sick unit is stopped and started anew, serves again, and is in again; one whose start fails stays out;
// one that was restarted meanwhile is not ended.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { marquee, program, start } from './marquee.mjs';

const letters = ['a', 'b', 'c', 'd', 'e'];

// The manager is told of no unit but these; what the machine has of its own is hidden below empty folders.
const boot = (dir) => `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
umount -R -l /sys/fs/cgroup
mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd || mount -t cgroup2 cgroup2 /sys/fs/cgroup
for d in /etc/systemd/system /lib/systemd/system /lib/systemd/system-generators; do mount -t tmpfs tmpfs $d; done
cp ${dir}/units/* /etc/systemd/system/
exec env -i PATH="$PATH" container=lxc /lib/systemd/systemd --system --unit=basic.target --log-target=null --show-status=no
`;
const units = {
  'basic.target': '[Unit]\nDefaultDependencies=no\n',
  'shutdown.target': '[Unit]\nDefaultDependencies=no\n',
};

async function manager(t, dir) {
  fs.writeFileSync(path.join(dir, 'boot.sh'), boot(dir));
  const outside = spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child', '--ipc', '--uts', '--cgroup', '--mount-proc', 'sh', path.join(dir, 'boot.sh')],
    { stdio: 'ignore' });
  const ended = new Promise((resolve) => outside.on('exit', resolve));
  t.after(async () => {
    outside.kill('SIGKILL');
    await ended;
    fs.rmSync(dir, { recursive: true, force: true });
  });
  const inside = (...command) => {
    const pid = fs.readFileSync(`/proc/${outside.pid}/task/${outside.pid}/children`, 'utf8').trim();
    return ['nsenter', '--target', pid, '--mount', '--pid', '--cgroup', '--ipc', '--', ...command];
  };
  const run = (...command) => {
    const [what, ...args] = inside(...command);
    return spawnSync(what, args, { encoding: 'utf8', timeout: 60000 });
  };
  for (const until = Date.now() + 30000; outside.exitCode === null && Date.now() < until; await new Promise((r) => setTimeout(r, 100))) {
    try {
      if (run('systemctl', 'is-active', 'basic.target').status === 0) return { inside, run };
    } catch { /* it has not begun */ }
  }
  return null;
}

async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, () => new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => resolve(server));
  })));
  const ports = servers.map((s) => s.address().port);
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return ports;
}

function describe(dir, ports) {
  fs.mkdirSync(path.join(dir, 'units'));
  for (const [name, text] of Object.entries(units)) fs.writeFileSync(path.join(dir, 'units', name), text);
  // It says which process answers. \`broken\` keeps the next one from starting.
  fs.writeFileSync(path.join(dir, 'edge.mjs'), `import http from 'node:http';
http.createServer((q, r) => r.end(String(process.pid))).listen(Number(process.argv[2]), '127.0.0.1');\n`);
  letters.forEach((x, i) => fs.writeFileSync(path.join(dir, 'units', `edge-${x}.service`),
    `[Unit]\nDefaultDependencies=no\n[Service]\nExecStartPre=test ! -e ${dir}/broken.${x}\nExecStart=${process.execPath} ${dir}/edge.mjs ${ports[i]}\n`));
  fs.writeFileSync(path.join(dir, 'discovery.sh'), `cat >> ${dir}/discovery.log; echo >> ${dir}/discovery.log\n`);
  fs.mkdirSync(path.join(dir, 'conf'));
  fs.writeFileSync(path.join(dir, 'conf/clusters.yaml'), `schema: 1
clusters:
  - name: edges
    owner: edges@example.org
    action: terminate
    servers: [${letters.map((x, i) => `{name: ${x}, unit: edge-${x}.service, address: "127.0.0.1:${ports[i]}"}`).join(', ')}]
    discovery: {driver: exec, run: [sh, ${dir}/discovery.sh]}
    life: {driver: systemd}
    health: {url: "http://{address}/", within_s: 3}
    forensics: [{name: unit, run: [systemctl, show, "{unit}"]}]
    guards: {max_share_percent: 60, max_at_once: 3, cooldown_s: 1, outlier_percent: 60}
`);
}

function suspicion(server) {
  const at = (s) => new Date(Date.now() - s * 1000).toISOString().replace(/\.\d+Z/, 'Z');
  return { cluster: 'edges', rule: 'scenario@1', window_start: at(120), window_end: at(1), data: at(1), members: 5, reporting: 5,
    suspects: [{ server, since: at(120), score: 9, evidence: {} }] };
}

test('units of systemd are replaced, and serve again', async (t) => {
  if (process.getuid() !== 0) return t.skip('only root may make the namespaces');
  if (!fs.existsSync('/lib/systemd/systemd')) return t.skip('systemd is not installed');
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'marquee-systemd-'));
  const ports = await freePorts(letters.length);
  describe(dir, ports);
  const systemd = await manager(t, dir);
  if (!systemd) return t.skip('no systemd starts in namespaces of its own here');
  const data = path.join(dir, 'data');
  const answers = async (x) => {
    try { return await (await fetch(`http://127.0.0.1:${ports[letters.indexOf(x)]}/`)).text(); } catch { return null; }
  };
  const until = async (what, done) => {
    for (const end = Date.now() + 120000; Date.now() < end; await new Promise((r) => setTimeout(r, 100))) {
      const value = await done();
      if (value) return value;
    }
    assert.fail(what);
  };
  for (const x of letters) assert.equal(systemd.run('systemctl', 'start', `edge-${x}.service`).status, 0);
  const before = {};
  for (const x of letters) before[x] = await until(`${x} answers`, () => answers(x));
  assert.equal(marquee(['user', 'add', 'ada', '--role', 'operator', '--password-stdin', '--data', data], { input: 'a long password\n' }).code, 0);
  const [nsenter, ...args] = systemd.inside(program, 'serve', '--data', data, '--port', '0', '--conf', path.join(dir, 'conf'));
  const service = start(args, { of: nsenter });
  t.after(() => service.kill());
  const url = (await service.said(/listens on (http:\S+)/))[1];
  const session = await fetch(`${url}/api/v1/session`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'ada', password: 'a long password' }),
  });
  const { token } = await session.json();
  const suspect = async (server) => assert.equal((await fetch(`${url}/api/v1/suspicions`, {
    method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: JSON.stringify(suspicion(server)),
  })).status, 204);
  const of = (server) => marquee(['actions', 'list', '--json', '--data', data]).json.actions.find((a) => a.server === server);
  const ends = (server, state) => until(`${server} is ${state}`, () => (of(server).state === state ? of(server) : null));
  const out = () => fs.readFileSync(path.join(dir, 'discovery.log'), 'utf8').trim().split('\n').map((line) => JSON.parse(line).out);

  await suspect('c');
  const done = await ends('c', 'done');
  const now = await answers('c');
  assert.ok(now && now !== before.c, `${before.c} ${now}`);
  assert.deepEqual(out(), [['c'], []]);
  const invocation = (text) => text.match(/^InvocationID=([0-9a-f]{32})$/m)[1];
  const was = invocation(done.forensics[0].out);
  assert.notEqual(invocation(systemd.run('systemctl', 'show', 'edge-c.service').stdout), was);
  const trail = () => marquee(['audit', 'list', '--json', '--limit', '1000', '--data', data]).json.audit;
  const ended = (server) => trail().filter((e) => e.what === 'treatment.terminate.intended' && e.subject === `server/edges/${server}`).length;
  assert.equal(ended('c'), 1);
  // A fresh one that does not start stays out, and a person hears of it; what they mend is put back by them.
  fs.writeFileSync(path.join(dir, 'broken.d'), '');
  await until('d is treated', async () => { // the cluster rests for a second
    await suspect('d');
    return of('d').state !== 'held';
  });
  const stuck = await ends('d', 'stuck');
  assert.match(stuck.error, /no replacement runs/);
  assert.equal(await answers('d'), null);
  assert.deepEqual(out().at(-1), ['d']);
  fs.rmSync(path.join(dir, 'broken.d'));
  assert.equal(systemd.run('systemctl', 'restart', 'edge-d.service').status, 0);
  assert.equal(marquee(['actions', 'undo', stuck.id, '--data', data]).code, 0);
  await ends('d', 'undone');
  assert.deepEqual(out().at(-1), []);
  assert.equal(ended('d'), 1);
  for (const x of ['a', 'b', 'e']) assert.equal(await answers(x), before[x]);
  assert.equal(marquee(['audit', 'verify', '--data', data]).code, 0);
});
