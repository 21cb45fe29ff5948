// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 4
// The fleet that the detector of sick servers is judged by is what it says: every fault bites, a server
// with a fault still passes its health check, and nothing is left behind. Conditions, not times.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { faults, fleetFolder, missing, startFleet } from '../fleet/fleet.mjs';
import { readRequests } from '../fleet/cost.mjs';

const skip = missing() ?? false;

async function until(what, holds, tries = 600) {
  for (let i = 0; i < tries; i++) {
    const value = await holds();
    if (value) return value;
    await new Promise((r) => setTimeout(r, 100));
  }
  assert.fail(`never: ${what}`);
}

test('a fleet of five under load, and each fault upon one of them', { skip }, async (t) => {
  const dir = fleetFolder();
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const fleet = await startFleet({ dir, count: 5, seed: 3 });
  t.after(() => fleet.stop());
  const text = (file) => fs.existsSync(path.join(dir, file)) ? fs.readFileSync(path.join(dir, file), 'utf8') : '';
  const rows = () => readRequests(path.join(dir, 'requests.csv'));
  const from = (s, ms) => rows().filter((r) => r.server === s && r.at_ms > ms);
  const group = (kind, s) => `/sys/fs/cgroup/${kind}/${fleet.id}-${s}`;
  fleet.load();
  fleet.probe();

  await t.test('every server serves and tells each of its series', async () => {
    const names = ['t:server.latency', 'c:server.requests', 'c:server.errors', 't:backend.call', 'C:cpu.seconds', 'm:mem.rss',
      'C:disk.seconds', 'U:net.sent', 'U:net.received', 't:client.latency', 'c:client.requests', 'c:client.errors'];
    await until('all lines of all servers', () => {
      const told = text('series.lines');
      return fleet.names.every((s) => names.every((n) => told.includes(`${n},server=${s}:`)));
    });
    for (const line of text('series.lines').split('\n').slice(0, -1)) {
      assert.match(line, /^(#\d+|[a-zA-Z]:[a-z.]+,server=s\d\d:-?[0-9.]+)$/);
    }
  });

  await t.test('latency: no answer comes before its delay', async () => {
    faults.latency.on(fleet, 's01');
    const since = Date.now() + 1000; // requests that were under way may be older
    const late = await until('40 answers of it', () => { const r = from('s01', since); return r.length >= 40 && r; });
    assert.ok(late.every((r) => r.us >= 4000));
    faults.latency.off(fleet, 's01');
  });

  await t.test('loss: packets are dropped, of that server only', async () => {
    faults.loss.on(fleet, 's02');
    const rules = fleet.inside(['nft', 'list', 'ruleset']);
    assert.match(rules, /127\.2\.0\.2 numgen random mod 10000 < 250 drop/);
    assert.doesNotMatch(rules, /127\.2\.0\.[1345]/);
    const since = Date.now();
    await until('answers all the same', () => from('s02', since).length >= 20);
    faults.loss.off(fleet, 's02');
    assert.doesNotMatch(fleet.inside(['nft', 'list', 'ruleset']), /drop/);
  });

  await t.test('cpu: the control group is throttled', async () => {
    const throttled = () => Number(fs.readFileSync(path.join(group('cpu', 's03'), 'cpu.stat'), 'utf8').match(/nr_throttled (\d+)/)[1]);
    assert.equal(throttled(), 0);
    faults.cpu.on(fleet, 's03');
    await until('throttled', () => throttled() >= 3);
    faults.cpu.off(fleet, 's03');
  });

  await t.test('disk: the reads of that server are limited', async () => {
    faults.disk.on(fleet, 's04');
    const limit = fs.readFileSync(path.join(group('blkio', 's04'), 'blkio.throttle.read_bps_device'), 'utf8');
    assert.match(limit, /^\d+:\d+ 634880$/m);
    faults.disk.off(fleet, 's04');
    assert.equal(fs.readFileSync(path.join(group('blkio', 's04'), 'blkio.throttle.read_bps_device'), 'utf8').trim(), '');
  });

  await t.test('leak: memory of requests is kept', async () => {
    const rss = () => Number(text('series.lines').split('\n').filter((l) => l.startsWith('m:mem.rss,server=s05:')).at(-1).split(':')[2]);
    const before = rss();
    fleet.tell('s05', 'leak 400000');
    await until('20 MB more', () => rss() > before + 20e6);
    faults.leak.off(fleet, 's05');
  });

  await t.test('errors: more answers of that server are wrong than of all others', async () => {
    fleet.tell('s05', 'errors 3'); // one in fifty takes longer to be seen
    const since = Date.now();
    await until('ten of them', () => from('s05', since).filter((r) => r.status === 500).length >= 10);
    const wrong = (s) => from(s, since).filter((r) => r.status === 500).length;
    assert.ok(['s01', 's02', 's03', 's04'].every((s) => wrong(s) < wrong('s05')));
    faults.errors.off(fleet, 's05');
  });

  await t.test('a server restarts and serves again', async () => {
    const [was] = fleet.events.filter((l) => l.startsWith('started s02 ')).slice(-1);
    fleet.restart('s02');
    await until('a new process', () => fleet.events.some((l) => l.startsWith('started s02 ') && l !== was));
    const since = Date.now() + 500;
    await until('it answers', () => from('s02', since).some((r) => r.status === 200));
  });

  await t.test('who is taken out of the upstream gets nothing, and comes back', async () => {
    fleet.setUpstream(['s01', 's02', 's03', 's04']);
    const seen = (s, ms) => from(s, ms).length;
    await until('a second of the others without it', () => {
      const now = Date.now();
      return seen('s01', now - 1500) >= 5 && seen('s05', now - 1500) === 0;
    });
    fleet.setUpstream(fleet.names);
    const since = Date.now();
    await until('it is asked again', () => seen('s05', since) > 0);
  });

  await t.test('health checks saw 200 but for the restart', async () => {
    const rounds = await until('some rounds', () => { const l = text('health.csv').trim().split('\n'); return l.length > 30 && l; });
    for (const l of rounds.filter((l) => l.split(',').length === 4)) {
      const [, server, status] = l.split(',');
      assert.ok(status === '200' || server === 's02', l);
    }
  });

  await t.test('nothing is left', async () => {
    const pids = fleet.events.filter((l) => l.startsWith('started ')).map((l) => Number(l.split(' ')[2]));
    await fleet.stop();
    for (const kind of ['cpu', 'memory', 'blkio', 'freezer']) {
      assert.deepEqual(fs.readdirSync(`/sys/fs/cgroup/${kind}`).filter((g) => g.startsWith(fleet.id)), []);
    }
    for (const pid of pids) {
      const cmd = fs.existsSync(`/proc/${pid}/cmdline`) ? fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
      assert.ok(!cmd.includes(dir) && !cmd.includes('fleet-'), cmd);
    }
  });
});
