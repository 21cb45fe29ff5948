// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
//
// Change points as people mark them: the Turing Change Point Dataset, against two of its baselines on the same series.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { program, shared } from './marquee.mjs';
import { f1, load, marqueeChanges, peltDefault, score } from '../peer/tcpd.mjs';

const folder = path.join(shared, 'data/telemetry/TCPD');

test('the measure is that of the benchmark', () => {
  assert.equal(f1([[], []], []), 1);
  assert.equal(f1([[10]], [10, 50]), (2 * (2 / 3) * 1) / (2 / 3 + 1));
  assert.equal(f1([[10], []], [16]), 2 * 0.5 * 0.75 / 1.25);
});

test('above zero and above PELT', { skip: fs.existsSync(folder) ? false : `SKIPPED: there is no ${folder}` }, (t) => {
  const series = load(folder);
  assert.ok(Object.keys(series).length >= 15);
  const zero = score(series, () => []), pelt = score(series, peltDefault), ours = score(series, marqueeChanges(program));
  t.diagnostic(JSON.stringify({ zero, pelt, ours }));
  for (const measure of ['covering', 'f1']) {
    assert.ok(ours[measure] > zero[measure] && ours[measure] > pelt[measure], measure);
  }
  assert.ok(ours.covering >= 0.755 && ours.f1 >= 0.855, JSON.stringify(ours));
});
