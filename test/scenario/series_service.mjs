// SPDX-License-Identifier: GPL-3.0-or-later
//
// A service with its series, for scenarios: started, asked, waited for, ended.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import dgram from 'node:dgram';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

export const program = process.env.MARQUEE;
export const skip = program && existsSync(program) ? false : 'MARQUEE names no program';
const password = 'correct horse battery';

function run(args, input) {
  const done = spawnSync(program, args, { input, encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout.trim();
}

export function folder(t) {
  const data = mkdtempSync(path.join(os.tmpdir(), 'marquee-series-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  run(['user', 'add', 'olga', '--role', 'operator', '--password-stdin', '--data', data], `${password}\n`);
  return data;
}

export const token = (data, name) => run(['telemetry', 'token', 'add', name, '--data', data]);

// Of UDP (type 'udp4'), free a moment ago.
export async function freeUdpPort() {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

// {url, port, pid, ask(path) -> JSON as an operator, ended}
export async function serve(t, data, more = []) {
  const child = spawn(program, ['serve', '--data', data, '--port', '0', ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  let url = null;
  for await (const line of readline.createInterface({ input: child.stdout })) {
    url = line.match(/http:\/\/\S+/)?.[0];
    if (url) break;
  }
  assert.ok(url, 'the service ended before it listened');
  const answer = await fetch(`${url}/api/v1/session`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'olga', password }),
  });
  assert.equal(answer.status, 200);
  const authorization = `Bearer ${(await answer.json()).token}`;
  return {
    url, port: Number(new URL(url).port), pid: child.pid, authorization,
    async ask(what) {
      const got = await fetch(url + what, { headers: { authorization } });
      assert.equal(got.status, 200, `${what}: ${got.status}`);
      return got.json();
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      return ended;
    },
  };
}

// Asks until `look` gives something: what that is. Fails after `seconds`.
export async function until(what, look, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `${what} did not come within ${seconds} s`);
    await new Promise((next) => { setTimeout(next, 50); });
  }
}
