// SPDX-License-Identifier: GPL-3.0-or-later
//
// Records what is true: a fleet under load for some minutes, faults put upon some of its servers at times
// that a seed decides, a healthy server restarted now and then, labels beside.
//
//   node test/fleet/truth.mjs --out DIR --seed N --kinds latency,leak,disk [--servers 30] [--seconds 165]
//
// DIR/labels.json says who was sick with what and when; DIR/series.lines holds what the fleet told, as it
// came over the wire; DIR/health.csv the health checks; DIR/requests.csv every request.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chances, faults, fleetFolder, missing, startFleet } from './fleet.mjs';

const wait = (ms) => new Promise((r) => setTimeout(r, ms));

// Phases of fault, quiet between them. Times in ms from the beginning of the load.
export function schedule({ seed, kinds, names, seconds, sick = 3, phase_s = 65, gap_s = 12, warm_s = 20 }) {
  const random = chances(seed * 7919);
  const pick = (list) => list.splice(Math.floor(random() * list.length), 1)[0];
  const well = [...names];
  const left = [];
  const plan = [];
  for (let from = warm_s; from + phase_s + 2 <= seconds; from += phase_s + gap_s) {
    for (let i = 0; i < sick; i++) {
      if (left.length === 0) left.push(...kinds);
      plan.push({ server: pick(well), kind: pick(left), from: from * 1000, until: (from + phase_s) * 1000 });
    }
    const at = Math.round((from + 10 + random() * (phase_s - 20)) * 1000);
    plan.push({ server: pick(well), kind: 'restart', from: at, until: at + 4000 });
  }
  return plan;
}

export async function record({ out, seed, kinds, servers = 30, seconds = 165, series = '', day_s = 80, strength = 1 }) {
  const dir = fleetFolder();
  fs.mkdirSync(out, { recursive: true });
  const day_ms = day_s * 1000;
  const dawn_ms = Date.now() - Math.round(chances(seed)() * day_ms);
  const fleet = await startFleet({ dir, count: servers, seed, series, day_ms, dawn_ms });
  try {
    fleet.load();
    fleet.probe();
    const began = Date.now();
    const plan = schedule({ seed, kinds, names: fleet.names, seconds });
    const acts = plan.flatMap((p) => p.kind === 'restart'
      ? [{ at: p.from, run: () => fleet.halt(p.server), note: p, key: 'from' },
        { at: p.until, run: () => fleet.restart(p.server), note: p, key: 'until' }]
      : [{ at: p.from, run: () => faults[p.kind].on(fleet, p.server, strength), note: p, key: 'from' },
        { at: p.until, run: () => faults[p.kind].off(fleet, p.server), note: p, key: 'until' }]);
    for (const act of acts.sort((a, b) => a.at - b.at)) {
      await wait(Math.max(0, began + act.at - Date.now()));
      act.run();
      act.note[`${act.key}_ms`] = Date.now(); // what was, not what was planned
    }
    await wait(Math.max(0, began + seconds * 1000 - Date.now()));
    fs.writeFileSync(path.join(out, 'labels.json'), JSON.stringify({
      seed, kinds, servers: fleet.names, from_ms: began, until_ms: Date.now(), day_ms, dawn_ms,
      faults: plan.filter((p) => p.kind !== 'restart').map(({ server, kind, from_ms, until_ms }) => ({ server, kind, from_ms, until_ms })),
      restarts: plan.filter((p) => p.kind === 'restart').map(({ server, from_ms, until_ms }) => ({ server, from_ms, until_ms })),
    }, null, 1));
  } finally {
    await fleet.stop();
    for (const f of ['series.lines', 'health.csv', 'requests.csv']) fs.copyFileSync(path.join(dir, f), path.join(out, f));
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = Object.fromEntries(process.argv.slice(2).join(' ').split('--').filter(Boolean).map((p) => p.trim().split(/[ =]/)));
  const why = missing();
  if (why) {
    console.log(`SKIPPED ${why}`);
  } else {
    await record({
      out: given.out, seed: Number(given.seed), kinds: given.kinds.split(','), servers: Number(given.servers ?? 30),
      seconds: Number(given.seconds ?? 165), series: given.series ?? '', strength: Number(given.strength ?? 1),
    });
  }
}
