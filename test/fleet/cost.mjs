// SPDX-License-Identifier: GPL-3.0-or-later
//
// What it costs to take a healthy server out of service by mistake: pairs of spans of the same length under
// the same load, one with nothing done and one that begins with the removal (nginx reloads), in an order
// that a coin decides. Errors and the 99th percentile of each, and the differences with their interval.
//
//   node test/fleet/cost.mjs [--servers 30] [--pairs 8] [--span_s 8] [--seed 1]
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chances, fleetFolder, missing, startFleet } from './fleet.mjs';

const wait = (ms) => new Promise((r) => setTimeout(r, ms));
const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;

// The mean and its 95 % interval by resampling.
export function interval(list, draws = 4000) {
  const random = chances(7);
  const means = Array.from({ length: draws }, () => mean(list.map(() => list[Math.floor(random() * list.length)]))).sort((a, b) => a - b);
  return { mean: mean(list), low: means[Math.floor(draws * 0.025)], high: means[Math.ceil(draws * 0.975) - 1] };
}

function measure(rows, from_ms, until_ms) {
  const of = rows.filter((r) => r.at_ms >= from_ms && r.at_ms < until_ms);
  const latencies = of.map((r) => r.us).sort((a, b) => a - b);
  return {
    requests: of.length, errors: of.filter((r) => r.status >= 500).length, unanswered: of.filter((r) => r.status === 599 || r.status === 502).length,
    p99_ms: latencies[Math.floor(latencies.length * 0.99)] / 1000, p50_ms: latencies[Math.floor(latencies.length / 2)] / 1000,
  };
}

export function readRequests(file) {
  return fs.readFileSync(file, 'utf8').split('\n').filter((l) => l.split(',').length === 4).map((l) => {
    const [at_ms, us, status, server] = l.split(',');
    return { at_ms: Number(at_ms), us: Number(us), status: Number(status), server };
  });
}

export async function cost({ servers = 30, pairs = 8, span_s = 8, seed = 1 }) {
  const dir = fleetFolder();
  const day_ms = 4e8; // the load stands still, at the middle of a day
  const fleet = await startFleet({ dir, count: servers, seed, day_ms, dawn_ms: Math.round(Date.now() - day_ms / 4) });
  const random = chances(seed * 31);
  const spans = [];
  try {
    fleet.load();
    await wait(5000);
    for (let i = 0; i < pairs; i++) {
      const victim = fleet.names[Math.floor(random() * servers)];
      for (const removes of random() < 0.5 ? [true, false] : [false, true]) {
        const from_ms = Date.now();
        if (removes) fleet.setUpstream(fleet.names.filter((s) => s !== victim));
        await wait(span_s * 1000);
        spans.push({ pair: i, removes, victim, from_ms, until_ms: Date.now() });
        if (removes) fleet.setUpstream(fleet.names);
        await wait(1500);
      }
    }
  } finally {
    await fleet.stop();
  }
  const rows = readRequests(path.join(dir, 'requests.csv'));
  fs.rmSync(dir, { recursive: true, force: true });
  const measured = spans.map((s) => ({ ...s, ...measure(rows, s.from_ms, s.until_ms) }));
  // The victim gets no request once the reload is through: that is what shows that it was out.
  const late = spans.filter((s) => s.removes).map((s) => rows.filter((r) => r.server === s.victim && r.at_ms > s.from_ms + span_s * 500 && r.at_ms < s.until_ms).length);
  const by = (removes, key) => measured.filter((m) => m.removes === removes).sort((a, b) => a.pair - b.pair).map((m) => m[key]);
  const difference = (key) => interval(by(true, key).map((v, i) => v - by(false, key)[i]));
  const share = (removes) => interval(measured.filter((m) => m.removes === removes).map((m) => 100 * m.errors / m.requests));
  return {
    servers, pairs, span_s, requests: rows.length, late_requests_at_the_removed: late.reduce((a, b) => a + b, 0),
    errors_percent: { with: share(true), without: share(false) },
    errors_more: difference('errors'), unanswered: { with: by(true, 'unanswered'), without: by(false, 'unanswered') },
    p99_ms: { with: interval(by(true, 'p99_ms')), without: interval(by(false, 'p99_ms')), more: difference('p99_ms') },
    p50_ms: { with: interval(by(true, 'p50_ms')), without: interval(by(false, 'p50_ms')), more: difference('p50_ms') },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = Object.fromEntries(process.argv.slice(2).join(' ').split('--').filter(Boolean).map((p) => p.trim().split(/[ =]/)).map(([k, v]) => [k, Number(v)]));
  const why = missing();
  console.log(why ? `SKIPPED ${why}` : JSON.stringify(await cost(given), null, 1));
}
