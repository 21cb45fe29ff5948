// SPDX-License-Identifier: GPL-3.0-or-later
//
// A Slurm of its own on this machine: munged, slurmctld, a slurmd a node, all below one folder.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const where = (p) => spawnSync('sh', ['-c', `command -v ${p}`], { encoding: 'utf8' }).stdout.trim();

export function slurmMissing() {
  if (process.getuid() !== 0) return 'only root may run jobs for others';
  const missing = ['munged', 'slurmctld-wlm', 'slurmd-wlm', 'slurmstepd-wlm', 'scontrol', 'squeue', 'sbatch', 'scancel'].filter((p) => !where(p));
  return missing.length ? `${missing.join(', ')} not installed` : null;
}

async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, () => new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => resolve(server));
  })));
  const ports = servers.map((s) => s.address().port);
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return ports;
}

const conf = (dir, host, controller, nodes, ports) => `ClusterName=scenario
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${dir}/munge/sock,cred_expire=2
CryptoType=crypto/munge
StateSaveLocation=${dir}/state
SlurmdSpoolDir=${dir}/spool.%n
SlurmctldPidFile=${dir}/ctld.pid
SlurmdPidFile=${dir}/slurmd.%n.pid
SlurmctldLogFile=${dir}/log/ctld.log
SlurmdLogFile=${dir}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
MpiDefault=none
SwitchType=switch/none
ReturnToService=1
MessageTimeout=3
SlurmdTimeout=20
InactiveLimit=0
KillWait=5
JobRequeue=1
SlurmdParameters=config_overrides
${nodes.map((n, i) => `NodeName=${n} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${ports[i]} CPUs=2 RealMemory=1000 Weight=${i + 1} State=UNKNOWN`).join('\n')}
PartitionName=base Nodes=${nodes.join(',')} Default=YES MaxTime=INFINITE State=UP
`;

function run(command, args, env = {}) {
  const done = spawnSync(command, args, { encoding: 'utf8', timeout: 60000, env: { ...process.env, ...env } });
  assert.ifError(done.error);
  return { code: done.status, text: done.stdout + done.stderr };
}

// Ends with the test, with all that was started in it since; its folder goes last.
export async function startSlurm(t, nodes) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'marquee-slurm-'));
  const ports = await freePorts(nodes.length + 2);
  const file = path.join(dir, 'slurm.conf');
  const nobody = path.join(dir, 'nobody.conf'); // the same, where no controller listens
  const env = { SLURM_CONF: file };
  const must = (command, args) => {
    const done = run(command, args, env);
    assert.equal(done.code, 0, `${command} ${args.join(' ')}: ${done.text}`);
    return done.text;
  };
  fs.chmodSync(dir, 0o755); // munge's socket is everybody's
  for (const d of ['munge', 'state', 'log', ...nodes.map((n) => `spool.${n}`)]) fs.mkdirSync(path.join(dir, d), { mode: 0o755 });
  fs.writeFileSync(path.join(dir, 'munge/key'), Buffer.from(Array.from({ length: 128 }, () => Math.floor(Math.random() * 256))), { mode: 0o400 });
  fs.writeFileSync(file, conf(dir, os.hostname().split('.')[0], ports[nodes.length], nodes, ports));
  fs.writeFileSync(nobody, conf(dir, os.hostname().split('.')[0], ports[nodes.length + 1], nodes, ports));
  const pidOf = (name) => Number(fs.readFileSync(path.join(dir, name), 'utf8'));
  const slurm = {
    dir, conf: file, nobody, must,
    slurmd: ['slurmd-wlm', '-d', where('slurmstepd-wlm'), '-f', file], // it would look where its package puts that
    pid: (node) => pidOf(`slurmd.${node}.pid`),
    // {State, Reason, SlurmdStartTime}: whose answer may lag behind
    node(node) {
      const line = must('scontrol', ['-o', 'show', 'node', node]);
      const value = (key) => line.match(new RegExp(` ${key}=(\\S+)`))?.[1];
      return { state: value('State'), started: value('SlurmdStartTime'), reason: line.match(/ Reason=(.*?)(?: \[|$)/m)?.[1] ?? null };
    },
    submit(command, options) {
      return Number(must('sbatch', ['--parsable', '--output=/dev/null', '--mem=100', `--chdir=${dir}`, ...options, ...command]));
    },
    job(id) {
      const text = must('scontrol', ['-o', 'show', 'job', String(id)]);
      return { state: text.match(/JobState=(\S+)/)[1], restarts: Number(text.match(/Restarts=(\d+)/)[1]), node: text.match(/ NodeList=(\S+)/)?.[1] };
    },
  };
  t.after(() => {
    run('scancel', ['--full', '--user=root'], env);
    for (const until = Date.now() + 20000; Date.now() < until && run('squeue', ['--noheader'], env).text.trim(););
    for (const f of [...nodes.map((n) => `slurmd.${n}.pid`), 'ctld.pid', 'munge/pid']) {
      try { process.kill(pidOf(f), 'SIGKILL'); } catch { /* it does not run */ }
    }
    fs.rmSync(dir, { recursive: true, force: true });
  });
  must('munged', [`--key-file=${dir}/munge/key`, `--socket=${dir}/munge/sock`, `--pid-file=${dir}/munge/pid`,
    `--log-file=${dir}/munge/log`, `--seed-file=${dir}/munge/seed`, '--num-threads=2']);
  must('slurmctld-wlm', ['-f', file]);
  nodes.forEach((node) => must(slurm.slurmd[0], [...slurm.slurmd.slice(1), '-N', node]));
  return slurm;
}
