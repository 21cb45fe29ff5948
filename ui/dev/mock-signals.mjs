// SPDX-License-Identifier: GPL-3.0-or-later
//
// Series for the desk's mock: a day of made numbers behind the Atlas routes that the pages ask, for questions of the
// form that the explorer writes. Anything else is one line of noise, and what begins with ":" is a mistake.

const tags = {
  'marquee.http.requests': { route: ['/api/v1/home', '/api/v1/plays', '/media/{grant}/{package}/{rest*}'], status: ['200', '404', '500'], method: ['GET', 'POST'] },
  'marquee.http.time': { route: ['/api/v1/home', '/api/v1/plays'], statistic: ['count', 'max', 'totalTime'] },
  'marquee.step.cpu': { type: ['inspect.range', 'encode.video', 'package'] },
  'marquee.play.startup': { device: ['desktop', 'phone', 'tv'], codec: ['av1', 'h264'] },
  'marquee.play.rebuffer': { device: ['desktop', 'phone', 'tv'] },
};

const hash = (text) => [...text].reduce((h, c) => (Math.imul(h ^ c.charCodeAt(0), 16777619) >>> 0), 2166136261);

function span(q) {
  const now = Date.now();
  const length = (text) => Number(text.slice(0, -1)) * { m: 60e3, h: 3600e3, d: 86400e3, w: 604800e3 }[text.slice(-1)];
  const end = q.get('e') === 'now' ? now : Number(q.get('e'));
  const start = q.get('s')?.startsWith('e-') ? end - length(q.get('s').slice(2)) : Number(q.get('s'));
  const step = Math.max(60e3, Math.ceil((end - start) / 600 / 60e3) * 60e3);
  return { start: Math.ceil(start / step) * step, end, step };
}

// [status, body, headers]
export function mockSignals(path, q) {
  const question = q.get('q') ?? '';
  const name = /(?:^|,)name,([^,]+),:eq/.exec(question)?.[1];
  if (path === 'tags/name') {
    const find = /name,(.*),:reic/.exec(question)?.[1] ?? '';
    return [200, Object.keys(tags).filter((n) => new RegExp(find, 'i').test(n)), {}];
  }
  if (path === 'tags') return [200, ['name', 'atlas.dstype', ...Object.keys(tags[name] ?? {})], {}];
  const key = /^tags\/(.+)$/.exec(path)?.[1];
  if (key) return [200, tags[name]?.[decodeURIComponent(key)] ?? ['rate'], key === 'route' ? { 'x-nflx-atlas-next-offset': 'x' } : {}];
  if (question.startsWith(':')) return [400, { error: { code: 'INVALID', message: `"${question}": the stack is empty at word 1`, hint: 'A question begins with name,NAME,:eq.' } }, {}];
  const by = /\(,([^()]*),\),:by$/.exec(question)?.[1].split(',')[0];
  const legend = by && name ? tags[name]?.[by] ?? [question] : name && !tags[name] ? [] : [name ?? question];
  const { start, end, step } = span(q);
  const values = [];
  for (let at = start; at < end; at += step)
    values.push(legend.map((label) => {
      const h = hash(label);
      const v = 50 + (h % 50) + 30 * Math.sin(at / 3.6e6 + (h % 7)) + 8 * Math.sin(at / 4e5 + h);
      return (h + Math.floor(at / 9e5)) % 37 === 0 ? 'NaN' : v;
    }));
  return [200, { start, step, legend: legend.map((l) => (by ? `(${by}=${l})` : l)), metrics: legend.map((l) => (by ? { name, [by]: l } : { name: name ?? l })), values, notices: [] }, {}];
}

export const mockDashboards = [
  {
    id: 'service', title: 'The service', about: 'What viewers feel, and what answers them.', graphs: 4, error: null,
    rows: [
      { title: 'Requests', graphs: [
        { title: 'Requests by status', q: 'name,marquee.http.requests,:eq,:sum,(,status,),:by', unit: '/s', stack: true },
        { title: 'Time to answer', q: 'name,marquee.http.time,:eq,:dist-avg', unit: 's', stack: false },
      ] },
      { title: 'Players', graphs: [
        { title: 'Startup', q: 'name,marquee.play.startup,:eq,:sum,(,device,),:by', unit: 's', stack: false },
        { title: 'Nothing yet', q: 'name,marquee.none,:eq,:sum', unit: null, stack: false },
      ] },
    ],
  },
  { id: 'broken', title: 'broken', about: null, graphs: 0, error: 'dashboards/broken.yaml:3: "graphs" is no list', rows: [] },
];

const minutes = (n) => new Date(Date.now() - n * 60_000).toISOString();
const evidence = {
  outlier_in: 4, of: 5,
  metrics: [
    { metric: 'latency of requests', value: 0.214, peers: 0.083, away: 8.7 },
    { metric: 'errors', value: 0.0002, peers: 0.0001, away: 1.1 },
    { metric: 'processor time', value: 0.41, peers: 0.44, away: -0.6 },
  ],
};
const treatment = (id, server, state, more) => ({
  id, cluster: 'edge', server, action: 'terminate', state, guard: null, why: null, step: null, approved_by: null, error: null,
  suspicion: { rule: 'dbscan@1', score: 8.7, since: minutes(21), members: 32, reporting: 32, evidence }, forensics: null,
  created: minutes(18), began: minutes(17), ended: null, ...more,
});

export const mockAlerts = [
  { id: 'a1', rule: 'errors', tags: { route: '/api/v1/plays' }, state: 'firing', severity: 'error', summary: 'More than 1 % of plays fail', value: 0.034, since: minutes(9), fired: minutes(4), resolved: null, acknowledged_by: null, silenced: false },
  { id: 'a2', rule: 'edge.silent', tags: { 'nf.node': 'edge-07' }, state: 'no_data', severity: 'warning', summary: '', value: null, since: minutes(3), fired: null, resolved: null, acknowledged_by: null, silenced: false },
];
export const mockActions = [
  treatment('t1', 'edge-12', 'waiting', { guard: 'approval', why: 'its owner wants a person to approve', began: null }),
  treatment('t2', 'edge-03', 'done', { ended: minutes(6), forensics: [{ name: 'top', code: 0, output: 'load average: 0.42' }] }),
  treatment('t3', 'edge-21', 'held', { guard: 'share', why: 'too large a share of the cluster would be out', began: null }),
];
const entry = (seq, what, t, more) => ({ seq, time: minutes(20 - seq / 2), actor: 'system', what, subject: `server/edge/${t.server}`, rule: 'dbscan@1', window: { start: minutes(30), end: minutes(20) }, parameters: { eps: 1.2, min_points: 4 }, data: { treatment: t.id, saw: evidence }, ...more });
export const mockRuns = [
  {
    id: 'r1', runbook: 'sockets', target: 'edge-7', server: 'edge-7', where: 'agent', subject: 'treatment/t1', state: 'done', dry_run: false, rule: 'rule/runbook/sockets/0/9',
    actor: 'system', approved_by: null, attempts: 1, status: 'attention', summary: 'a queue is full', error: null, created: '2026-11-22T18:40:00.000000Z',
  },
  {
    id: 'r2', runbook: 'restart-cache', target: 'edge-7', server: null, where: 'here', subject: 'treatment/t9', state: 'waiting', dry_run: false, rule: 'rule/runbook/restart-cache/0/9',
    actor: 'system', approved_by: null, attempts: 0, status: null, summary: null, error: null, created: '2026-11-22T18:41:00.000000Z',
  },
];

export const mockAudit = [
  ...['begun', 'remove.intended', 'remove.performed', 'drain.performed', 'examine.performed', 'terminate.intended', 'terminate.performed', 'start.performed', 'verify.performed', 'return.performed', 'done'].map((verb) => `treatment.${verb}`).map((what, i) => entry(i + 1, what, mockActions[1])),
  entry(12, 'treatment.held', mockActions[0], {}),
].reverse();

// 200 servers in two dimensions, four of which are out; t1 and t2 have a plot, t3 is from before there was one.
const noise = (i, k) => Math.sin(i * 12.9898 + k * 78.233) * 1.4 + Math.sin(i * 4.1 + k) * 0.8;
const point = (i, server, state, at) => ({ server, state, at, values: [0.083 * 1.08 ** at[0], 0.0001 + at[1] * 0.00005] });
export const mockPlot = (server) => ({
  server, method: 'dbscan', servers: 203, judged: 200, eps: 4, min_points: 17,
  axes: [
    { metric: 'latency of requests', statistic: 'median', peers: 0.083, spread: 0.08, ratio: true },
    { metric: 'errors', statistic: 'mean', peers: 0.0001, spread: 0.00005, ratio: false },
  ],
  points: [
    point(0, server, 'suspect', [8.7, 1.1]), point(1, 'edge-77', 'suspect', [2.2, 31]), point(2, 'edge-90', 'outlier', [-6.1, 0.4]), point(3, 'edge-91', 'outlier', [5.2, 5.9]),
    ...Array.from({ length: 196 }, (_, i) => point(i, `edge-${200 + i}`, 'peer', [noise(i, 1), noise(i, 2)])),
  ],
});
const minute = 60_000;
const from = Math.floor(Date.now() / minute) * minute - 126 * minute;
const steps = (low, high, at, k) => Array.from({ length: 126 }, (_, i) => (i < at ? low : high) + noise(i, k) * low * 0.01);
const signal = (name, score, at, more) => ({
  name, relation: 'moved', score, pearson: score, spearman: score - 0.03, lag: (120 - at) * minute, changed: from + at * minute, before: 80, after: 92, step: 14.2, start: from, end: from + 126 * minute,
  values: steps(80, 92, at, score), part: null, share: null, ...more,
});
export const mockRelated = {
  found: {
    schema: 1, changed: from + 120 * minute, start: from, end: from + 126 * minute, step: minute, target: { values: steps(0.01, 0.034, 120, 3) }, candidates: 8214, more: false,
    calls: { target: 'web', parts: [{ part: 'store', own: 41, whole: 41, share: 0.92 }, { part: 'web', own: 3, whole: 47, share: 0.08 }] },
    related: [
      signal({ name: 'disk.queue', 'nf.node': 'edge-03', 'nf.cluster': 'edge', service: 'store' }, 0.97, 118, { part: 'store', share: 0.92 }),
      signal({ name: 'http.latency', 'nf.node': 'edge-03', statistic: 'percentile.of.a.rather.long.name.that.does.not.fit' }, 0.81, 120),
      signal({ name: 'pool.waiting', 'nf.node': 'edge-03' }, 0.74, 119, { relation: 'born', before: null, after: 12, step: null, values: steps(0, 12, 119, 7).map((v, i) => (i < 119 ? null : v)) }),
      signal({ name: 'cache.hits', 'nf.node': 'edge-03' }, 0.6, 121, { relation: 'died', before: 300, after: null, step: null, values: steps(300, 0, 121, 8).map((v, i) => (i < 121 ? v : null)) }),
      ...[0.5, 0.41, 0.33, 0.2].map((score, i) => signal({ name: 'cpu.load', 'nf.node': `edge-1${i}` }, score, 119 + i)),
    ],
  },
  why: null,
};
