// SPDX-License-Identifier: GPL-3.0-or-later
//
// A real fleet on one machine: server processes in a network namespace and control groups of their own
// behind a real nginx, under an open-loop generator, each telling its series over the wire; and the
// faults that can be put upon one of them while it runs. README.md beside this says what is what.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const groups = '/sys/fs/cgroup';

// Why a fleet cannot be had here, or null.
export function missing() {
  if (process.platform !== 'linux' || process.getuid() !== 0) return 'namespaces and control groups need root on Linux';
  for (const word of ['nginx', 'nft', 'ip', 'cc', 'unshare', 'nsenter']) {
    if (spawnSync('sh', ['-c', `command -v ${word}`]).status !== 0) return `${word} is not installed`;
  }
  for (const kind of ['cpu', 'memory', 'blkio', 'freezer']) {
    const probe = path.join(groups, kind, `marquee-probe-${process.pid}`);
    try {
      fs.mkdirSync(probe);
      fs.rmdirSync(probe);
    } catch {
      return `no writable control group ${kind} (v1)`;
    }
  }
  if (spawnSync('unshare', ['-n', 'nft', 'add', 'table', 'inet', 'probe']).status !== 0) return 'no network namespace with nft';
  return null;
}

// The program of all roles, built once for each state of its sources.
export function fleetProgram() {
  const sources = fs.readdirSync(here).filter((f) => /\.[ch]$/.test(f)).sort().map((f) => path.join(here, f));
  const hash = createHash('sha256');
  for (const f of sources) hash.update(fs.readFileSync(f));
  const dir = path.join(root, 'build');
  fs.mkdirSync(dir, { recursive: true });
  const program = path.join(dir, `fleet-${hash.digest('hex').slice(0, 16)}`);
  if (!fs.existsSync(program)) {
    const made = `${program}.${process.pid}`;
    execFileSync('cc', ['-D_GNU_SOURCE', '-std=gnu17', '-O2', '-Wall', '-Wextra', '-Wshadow', '-Werror', '-o', made,
      ...sources.filter((f) => f.endsWith('.c')), '-lm', '-lpthread'], { stdio: 'inherit' });
    fs.renameSync(made, program);
  }
  return program;
}

// A small generator of numbers for what a seed decides here (mulberry32).
export function chances(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const serverName = (i) => `s${String(i).padStart(2, '0')}`;
const address = (net, i) => `127.${net}.${Math.floor(i / 250)}.${i % 250}:8000`;
export const addressOf = (name) => address(1, Number(name.slice(1)));

// What a fault is here, and how strong. `on` and `off` take the fleet and a server's name.
export const faults = {
  latency: { how: 'the relay holds its answers back', on: (f, s, k = 1) => f.relay(s, 4000 * k, 4000 * k), off: (f, s) => f.relay(s, 0, 0) },
  loss: { how: 'nft drops packets between relay and server', on: (f, s, k = 1) => f.loss(s, Math.round(250 * k)), off: (f, s) => f.loss(s, 0) },
  cpu: { how: 'a quota of its control group', on: (f, s, k = 1) => f.cpu(s, 1000, Math.round(25000 * k)), off: (f, s) => f.cpu(s, -1, 100000) },
  leak: { how: 'the process keeps memory of each request', on: (f, s, k = 1) => f.tell(s, `leak ${Math.round(6144 * k)}`), off: (f, s) => f.tell(s, 'leak 0') },
  disk: { how: 'bytes a second that its control group may read', on: (f, s, k = 1) => f.disk(s, Math.round(620 * 1024 / k)), off: (f, s) => f.disk(s, 0) },
  errors: { how: 'the process answers 500 to one request in fifty', on: (f, s) => f.tell(s, 'errors 50'), off: (f, s) => f.tell(s, 'errors 0') },
};

// A folder for a fleet's logs and sockets: in memory, so that a busy disk holds up no generator, and short
// enough for a socket's path.
export function fleetFolder() {
  return fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'fleet-'));
}

// series: where lines go to ("unix:///…"), besides the record in dir/series.lines. disk: a file on a real
// disk that the servers read.
export async function startFleet({
  dir, disk_file = path.join(os.tmpdir(), `${path.basename(dir)}.disk`), count = 30, seed = 1, series = '', day_ms = 80000, dawn_ms = Date.now(), rate = [8, 18], backend_ms = [4, 22],
}) {
  const program = fleetProgram();
  const random = chances(seed);
  const id = `marquee-fleet-${process.pid}-${path.basename(dir).replace(/[^A-Za-z0-9]/g, '')}`;
  const names = Array.from({ length: count }, (_, i) => serverName(i + 1));
  const group = (kind, name) => path.join(groups, kind, `${id}-${name}`);
  const at = (file) => path.join(dir, file);

  fs.writeFileSync(at('links'), names.map((s, i) => `${s} ${address(1, i + 1)} ${address(2, i + 1)}\n`).join(''));
  fs.writeFileSync(disk_file, Buffer.alloc(4096 * 8192, 7), { flush: true });
  fs.writeFileSync(at('upstream.conf'), upstream(names));
  fs.writeFileSync(at('nginx.conf'), nginx(dir));
  const device = fs.statSync(disk_file).dev;
  const major = Math.floor(device / 256) & 0xfff;
  let disk = `${major}:${device & 0xff}`;
  const whole = spawnSync('sh', ['-c', `cat /sys/dev/block/${disk}/../dev`], { encoding: 'utf8' });
  if (whole.status === 0 && fs.existsSync(`/sys/dev/block/${disk}/partition`)) disk = whole.stdout.trim();

  const host = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', program, 'host',
    `group=${path.join(groups, 'freezer', id)}`, `control=${at('host.sock')}`], { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = new Promise((resolve) => host.on('exit', resolve));
  const events = [];
  const waiters = new Set();
  const hear = (line) => {
    events.push(line);
    for (const w of waiters) if (w.fits(line)) { waiters.delete(w); w.resolve(line); }
  };
  readline.createInterface({ input: host.stdout }).on('line', hear);
  const said = (fits) => new Promise((resolve) => {
    const already = events.find(fits);
    if (already) resolve(already); else waiters.add({ fits, resolve });
  });
  await said((l) => l === 'ready');
  const start = (name, where, words) => host.stdin.write(`start ${name} ${at(`${name}.log`)} ${where} ${words.join(' ')}\n`);
  const lines = `unix://${at('lines.sock')}`;

  start('record', '-', [program, 'record', `listen=${at('lines.sock')}`, `file=${at('series.lines')}`, `forward=${series}`]);
  start('backend', '-', [program, 'backend', 'listen=127.3.0.1:9000', `day_ms=${day_ms}`, `dawn_ms=${dawn_ms}`,
    `quiet_ms=${backend_ms[0]}`, `busy_ms=${backend_ms[1]}`, `seed=${seed}`]);
  for (const [i, s] of names.entries()) {
    for (const kind of ['cpu', 'memory', 'blkio']) fs.mkdirSync(group(kind, s));
    fs.writeFileSync(path.join(group('memory', s), 'memory.limit_in_bytes'), String(128 << 20));
    start(s, ['cpu', 'memory', 'blkio'].map((k) => group(k, s)).join(','), [program, 'server', `name=${s}`, `listen=${address(2, i + 1)}`,
      'backend=127.3.0.1:9000', `disk=${disk_file}`, 'disk_blocks=512', `control=${at(`${s}.sock`)}`, `pid_file=${at(`${s}.pid`)}`, `series=${lines}`,
      'every_ms=500', `rounds=${140 + Math.floor(random() * 16)}`, `slots=${700 + Math.floor(random() * 100)}`,
      `ballast_kb=${1024 + Math.floor(random() * 40000)}`, `seed=${seed * 1000 + i}`]);
  }
  start('relay', '-', [program, 'relay', `links=${at('links')}`, `control=${at('relay.sock')}`, `seed=${seed}`]);
  start('nginx', '-', ['nginx', '-p', dir, '-c', at('nginx.conf')]);

  const inside = (command, input) => {
    const done = spawnSync('nsenter', ['-t', String(host.pid), '-n', ...command], { encoding: 'utf8', input });
    if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.stderr}`);
    return done.stdout;
  };
  const losses = new Map();
  const tell = (socket, text) => execFileSync(program, ['tell', `to=${at(socket)}`, `text=${text}`]);
  const fleet = {
    dir, names, id, program, said, inside, events, pid: host.pid,
    tell: (s, text) => tell(`${s}.sock`, text),
    relay: (s, delay_us, jitter_us) => tell('relay.sock', `${s} ${delay_us} ${jitter_us}`),
    cpu: (s, quota_us, period_us) => {
      const g = group('cpu', s);
      fs.writeFileSync(path.join(g, 'cpu.cfs_period_us'), String(period_us));
      fs.writeFileSync(path.join(g, 'cpu.cfs_quota_us'), String(quota_us));
    },
    disk: (s, bps) => fs.writeFileSync(path.join(group('blkio', s), 'blkio.throttle.read_bps_device'), `${disk} ${bps}`),
    // `rate`: of 10,000 packets, both ways
    loss: (s, rate_10k) => {
      if (rate_10k) losses.set(s, rate_10k); else losses.delete(s);
      const rules = [...losses].flatMap(([name, p]) => {
        const ip = address(2, Number(name.slice(1))).replace(/:.*/, '');
        return [`ip daddr ${ip}`, `ip saddr ${ip}`].map((side) => `    ${side} numgen random mod 10000 < ${p} drop\n`);
      });
      inside(['nft', '-f', '-'], `table inet fleet\nflush table inet fleet\ntable inet fleet {\n  chain in {\n    type filter hook input priority 0;\n${rules.join('')}  }\n}\n`);
    },
    halt: (s) => host.stdin.write(`stop ${s}\n`),
    restart: (s) => host.stdin.write(`restart ${s}\n`), // or starts it, where it was halted
    setUpstream: (list) => {
      fs.writeFileSync(at('upstream.conf'), upstream(list));
      process.kill(Number(fs.readFileSync(at('nginx.pid'), 'utf8')), 'SIGHUP');
    },
    // Requests a second and server, from the quiet to the peak of the day.
    load: () => start('load', '-', [program, 'load', 'target=127.0.0.1:8080', `series=${lines}`, `rows=${at('requests.csv')}`,
      `day_ms=${day_ms}`, `dawn_ms=${dawn_ms}`, `quiet_rate=${rate[0] * count}`, `busy_rate=${rate[1] * count}`,
      'quiet_keys=800', 'busy_keys=1000', `seed=${seed}`]),
    probe: () => start('probe', '-', [program, 'probe', `links=${at('links')}`, `rows=${at('health.csv')}`]),
    // Of nginx, asked inside of the namespace.
    answers: () => spawnSync('nsenter', ['-t', String(host.pid), '-n', 'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}',
      'http://127.0.0.1:8080/health'], { encoding: 'utf8' }).stdout === '200',
    stop: async () => {
      host.stdin.end();
      await gone;
      fs.rmSync(disk_file, { force: true });
    },
  };
  fleet.loss(names[0], 0);
  for (let tries = 0; !fleet.answers(); tries++) {
    if (tries > 600) throw new Error('the load balancer does not answer');
    await new Promise((r) => setTimeout(r, 100));
  }
  return fleet;
}

function upstream(names) {
  return names.map((s) => `server ${addressOf(s)} max_fails=0;\n`).join('');
}

function nginx(dir) {
  return `user root; worker_processes 1; daemon off; pid ${dir}/nginx.pid; error_log ${dir}/nginx-error.log warn;
events { worker_connections 2048; }
http {
  access_log off; client_body_temp_path ${dir}/tmp; proxy_temp_path ${dir}/tmp-p; fastcgi_temp_path ${dir}/tmp-f;
  uwsgi_temp_path ${dir}/tmp-u; scgi_temp_path ${dir}/tmp-s;
  upstream fleet { include ${dir}/upstream.conf; keepalive 400; }
  server {
    listen 127.0.0.1:8080 backlog=1024;
    keepalive_requests 1000000;
    location / {
      proxy_pass http://fleet; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_next_upstream error timeout; proxy_connect_timeout 5s; proxy_read_timeout 20s;
      add_header X-Upstream $upstream_addr always;
    }
  }
}
`;
}
