// SPDX-License-Identifier: GPL-3.0-or-later
// level: long
// minutes: 12
// How well sick servers are found among 30 real ones: two runs of each half of the kinds of fault, each half judged
// with what was tuned on the other and on a run that was kept of it. Two fleets, one of each half, run at a time: seven
// minutes in all. docs/bench.md has the figures of more runs; the bars here leave room for a machine that is shared.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { readRequests } from '../fleet/cost.mjs';
import { missing } from '../fleet/fleet.mjs';
import { record } from '../fleet/truth.mjs';
import { evaluate, usual } from '../fleet/evaluate.mjs';
import { show } from '../fleet/score.mjs';
import { unpackAll } from '../fleet/thin.mjs';
import { folder, root } from './marquee.mjs';

const judge = path.join(root, 'build/release/test/fleet/judge/fleet_judge');
const skip = missing() ?? (fs.existsSync(judge) ? false : 'fleet_judge is not built');
const halves = [['latency', 'leak', 'disk'], ['loss', 'cpu', 'errors']];

test('sick servers among thirty real ones', { skip }, async (t) => {
  const dir = folder(t);
  const runs = [];
  for (const round of [0, 1]) {
    runs.push(...await Promise.all(halves.map(async (kinds, k) => {
      const seed = 22 + 2 * round + k; // of one half even, of the other odd; of no run that was kept
      const out = path.join(dir, `${kinds.join('-')}-${seed}`);
      await record({ out, seed, kinds, servers: 30 });
      t.diagnostic(`recorded ${kinds.join()} with seed ${seed}`);
      return out;
    })));
  }
  const kept = unpackAll(path.join(root, 'test/golden/fleet'), dir);
  const e = evaluate(judge, runs, { tuning: kept });
  for (const [method, s] of Object.entries(e.summary)) t.diagnostic(show(method, s));
  t.diagnostic(JSON.stringify({ tuned: e.tuned, health: e.health, usual }));

  await t.test('every health check of a sick server was answered with 200', () => {
    assert.ok(e.health.checks > 400);
    assert.equal(e.health.good, e.health.checks);
  });
  await t.test('its system metrics stayed within the band', () => {
    assert.ok(e.health.windows > 50);
    assert.deepEqual(e.health.out_of_band, []);
  });
  // Where other work takes the machine every server is slow, and a fault of some milliseconds is no longer there.
  const requests = runs.flatMap((r) => readRequests(path.join(r, 'requests.csv')));
  const slow = requests.filter((r) => r.us > 100000).length / requests.length;
  const taken = slow > 0.1 ? `${Math.round(100 * slow)} % of all requests were slow: other work had the machine` : false;
  await t.test('the detector finds them, fixed thresholds do not', { skip: taken }, () => {
    assert.ok(e.summary.dbscan.episodes.f >= 0.7, show('dbscan', e.summary.dbscan));
    assert.ok(e.summary.usual.episodes.f < e.summary.dbscan.episodes.f / 2, show('usual', e.summary.usual));
    assert.ok(e.summary.tightest.episodes.f < e.summary.dbscan.episodes.f, show('tightest', e.summary.tightest));
  });
});
