// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
//
// The rank test beside R's wilcox.test: W, p, the Hodges-Lehmann shift and its interval, within 1e-6, for small and
// large samples, with and without ties.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { folder, marquee, root } from './marquee.mjs';

let seed = 20261;
function uniform() {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}
const normal = () => Array.from({ length: 12 }, uniform).reduce((a, b) => a + b, -6);

// Columns of a file, each with so many values; below them the cells are empty.
function table(columns) {
  const names = Object.keys(columns), rows = Math.max(...names.map((n) => columns[n].length));
  const lines = [names.join(',')];
  for (let i = 0; i < rows; i++) lines.push(names.map((n) => columns[n][i] ?? 'NA').join(','));
  return `${lines.join('\n')}\n`;
}

function samples() {
  const baseline = {}, canary = {};
  let number = 0;
  for (const [n, m] of [[8, 8], [8, 49], [20, 30], [49, 49], [49, 50], [60, 55], [300, 280], [12, 600]]) {
    for (const [kind, value] of Object.entries({
      fine: (v) => 100 + 10 * v,
      whole: (v) => Math.round(5 + 2 * v),
      tiny: (v) => 1e-3 * v,
      skewed: (v) => Math.exp(v),
    })) {
      for (const shift of [0, 0.7, 3]) {
        const name = `m${number++}_${kind}`;
        baseline[name] = Array.from({ length: m }, () => value(normal()));
        canary[name] = Array.from({ length: n }, () => value(normal() + shift));
      }
    }
  }
  return { baseline, canary };
}

const r = spawnSync('Rscript', ['--version']);
test('figures are those of R', { skip: r.error ? 'SKIPPED: there is no Rscript (r-base-core)' : false }, (t) => {
  const dir = folder(t), { baseline, canary } = samples(), names = Object.keys(baseline);
  const [config, b, c] = ['config.yaml', 'baseline.csv', 'canary.csv'].map((f) => path.join(dir, f));
  fs.writeFileSync(b, table(baseline));
  fs.writeFileSync(c, table(canary));
  fs.writeFileSync(config, `schema: 1\nconfidence: 0.95\nmetrics:\n${names.map((n) => `  - {name: ${n}}`).join('\n')}\n`);
  const said = spawnSync('Rscript', [path.join(root, 'test/peer/rank_test.R'), b, c, '0.95'], { encoding: 'utf8' });
  assert.equal(said.status, 0, said.stderr);
  const ours = marquee(['insight', 'canary', config, b, c, '--json']);
  assert.ok([0, 3, 4].includes(ours.code), ours.stderr);
  const metrics = Object.fromEntries(ours.json.metrics.map((m) => [m.name, m]));
  const lines = said.stdout.trim().split('\n').map((l) => l.trim().split(/\s+/));
  assert.equal(lines.length, names.length);
  const methods = new Set();
  for (const [name, ...figures] of lines) {
    const m = metrics[name];
    methods.add(m.method);
    for (const [i, key] of ['w', 'p', 'shift', 'low', 'high'].entries()) {
      const his = Number(figures[i]), mine = m[key];
      assert.ok(Math.abs(his - mine) <= 1e-6 * Math.max(1, Math.abs(his)), `${name} ${key}: R ${his}, ours ${mine}`);
    }
  }
  assert.deepEqual([...methods].sort(), ['exact', 'normal']);
});
