// SPDX-License-Identifier: GPL-3.0-or-later
// node bench/series_loss.mjs TEXT EXPORT: which values of an exposition (TEXT, with times) are others in EXPORT, the
// JSON lines of VictoriaMetrics' /api/v1/export, and by how much.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const [text, exported] = process.argv.slice(2);
const lines = (file) => createInterface({ input: createReadStream(file) });
const idOf = (name, node) => `${name} ${node}`;

const found = new Map();
for await (const line of lines(exported)) {
  const { metric, values, timestamps } = JSON.parse(line);
  const by = new Map(timestamps.map((t, i) => [t, values[i]]));
  found.set(idOf(metric.__name__, metric.node), by);
}

let all = 0, missing = 0, others = 0, worst = 0;
for await (const line of lines(text)) {
  const [, name, node, value, time] = /^([^{]*)\{.*node="([^"]*)".*\} (\S+) (\d+)$/.exec(line);
  const v = Number(value), got = found.get(idOf(name, node))?.get(Number(time));
  all++;
  if (got === undefined) missing++;
  else if (got !== v) {
    others++;
    worst = Math.max(worst, Math.abs(got - v) / Math.abs(v));
  }
}
console.log(`read back: ${all} values, ${missing} missing, ${others} not the same, the worst by ${worst.toExponential(2)} of itself`);
