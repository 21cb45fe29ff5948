// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
//
// What can be asked of series in files: where one changes, what changed with it, what was unusual.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { folder, marquee } from './marquee.mjs';

let seed = 7;
const uniform = () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed / 2 ** 32; };
const write = (t, lines) => {
  const file = path.join(folder(t), 'series.csv');
  fs.writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
};

test('changes of numbers, of times and values, and of a column', (t) => {
  const values = Array.from({ length: 120 }, (_, i) => uniform() + (i < 70 ? 0 : 5));
  const plain = marquee(['insight', 'changes', write(t, values), '--json']);
  assert.equal(plain.code, 0, plain.stderr);
  assert.deepEqual(plain.json.change_points, [70]);
  assert.equal(plain.json.schema, 1);
  const timed = write(t, ['time,value', ...values.map((v, i) => `${1700000000 + 60 * i},${v}`)]);
  assert.deepEqual(marquee(['insight', 'changes', timed, '--json']).json.change_points, [70]);
  const two = write(t, ['a,b', ...values.map((v) => `1,${v}`)]);
  assert.equal(marquee(['insight', 'changes', two]).code, 3);
  assert.equal(marquee(['insight', 'changes', two, '--column', 'b']).stdout, '70\n');
  const bad = marquee(['insight', 'changes', write(t, ['1', '2', 'three'])]);
  assert.equal(bad.code, 3);
  assert.match(bad.stderr, /line 3/);
});

test('what changed with a column', (t) => {
  const names = ['latency', ...Array.from({ length: 30 }, (_, i) => `load${i}`)];
  const rows = Array.from({ length: 400 }, (_, i) => names.map((n) => 30 * Math.sin(i / 230) + uniform() +
    (n === 'latency' && i >= 300 ? 6 : 0) + (n === 'load12' && i >= 298 ? 7 : 0)));
  const file = write(t, [`time,${names}`, ...rows.map((r, i) => `${new Date(1.7e12 + 6e4 * i).toISOString()},${r}`)]);
  const said = marquee(['insight', 'related', file, '--target', 'latency', '--at', new Date(1.7e12 + 6e4 * 300).toISOString(), '--json']);
  assert.equal(said.code, 0, said.stderr);
  assert.equal(said.json.related[0].name, 'load12');
  assert.equal(said.json.changed, 1.7e12 + 6e4 * 300);
  assert.equal(said.json.related[0].values.length, said.json.target.values.length);
  assert.match(marquee(['insight', 'related', file, '--target', 'latency']).stdout, /^0\.\d+ +moved load12 /);
  assert.equal(marquee(['insight', 'related', file]).code, 2);
  assert.equal(marquee(['insight', 'related', '--target', 'name,x,:eq', '--data', path.dirname(file)]).code, 1);
});

test('what is unlike its time of day', (t) => {
  const values = Array.from({ length: 288 * 8 }, (_, i) => 20 * Math.sin((i * 2 * Math.PI) / 288) + uniform());
  values[1500] += 25;
  const file = write(t, ['timestamp,value', ...values.map((v, i) => `${new Date(1.7e12 + 3e5 * i).toISOString()},${v}`)]);
  const said = marquee(['insight', 'anomalies', file, '--json']);
  assert.equal(said.code, 0, said.stderr);
  assert.equal(said.json.season, 288);
  assert.ok(said.json.anomalies.some((a) => a.index === 1500 && a.score >= 1), JSON.stringify(said.json.anomalies));
  assert.ok(said.json.anomalies.length <= 3);
});
