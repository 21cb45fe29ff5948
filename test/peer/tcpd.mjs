// SPDX-License-Identifier: GPL-3.0-or-later
// The Turing Change Point Dataset as its benchmark (van den Burg and Williams 2020) scores it: covering and F1 with a
// margin of 5 over several annotators, and two of its baselines made anew: `zero`, which finds nothing, and PELT with its
// defaults (normal mean, MBIC) on standardised values. By itself: node test/peer/tcpd.mjs FOLDER MARQUEE
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;

// {name: {values, annotations: [[index, …], …]}}: the series that the folder has, their first dimension.
export function load(folder) {
  const annotations = JSON.parse(fs.readFileSync(path.join(folder, 'annotations.json'), 'utf8'));
  const series = {};
  for (const name of Object.keys(annotations).sort()) {
    const file = [path.join(folder, name, `${name}.json`), path.join(folder, `${name}.json`)].find((f) => fs.existsSync(f));
    if (!file) continue;
    let last = null;
    const raw = JSON.parse(fs.readFileSync(file, 'utf8')).series[0].raw;
    const values = raw.map((v) => { last = v ?? last; return last; });
    series[name] = { values, annotations: Object.values(annotations[name]) };
  }
  return series;
}

function truePositives(truth, found, margin) {
  const left = new Set(found), hit = [];
  for (const t of [...truth].sort((a, b) => a - b)) {
    const near = [...left].filter((x) => Math.abs(t - x) <= margin).sort((a, b) => Math.abs(t - a) - Math.abs(t - b) || a - b);
    if (near.length) { hit.push(t); left.delete(near[0]); }
  }
  return hit.length;
}

export function f1(annotations, found, margin = 5) {
  const x = new Set([0, ...found]), sets = annotations.map((a) => new Set([0, ...a]));
  const precision = truePositives(new Set(sets.flatMap((s) => [...s])), x, margin) / x.size;
  const recall = mean(sets.map((s) => truePositives(s, x, margin) / s.size));
  return precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
}

function parts(n, changes) {
  const at = [0, ...new Set(changes.filter((c) => c > 0 && c < n))].sort((a, b) => a - b);
  return at.map((start, i) => [start, at[i + 1] ?? n]);
}

export function covering(annotations, found, n) {
  const ours = parts(n, found);
  return mean(annotations.map((a) => parts(n, a).reduce((sum, [s, e]) => sum + (e - s) *
    Math.max(...ours.map(([x, y]) => Math.max(0, Math.min(e, y) - Math.max(s, x)) / (Math.max(e, y) - Math.min(s, x)))), 0) / n));
}

export function peltDefault(values) {
  const n = values.length, m = mean(values);
  const sd = Math.sqrt(values.reduce((a, v) => a + (v - m) ** 2, 0) / (n - 1));
  const s = [0], q = [0], least = [-3 * Math.log(n)], from = [0];
  values.forEach((v, i) => { const z = (v - m) / sd; s.push(s[i] + z); q.push(q[i] + z * z); });
  for (let t = 1; t <= n; t++) {
    least.push(Infinity);
    for (let i = 0; i < t; i++) {
      const cost = least[i] + q[t] - q[i] - (s[t] - s[i]) ** 2 / (t - i) + 3 * Math.log(n) + Math.log((t - i) / n);
      if (cost < least[t]) [least[t], from[t]] = [cost, i];
    }
  }
  const changes = [];
  for (let t = n; from[t] > 0; t = from[t]) changes.unshift(from[t]);
  return changes;
}

export function marqueeChanges(program) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'marquee-tcpd-')), file = path.join(dir, 'series.csv');
  return (values) => {
    fs.writeFileSync(file, `${values.join('\n')}\n`);
    return JSON.parse(execFileSync(program, ['insight', 'changes', file, '--json'], { encoding: 'utf8' })).change_points;
  };
}

export function score(series, detect) {
  const each = Object.values(series).map(({ values, annotations }) => {
    const found = detect(values);
    return [covering(annotations, found, values.length), f1(annotations, found)];
  });
  return { covering: mean(each.map((e) => e[0])), f1: mean(each.map((e) => e[1])) };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const series = load(process.argv[2]);
  console.log(`${Object.keys(series).length} series`);
  for (const [name, detect] of [['zero', () => []], ['PELT default', peltDefault], ['marquee', marqueeChanges(process.argv[3])]]) {
    const s = score(series, detect);
    console.log(`${name.padEnd(14)} covering ${s.covering.toFixed(3)}  F1 ${s.f1.toFixed(3)}`);
  }
}
