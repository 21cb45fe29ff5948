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
  return [200, { start, step, legend, metrics: legend.map((l) => (by ? { name, [by]: l } : { name: name ?? l })), values, notices: [] }, {}];
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
export const mockAudit = [
  ...['begun', 'remove.intended', 'remove.performed', 'drain.performed', 'examine.performed', 'terminate.intended', 'terminate.performed', 'start.performed', 'verify.performed', 'return.performed', 'done'].map((verb) => `treatment.${verb}`).map((what, i) => entry(i + 1, what, mockActions[1])),
  entry(12, 'treatment.held', mockActions[0], {}),
].reverse();
