// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
//
// marquee insight cluster beside scikit-learn: the same points, the same labels.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { folder, marquee } from './marquee.mjs';

// Draws points, writes them as CSV and scikit-learn's answer as JSON: a case a line of the plan.
const peer = `
import json, sys
import numpy as np
from sklearn.cluster import DBSCAN
folder, plan = sys.argv[1], json.loads(sys.argv[2])
for k, (n, dims, eps, least, kind) in enumerate(plan):
    rng = np.random.default_rng(1000 + k)
    centers = rng.uniform(-10, 10, (6, dims))
    x = centers[rng.integers(0, 6, n)] + rng.normal(0, 1, (n, dims)) * rng.choice([0.2, 1.0], (n, 1))
    x[: n // 8] = rng.uniform(-12, 12, (n // 8, dims))
    if kind == 'ties':
        x = np.round(x)
    if kind == 'twins':
        x[n // 2:] = x[rng.integers(0, n // 2, n - n // 2)]
    np.savetxt(f'{folder}/{k}.csv', x, fmt='%.17g', delimiter=',')
    # The trees take distances as the definition does; brute force takes them by a rounded identity.
    d = DBSCAN(eps=eps, min_samples=least, algorithm='kd_tree').fit(x)
    json.dump({'labels': d.labels_.tolist(), 'core': len(d.core_sample_indices_)}, open(f'{folder}/{k}.json', 'w'))
`;

const python = '/usr/bin/python3'; // Debian's, which has Debian's packages
const plan = [
  [3000, 1, 0.01, 10, ''], [4000, 2, 0.4, 8, ''], [5000, 3, 0.5, 10, ''], [3000, 3, 1, 4, 'ties'],
  [2000, 2, 1, 6, 'ties'], [2000, 5, 2, 10, ''], [2000, 10, 2.5, 10, ''], [1500, 24, 4, 5, ''],
  [3000, 3, 0.3, 12, 'twins'], [2000, 7, 1.2, 6, 'twins'], [1500, 6, 2, 5, 'ties'], [20000, 2, 3, 200, ''],
];

test('labels and core points are those of scikit-learn', (t) => {
  if (spawnSync(python, ['-c', 'import sklearn']).status !== 0) return t.skip('no scikit-learn: apt-get install python3-sklearn');
  const dir = folder(t);
  const done = spawnSync(python, ['-c', peer, dir, JSON.stringify(plan)], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  plan.forEach(([n, dims, eps, least], k) => {
    const theirs = JSON.parse(fs.readFileSync(path.join(dir, `${k}.json`), 'utf8'));
    const ours = marquee(['insight', 'cluster', path.join(dir, `${k}.csv`), '--eps', `${eps}`,
      '--min-points', `${least}`, '--json']);
    assert.equal(ours.code, 0, ours.stderr);
    assert.equal(ours.json.schema, 1);
    assert.equal(ours.json.labels.length, n);
    assert.deepEqual(ours.json.labels, theirs.labels, `${n} points of ${dims}, eps ${eps}, ${least}`);
    assert.equal(ours.json.core, theirs.core);
    assert.equal(ours.json.noise, theirs.labels.filter((l) => l === -1).length);
    assert.equal(ours.json.clusters, Math.max(-1, ...theirs.labels) + 1);
    assert.ok(ours.json.seconds >= 0);
  });
});

test('what is no table of points is refused with its line', (t) => {
  const file = path.join(folder(t), 'points.csv');
  const refused = (text) => {
    fs.writeFileSync(file, text);
    const { code, stderr, stdout } = marquee(['insight', 'cluster', file, '--eps', '1', '--min-points', '2', '--json']);
    assert.equal(code, 3, stderr);
    assert.equal(stdout, '');
    return stderr;
  };
  assert.match(refused('1,2\n3\n'), /points\.csv:2: 1 numbers, where the first line has 2/);
  assert.match(refused('a,b\n1,2\n'), /points\.csv:1: 'a' is not a number/);
  assert.match(refused(''), /points\.csv:1: there are no points/);
  assert.equal(marquee(['insight', 'cluster', file]).code, 2);
  assert.equal(marquee(['insight', 'cluster', file, '--eps', '0', '--min-points', '2']).code, 2);
  assert.equal(marquee(['insight', 'cluster', `${file}.gone`, '--eps', '1', '--min-points', '2']).code, 1);
});
