// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two hosts on this machine, network namespaces joined by one cable whose rate towards the client
// can be changed at any moment (tbf).
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';

function ip(...args) {
  const done = spawnSync('ip', args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`ip ${args.join(' ')}: ${done.stderr ?? done.error}`);
}

// Why it cannot be done here, or false.
export function cannotShape() {
  if (process.getuid() !== 0) return 'network namespaces need root';
  const name = `mq-try-${process.pid}`;
  const tried = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (tried.status !== 0) return `no network namespaces here: ${(tried.stderr ?? String(tried.error)).trim()}`;
  spawnSync('ip', ['netns', 'del', name]);
  return false;
}

export class Link {
  constructor(scratch) {
    this.server = `mq-s-${process.pid}`;
    this.client = `mq-c-${process.pid}`;
    this.scratch = scratch;
    this.address = '10.231.7.1';
    this.children = [];
  }

  open() {
    for (const name of [this.server, this.client]) {
      ip('netns', 'add', name);
      ip('-n', name, 'link', 'set', 'lo', 'up');
    }
    ip('link', 'add', 'mqs0', 'netns', this.server, 'type', 'veth', 'peer', 'name', 'mqc0', 'netns', this.client);
    ip('-n', this.server, 'addr', 'add', `${this.address}/24`, 'dev', 'mqs0');
    ip('-n', this.client, 'addr', 'add', '10.231.7.2/24', 'dev', 'mqc0');
    // Packets as they are on a wire. One of several segments that was queued at a fast rate is larger than the bucket
    // of a slow one: tbf would hold it, and all behind it, for ever.
    ip('-n', this.server, 'link', 'set', 'mqs0', 'gso_max_segs', '1');
    ip('-n', this.server, 'link', 'set', 'mqs0', 'up');
    ip('-n', this.client, 'link', 'set', 'mqc0', 'up');
  }

  // Bits a second towards the client; a queue of a quarter of a second, as a modem has.
  setRate(bps) {
    const burst = Math.max(Math.ceil(bps / 8 / 250), 3200);
    const done = spawnSync('ip', ['netns', 'exec', this.server, 'tc', 'qdisc', 'replace', 'dev', 'mqs0', 'root', 'tbf',
      'rate', `${bps}bit`, 'burst', `${burst}`, 'latency', '250ms'], { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`tc: ${done.stderr}`);
  }

  // Runs on the server's host; resolves to the first line that it prints.
  async serve(command) {
    const child = spawn('ip', ['netns', 'exec', this.server, ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.children.push(child);
    const [data] = await once(child.stdout, 'data');
    return data.toString().split('\n')[0];
  }

  // A program that runs another one on the client's host: for a browser's executable path.
  wrapper(program) {
    const file = path.join(this.scratch, 'on-client.sh');
    fs.writeFileSync(file, `#!/bin/sh\nexec ip netns exec ${this.client} ${program} "$@"\n`, { mode: 0o755 });
    return file;
  }

  close() {
    for (const child of this.children) child.kill('SIGKILL');
    for (const name of [this.client, this.server]) spawnSync('ip', ['netns', 'del', name]);
  }
}
