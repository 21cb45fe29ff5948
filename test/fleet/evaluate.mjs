// SPDX-License-Identifier: GPL-3.0-or-later
//
// How well sick servers are found, on recorded runs. The runs are of two halves: those of one half have no kind of
// fault and no seed in common with those of the other. Each half is judged with what was tuned on the other. Runs behind
// --tuning are for that alone.
//
//   node test/fleet/evaluate.mjs JUDGE RUN… [--tuning RUN…]      JUDGE: the program fleet_judge; RUN: folders of truth.mjs
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { judge, show, summarise } from './score.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const window_ms = 20000;

// What operators usually write down. The servers have 128 MB and one core each.
export const usual = { latency: 0.1, slowest: 1, errors: 0.05, cpu: 0.8, memory: 0.8 * 128 * 2 ** 20, disk: 0.8 };
const system = ['cpu', 'memory', 'disk', 'sent'];

const touches = (labels, server, from, until) =>
  labels.faults.some((f) => f.server === server && f.from_ms < until && f.until_ms + 3000 > from) ||
  labels.restarts.some((r) => r.server === server && r.from_ms - 1000 < until && r.until_ms + 30000 > from);

// Windows of servers: {metric: value}, and whether they are of a well server or wholly of a sick one.
function* windows(run) {
  for (const look of run.bands) {
    const from = look.at_ms - window_ms;
    for (const [server, values] of Object.entries(look.servers)) {
      if (values.latency === undefined) continue; // not to be compared
      const fault = run.labels.faults.find((f) => f.server === server && f.from_ms <= from && f.until_ms + 3000 >= look.at_ms);
      const well = !touches(run.labels, server, from, look.at_ms);
      if (fault || well) yield { server, at_ms: look.at_ms, fault, values };
    }
  }
}

// The highest that a well server ever showed: the lowest thresholds that never cried wolf on these runs.
export function tightest(runs) {
  const most = {};
  for (const run of runs) {
    for (const w of windows(run)) {
      if (w.fault) continue;
      for (const [m, v] of Object.entries(w.values)) if (m !== 'sent') most[m] = Math.max(most[m] ?? -Infinity, v);
    }
  }
  return most;
}

function byThresholds(run, limits) {
  const looks = run.bands.map((l) => ({
    at_ms: l.at_ms,
    suspects: Object.keys(l.servers).filter((s) => Object.entries(limits).some(([m, limit]) => l.servers[s][m] > limit)),
  }));
  return judge({ labels: run.labels, looks }, { window_ms });
}

// Health checks of sick servers, and whether their system metrics stayed within the operator's band and within what
// well servers showed in the same runs.
export function healthy(runs) {
  const all = { checks: 0, good: 0, windows: 0, in_band: 0, in_range: 0, out_of_band: [] };
  for (const run of runs) {
    const checks = fs.readFileSync(path.join(run.dir, 'health.csv'), 'utf8').split('\n').map((l) => l.split(',')).filter((l) => l.length === 4);
    for (const f of run.labels.faults) {
      const of = checks.filter(([ms, s]) => s === f.server && Number(ms) >= f.from_ms && Number(ms) < f.until_ms);
      all.checks += of.length;
      all.good += of.filter((l) => l[2] === '200').length;
    }
    const range = {};
    for (const w of windows(run)) {
      if (w.fault) continue;
      for (const m of system) range[m] = [Math.min(range[m]?.[0] ?? Infinity, w.values[m]), Math.max(range[m]?.[1] ?? -Infinity, w.values[m])];
    }
    for (const w of windows(run)) {
      if (!w.fault) continue;
      all.windows++;
      const over = system.filter((m) => usual[m] !== undefined && w.values[m] > usual[m]);
      if (over.length === 0) all.in_band++; else all.out_of_band.push({ server: w.server, kind: w.fault.kind, over });
      all.in_range += system.every((m) => w.values[m] >= range[m][0] && w.values[m] <= range[m][1]);
    }
  }
  return all;
}

export function evaluate(program, dirs, { config = path.join(here, 'clusters.yaml'), tuning = [] } = {}) {
  const halves = {};
  for (const d of [...tuning, ...dirs]) (halves[JSON.parse(fs.readFileSync(path.join(d, 'labels.json'), 'utf8')).kinds.join()] ??= []).push(d);
  const keys = Object.keys(halves);
  if (keys.length !== 2) throw new Error(`runs of two halves, not of ${keys.length}`);
  const judged = { dbscan: [], mad: [], lof: [], usual: [], tightest: [] };
  const tuned = {}, runs = [];
  for (const [k, half] of keys.entries()) {
    const done = JSON.parse(execFileSync(program, [config, halves[keys[1 - k]].join(), ...halves[half].filter((d) => dirs.includes(d))], { maxBuffer: 1 << 30, encoding: 'utf8' }));
    tuned[half] = done.tuned;
    const limits = tightest(done.tuning);
    for (const run of done.runs) {
      runs.push(run);
      for (const method of ['dbscan', 'mad', 'lof']) judged[method].push(judge({ labels: run.labels, looks: run.methods[method] }, { window_ms: 2 * window_ms }));
      judged.usual.push(byThresholds(run, usual));
      judged.tightest.push(byThresholds(run, limits));
    }
  }
  return {
    tuned, runs, judged,
    summary: Object.fromEntries(Object.entries(judged).map(([m, j]) => [m, summarise(j)])),
    health: healthy(runs),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf('--tuning');
  const e = evaluate(process.argv[2], process.argv.slice(3, at < 0 ? undefined : at), { tuning: at < 0 ? [] : process.argv.slice(at + 1) });
  console.log(JSON.stringify(e.tuned));
  for (const [method, s] of Object.entries(e.summary)) console.log(show(method, s));
  const { out_of_band, ...health } = e.health;
  console.log(JSON.stringify(health), JSON.stringify(out_of_band.slice(0, 10)));
}
