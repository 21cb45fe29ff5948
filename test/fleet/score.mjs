// SPDX-License-Identifier: GPL-3.0-or-later
//
// How good suspects are, against labels. Two questions are asked:
//
//   looks     each server at each look (a window that ended at `at_ms`) is sick, well, or neither: a window that
//             holds only a part of a fault, or the minute after one, says nothing about the detector
//   episodes  a fault is found when its server was a suspect at a look while it lasted; an unbroken row of looks
//             at which a well server was a suspect is one false alarm. This is what an operator feels, and
//             what F is asserted on.
import { chances } from './fleet.mjs';

// run: {labels, looks: [{at_ms, suspects: [server]}]}, looks in order. window_ms: how far a look looks back.
export function judge(run, { window_ms, slack_ms = 3000 }) {
  const looks = { hit: 0, missed: 0, alarm: 0, quiet: 0 };
  const episodes = run.labels.faults.map((f) => ({ ...f, found: false, after_ms: null, looks: 0, hits: 0 }));
  const alarms = [];
  const last = new Map(); // server -> the alarm that goes on
  for (const look of run.looks) {
    const from = look.at_ms - window_ms, until = look.at_ms;
    const suspects = new Set(look.suspects);
    for (const server of run.labels.servers) {
      const touching = episodes.filter((f) => f.server === server && f.from_ms < until && f.until_ms + slack_ms > from);
      const whole = touching.find((f) => f.from_ms <= from && f.until_ms + slack_ms >= until);
      const said = suspects.has(server);
      if (said && touching.length > 0) {
        const f = touching[0];
        if (!f.found && until <= f.until_ms + slack_ms) Object.assign(f, { found: true, after_ms: until - f.from_ms });
      }
      if (whole) {
        whole.looks++;
        whole.hits += said;
        looks[said ? 'hit' : 'missed']++;
      } else if (touching.length === 0) {
        looks[said ? 'alarm' : 'quiet']++;
        if (said && !last.has(server)) alarms.push({ server, at_ms: look.at_ms });
      }
      if (said && touching.length === 0) last.set(server, true); else last.delete(server);
    }
  }
  return { looks, episodes, alarms };
}

const f1 = (hit, missed, alarm) => 2 * hit / Math.max(1, 2 * hit + missed + alarm);

// Wilson's interval of a share, 95 %.
export function wilson(hits, count) {
  if (count === 0) return [0, 1];
  const z = 1.96, p = hits / count, d = 1 + z * z / count;
  const middle = (p + z * z / (2 * count)) / d;
  const half = z * Math.sqrt(p * (1 - p) / count + z * z / (4 * count * count)) / d;
  return [middle - half, middle + half];
}

// F's interval: runs are drawn again, with those of their episodes and alarms; what happens within a run hangs together.
function resampled(judged, of, draws = 4000) {
  const random = chances(20260101);
  const values = [];
  for (let i = 0; i < draws; i++) {
    let hit = 0, missed = 0, alarm = 0;
    for (let k = 0; k < judged.length; k++) {
      const [h, m, a] = of(judged[Math.floor(random() * judged.length)]);
      hit += h; missed += m; alarm += a;
    }
    values.push(f1(hit, missed, alarm));
  }
  values.sort((a, b) => a - b);
  return [values[Math.floor(draws * 0.025)], values[Math.ceil(draws * 0.975) - 1]];
}

export function summarise(judged) {
  const sum = (of) => judged.map(of).reduce((a, b) => a.map((v, i) => v + b[i]), [0, 0, 0]);
  const one = (of) => {
    const [hit, missed, alarm] = sum(of);
    return {
      hit, missed, alarm,
      precision: hit / Math.max(1, hit + alarm), precision_interval: wilson(hit, hit + alarm),
      recall: hit / Math.max(1, hit + missed), recall_interval: wilson(hit, hit + missed),
      f: f1(hit, missed, alarm), f_interval: resampled(judged, of),
    };
  };
  const kinds = {};
  for (const j of judged) {
    for (const e of j.episodes) {
      const k = kinds[e.kind] ??= { faults: 0, found: 0, after_s: [] };
      k.faults++;
      k.found += e.found;
      if (e.found) k.after_s.push(Math.round(e.after_ms / 1000));
    }
  }
  return {
    episodes: one((j) => [j.episodes.filter((e) => e.found).length, j.episodes.filter((e) => !e.found).length, j.alarms.length]),
    looks: one((j) => [j.looks.hit, j.looks.missed, j.looks.alarm]),
    kinds,
  };
}

export function show(name, s) {
  const pc = (v) => (100 * v).toFixed(1);
  const line = (what, x) => `${name.padEnd(18)} ${what.padEnd(8)} precision ${pc(x.precision)} % [${x.precision_interval.map(pc)}]  ` +
    `recall ${pc(x.recall)} % [${x.recall_interval.map(pc)}]  F ${x.f.toFixed(3)} [${x.f_interval.map((v) => v.toFixed(3))}]  (${x.hit} found, ${x.missed} missed, ${x.alarm} false)`;
  const kinds = Object.entries(s.kinds).map(([k, v]) => `${k} ${v.found}/${v.faults}`).join(', ');
  return [line('faults', s.episodes), line('looks', s.looks), `${name.padEnd(18)} ${kinds}`].join('\n');
}
