// SPDX-License-Identifier: GPL-3.0-or-later
// Two runs of the real fleet that were kept (test/golden/fleet): six sick servers of thirty each, judged again from
// what they told over the wire, each with what the other tuned. fleet_truth records anew.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { evaluate } from '../fleet/evaluate.mjs';
import { show } from '../fleet/score.mjs';
import { unpackAll } from '../fleet/thin.mjs';
import { folder, root } from './marquee.mjs';

const judge = path.join(root, 'build/release/test/fleet/judge/fleet_judge');

test('sick servers in runs that were kept', { skip: fs.existsSync(judge) ? false : 'fleet_judge is not built' }, (t) => {
  const runs = unpackAll(path.join(root, 'test/golden/fleet'), folder(t));
  const e = evaluate(judge, runs);
  for (const [method, s] of Object.entries(e.summary)) t.diagnostic(show(method, s));
  const { dbscan, usual } = e.summary;
  assert.equal(dbscan.episodes.hit + dbscan.episodes.missed, 12);
  assert.ok(dbscan.episodes.f >= 0.85, show('dbscan', dbscan));
  assert.equal(usual.episodes.hit, 0, show('usual', usual));
  assert.ok(e.health.checks > 500);
  assert.equal(e.health.good, e.health.checks);
  assert.deepEqual(e.health.out_of_band, []);
});
