// SPDX-License-Identifier: GPL-3.0-or-later
// A small stand-in for `marquee serve`, for the desk: the operators' routes of docs/api.md, tus uploads that can
// be broken on purpose, jobs that run, one event stream. For development and browser tests; nothing of it is shipped.
//
//   node dev/mock-desk.mjs [--port 8098] [--film FILE] [--dist DIR] [--rows N] [--empty] [--role partner]
//   POST /mock {"break_uploads":n,"slow_ms":n,"fail":"path","speed":x}
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filmFrame, filmReport, filmStill } from './mock-desk-film.mjs';
import { mockActions, mockAlerts, mockAudit, mockDashboards, mockSignals, mockPlot, mockRelated, mockRuns } from './mock-signals.mjs';

const CSP = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };

class Refusal extends Error {
  constructor(status, code, message, hint = null) {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

let serial = 0;
const uuid = () => `01932f6e-7a10-7${String((serial += 1)).padStart(3, '0').slice(-3)}-8a00-${(serial * 7919 + 0x10000000).toString(16).padStart(12, '0')}`;
const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString().replace(/\.\d+Z$/, 'Z');

const demo = [
  ['Sintel (trailer)', 'sintel_trailer-720p.mp4', 7_516_000, 'refused', 'refuse'],
  ['Wanna Work Together', 'wanna_work_together.ogv', 41_203_332, 'published', 'accept'],
  ['French Grand Prix, 1906', '1906-grand-prix.webm', 12_930_112, 'published', 'accept'],
  ['Saturn Apollo OA-4 Launch', 'oa4_launch.webm', 23_441_900, 'published', 'accept'],
  ['Cockatoo', 'cockatoo.mp4', 728_751, 'published', 'accept'],
  ['City', 'cityCC0.mpg', 2_400_128, 'review', 'review'],
  ['Birds in flight', 'flight-path-on-transparent-d.mp4', 1_203_887, 'published', 'accept'],
  ['Planet Blupi: the arrival', 'movie-arrival.ogv', 4_913_022, 'published', 'accept'],
  ['The phone film', 'VID_20120301_phone.3gp', 912_400, 'failed', null],
  ['Hello', 'movie-hello.mkv', 612_998, 'published', 'accept'],
];
const STEPS = (chunks) => [
  ['probe', 'probe', 400], ...range(4, (i) => [`inspect/r${i}`, 'inspect.range', 1600]), ['inspect/audio', 'inspect.audio', 900],
  ['inspect/merge', 'inspect.merge', 200], ['plan', 'plan', 100],
  ...range(chunks, (i) => [[`encode/c${pad(i)}/h264`, 'encode.video', 5200], [`encode/c${pad(i)}/av1`, 'encode.video', 9100]]).flat(),
  ['encode/audio/s1', 'encode.audio', 1200], ['captions', 'captions', 100], ['stills', 'stills', 500], ['assemble/h264-720/0', 'assemble', 300], ['assemble/h264-360/0', 'assemble', 300], ['package', 'package', 700],
];
const range = (n, f) => Array.from({ length: n }, (_, i) => f(i));
const pad = (n) => String(n).padStart(3, '0');
const graph = [
  { type: 'probe', after: [] },
  { type: 'inspect.range', after: ['probe'] },
  { type: 'inspect.audio', after: ['probe'] },
  { type: 'inspect.merge', after: ['inspect.range', 'inspect.audio'] },
  { type: 'plan', after: ['inspect.merge'] },
  { type: 'encode.video', after: ['plan'] },
  { type: 'encode.audio', after: ['plan'] },
  { type: 'captions', after: ['plan'] },
  { type: 'stills', after: ['plan'] },
  { type: 'assemble', after: ['encode.video'] },
  { type: 'package', after: ['assemble', 'encode.audio', 'captions', 'stills'] },
];
const layers = { probe: 0, 'inspect.range': 1, 'inspect.audio': 1, 'inspect.merge': 2, plan: 3, 'encode.video': 4, 'encode.audio': 4, captions: 4, stills: 4, assemble: 5, package: 6 };

export function startMock({ port = 0, film = null, dist, rows = 0, empty = false, role = 'admin', folder } = {}) {
  const kept = folder ?? join(tmpdir(), `marquee-mock-desk-${film ? 'film' : 'drawn'}`);
  const report = filmReport(film, kept);
  const s = { alerts: structuredClone(mockAlerts), actions: structuredClone(mockActions), deliveries: [], jobs: [], findings: [], requests: [], titles: [], events: [], uploads: new Map(), streams: new Set(), signed: new Set(['demo']), users: [{ id: uuid(), name: 'olga', role: 'admin' }, { id: uuid(), name: 'omar', role: 'operator' }, { id: uuid(), name: 'vera', role: 'viewer', plan: 'premium' }, { id: uuid(), name: 'archive', role: 'partner', partner: 'Filmarchiv Austria' }], partners: [{ id: uuid(), name: 'Filmarchiv Austria', email: 'delivery@archive.example' }, { id: uuid(), name: 'Blender Foundation', email: null }], plans: [{ id: 'basic', name: 'Basic', max_height: 720, streams: 1 }, { id: 'premium', name: 'Premium', max_height: 0, streams: 4 }] };
  const how = { break_uploads: 0, slow_ms: 0, fail: null, speed: 1 };

  const publish = (type, subject, data, transient = false) => {
    const e = { specversion: '1.0', source: 'marquee', type, subject, data };
    if (!transient) Object.assign(e, { id: String(s.events.length + 1), time: new Date().toISOString(), actor: 'system', correlation: null, causation: 0 });
    if (!transient) s.events.push(e);
    const text = `${transient ? '' : `id: ${e.id}\n`}event: ${type}\ndata: ${JSON.stringify(e)}\n\n`;
    for (const out of s.streams) out.write(text);
  };

  const addJob = (delivery, state, minutes, chunks = 5) => {
    const job = { id: uuid(), workflow: 'ingest', subject: `delivery/${delivery.id}`, state, progress: state === 'done' ? 1 : 0, remaining_us: null, error: null, result: null, created: ago(minutes), finished: state === 'running' ? null : ago(minutes - 2.4), params: {}, steps: [] };
    job.plan = STEPS(chunks);
    job.logs = new Map();
    if (state !== 'running')
      job.steps = job.plan.map(([name, type, ms], i) => ({ name, type, state: 'done', reused: i % 9 === 3, attempts: i % 9 === 3 ? 0 : 1, progress: 1, cpu_us: ms * 940, wall_us: ms * 1000, max_rss_bytes: 80e6 + ms * 41e3, error: null, log: true }));
    if (state === 'failed') {
      const bad = job.steps.findIndex((x) => x.type === 'encode.video') + 3;
      job.steps = job.steps.slice(0, bad + 4).map((x, i) => (i < bad ? x : i === bad ? { ...x, state: 'failed', attempts: 3, progress: 0.4, error: 'h264-720: frame 211 did not verify: PSNR-Y 9.1 dB is below the floor of 28 dB' } : { ...x, state: 'waiting', progress: 0, cpu_us: null, wall_us: null, max_rss_bytes: null, attempts: 0, reused: false, log: false }));
      job.error = 'encode/c001/av1: h264-720: frame 211 did not verify: PSNR-Y 9.1 dB is below the floor of 28 dB';
      job.progress = 0.44;
    }
    s.jobs.unshift(job);
    delivery.job_id = job.id;
    return job;
  };
  const deliver = (title, file, bytes, state, verdict, minutes, partner = null) => {
    const d = { id: uuid(), title_id: uuid(), title, file_name: file, bytes, hash: `${(bytes * 2654435761).toString(16).padStart(16, 'a')}c0ffee5eed`, state, verdict, partner: partner?.id ?? null, partner_name: partner?.name ?? null, job_id: null, received: ago(minutes), requests: [], error: null };
    s.deliveries.unshift(d);
    return d;
  };
  const register = (d, list) => {
    for (const f of list) s.findings.unshift({ id: uuid(), subject: `delivery/${d.id}`, detector: 'inspect/1', owner: null, state: 'open', waived_until: null, waived_why: null, seen_first: d.received, seen_last: d.received, ...f });
  };
  const history = (d, ...kinds) => {
    for (const k of kinds) publish(`delivery.${k}.v1`, `delivery/${d.id}`, { title_id: d.title_id, job_id: d.job_id, file_name: d.file_name, bytes: d.bytes });
  };

  if (!empty) {
    demo.forEach(([title, file, bytes, state, verdict], i) => {
      const d = deliver(title, file, bytes, state, verdict, 30 + (demo.length - i) * 47, i === 0 ? s.partners[1] : i === 2 ? s.partners[0] : null);
      s.titles.push({ id: d.title_id, kind: 'film', name: title, year: 1906 + i * 11, duration_us: 52_208_333 * (i + 1), poster: { url: `/api/v1/deliveries/${d.id}/stills/${6 + i}.jpg`, width: 160, height: 90, color: '#332211' }, maturity: i % 3 ? 0 : 12, tags: ['short', i % 2 ? 'nature' : 'animation'], quality: i % 2 ? '720p' : '1080p', synopsis: 'A lonely young woman, Sintel, helps and befriends a dragon.', credit: 'Blender Foundation', licence: 'CC BY 3.0', licence_url: 'https://creativecommons.org/licenses/by/3.0/', source_url: '', people: [{ name: 'Colin Levy', role: 'director' }], seasons: [], published: d.received, withdrawn: null });
      addJob(d, state === 'failed' ? 'failed' : 'done', 30 + (demo.length - i) * 47, 3 + i * 4);
      if (state === 'failed') d.error = s.jobs[0].error;
      if (i === 0) {
        register(d, report.findings);
        const r = { id: uuid(), delivery_id: d.id, title_id: d.title_id, title, file_name: file, partner: s.partners[1].id, partner_name: s.partners[1].name, state: 'open', verdict: 'refuse', created: ago(500), findings: report.findings.filter((f) => f.severity !== 'info'), thumbnails: [], answered_by: null, asked: 'no_address' };
        s.requests.push(r);
        d.requests.push(r);
      }
      if (i === 5) register(d, report.findings.filter((f) => f.kind === 'black'));
      history(d, 'received', 'inspected', state === 'failed' ? 'failed' : state);
    });
    const told = s.titles[1];
    s.findings.unshift({ id: uuid(), subject: `title/${told.id}`, subject_name: told.name, kind: 'viewer_report', severity: 'warning', stream: null, start_frame: null, end_frame: null, start_pts: 65_791_000, end_pts: 65_791_001, time_base: [1, 1_000_000], evidence: { text: 'Sound: No sound at all', play: 'p', position_us: 65_791_000 }, detector: 'viewer/1@1', owner: 'user/1', state: 'open', waived_until: null, waived_why: null, seen_first: ago(3), seen_last: ago(3) });
    const fixed = s.findings.find((f) => f.kind === 'letterbox');
    if (fixed) Object.assign(fixed, { state: 'waived', waived_why: 'The film is in scope', waived_until: ago(-60 * 24 * 90) });
  }
  for (let i = 0; i < rows; i += 1) {
    const d = deliver(`Reel ${String(i + 1).padStart(5, '0')} of the archive`, `reel_${i + 1}.mxf`, 1e9 + i * 77_000_003, ['published', 'published', 'review', 'refused'][i % 4], ['accept', 'accept', 'review', 'refuse'][i % 4], 9000 + i * 3, s.partners[i % 2]);
    if (i < 1000) s.jobs.push({ id: uuid(), workflow: 'ingest', subject: `delivery/${d.id}`, state: 'done', progress: 1, remaining_us: null, error: null, result: null, created: ago(9000 + i), finished: ago(8990 + i), params: {}, steps: [] });
    s.findings.push({ id: uuid(), subject: `delivery/${d.id}`, kind: ['black', 'frozen', 'silence', 'decode_error', 'duplicated'][i % 5], severity: ['warning', 'info', 'info', 'error', 'warning'][i % 5], stream: 0, start_frame: i * 3, end_frame: i * 3 + 25, start_pts: i * 3, end_pts: i * 3 + 25, time_base: [1, 24], evidence: { luma_mean: 12.5 }, detector: 'inspect/1', owner: null, state: ['open', 'open', 'waived', 'fixed'][i % 4], waived_until: i % 4 === 2 ? ago(-9999) : null, waived_why: i % 4 === 2 ? 'credits' : null, seen_first: ago(9000 + i), seen_last: ago(9000 + i) });
    s.titles.push({ id: d.title_id, kind: 'film', name: d.title, year: 1900 + (i % 120), duration_us: 6e9, poster: null, maturity: 0, tags: ['archive'], quality: '1080p', published: d.received });
  }

  // A running job: steps begin when the layer before them is done, two at a time.
  const run = (job, d) => {
    const started = Date.now();
    const tick = () => {
      if (job.state !== 'running') return;
      const done = new Set(job.steps.filter((x) => x.state === 'done').map((x) => x.name));
      const layerDone = (n) => job.plan.filter(([, t]) => layers[t] < n).every(([name]) => done.has(name));
      for (const [name, type] of job.plan)
        if (layerDone(layers[type]) && !job.steps.some((x) => x.name === name)) {
          job.steps.push({ name, type, state: 'waiting', reused: false, attempts: 0, progress: 0, cpu_us: null, wall_us: null, max_rss_bytes: null, error: null, log: false });
        }
      const active = job.steps.filter((x) => x.state === 'running');
      for (const x of job.steps) if (active.length < 2 && x.state === 'waiting') {
        Object.assign(x, { state: 'running', attempts: 1, log: true, began: Date.now() });
        active.push(x);
        job.logs.set(x.name, `${x.name}: begins on 1 thread\n`);
      }
      for (const x of active) {
        const ms = job.plan.find(([n]) => n === x.name)[2] / how.speed;
        x.progress = Math.min(1, (Date.now() - x.began) / ms);
        job.logs.set(x.name, `${job.logs.get(x.name)}${x.type}: ${Math.round(x.progress * 100)} %, frame ${Math.round(x.progress * 600)}, PSNR-Y 43.${Math.round(x.progress * 9)} dB\n`);
        publish('progress.v1', job.subject, { job: job.id, step: x.name, step_type: x.type, done_ppm: Math.round(x.progress * 1e6), remaining_us: Math.round((1 - x.progress) * ms * 1000) }, true);
        if (x.progress >= 1) Object.assign(x, { state: 'done', cpu_us: ms * 900, wall_us: (Date.now() - x.began) * 1000, max_rss_bytes: 210e6 });
      }
      const total = job.plan.reduce((n, x) => n + x[2], 0);
      const gone = job.steps.reduce((n, x) => n + job.plan.find(([k]) => k === x.name)[2] * x.progress, 0);
      job.progress = gone / total;
      job.remaining_us = Math.round(((total - gone) * 1000) / 2 / how.speed);
      publish('progress.v1', job.subject, { job: job.id, step: null, step_type: null, done_ppm: Math.round(job.progress * 1e6), remaining_us: job.remaining_us }, true);
      if (d.state === 'received' && job.steps.some((x) => x.type === 'plan' && x.state === 'done')) {
        Object.assign(d, { state: 'inspected', verdict: 'accept' });
        history(d, 'inspected');
      }
      if (job.plan.every(([n]) => job.steps.some((x) => x.name === n && x.state === 'done'))) {
        Object.assign(job, { state: 'done', progress: 1, remaining_us: null, finished: ago(0) });
        d.state = 'published';
        history(d, 'published');
        publish('job.done.v1', `job/${job.id}`, { wall_us: (Date.now() - started) * 1000 });
      } else setTimeout(tick, 200);
    };
    tick();
  };

  const find = (list, id, what) => {
    const x = list.find((y) => y.id === id);
    if (!x) throw new Refusal(404, 'not_found', `There is no ${what} here.`);
    return x;
  };
  const body = async (request) => {
    const parts = [];
    for await (const p of request) parts.push(p);
    const bytes = Buffer.concat(parts);
    return bytes.length > 0 ? JSON.parse(bytes.toString()) : {};
  };
  const page = (list, q, key) => {
    const limit = Math.min(1000, Number(q.get('limit') ?? 100));
    const from = q.get(key) ? list.findIndex((x) => x.id === q.get(key)) + 1 : 0;
    return list.slice(from, from + limit);
  };
  const reportOf = (d) => (d.state === 'received' ? null : { ...report, verdict: d.verdict ?? 'accept', ...(d.verdict === 'accept' ? { findings: report.findings.filter((f) => f.severity === 'info'), why: [] } : {}) });
  const brief = ({ plan, logs, steps, ...job }) => job;
  const user = { id: s.users[0].id, name: 'olga', role };

  const routes = [
    ['GET', 'alerts', (c) => ({ alerts: empty ? [] : s.alerts.filter((a) => (a.state === 'resolved') === (c.q.get('state') === 'resolved')) })],
    ['POST', 'alerts/:id/ack', (c) => {
      Object.assign(find(s.alerts, c.id, 'alert'), { state: 'acknowledged', acknowledged_by: 'olga' });
      return [204, null];
    }],
    ['GET', 'alerts/:id', (c) => find(s.alerts, c.id, 'alert')],
    ['GET', 'alerts/:id/related', (c) => {
      if (c.id === 'a2') return { found: null, why: 'nothing has values for name,edge.up,:eq' };
      return mockRelated;
    }],
    ['GET', 'alerts/:id/actions', (c) => ({ actions: c.id === 'a1' ? s.actions.slice(0, 2).map((a) => ({ ...a, same: false })) : [] })],
    ['GET', 'actions/:id/alerts', () => ({ alerts: s.alerts.slice(0, 1).map((a) => ({ ...a, same: false })) })],
    ['GET', 'actions/:id/plot', (c) => ({ plot: c.id === 't3' ? null : mockPlot(find(s.actions, c.id, 'action').server) })],
    ['GET', 'actions', () => ({ actions: empty ? [] : s.actions })],
    ['GET', 'actions/:id', (c) => find(s.actions, c.id, 'action')],
    ['POST', 'actions/:id/:how', (c) => {
      const a = find(s.actions, c.id, 'action');
      Object.assign(a, c.how === 'approve' ? { state: 'acting', approved_by: 'olga', step: 'remove' } : { state: c.how === 'refuse' ? 'refused' : 'done' });
      return [204, null];
    }],
    ['GET', 'runs', (c) => ({ runs: empty ? [] : mockRuns.filter((r) => (c.q.get('state') ? r.state === c.q.get('state') : r.subject === c.q.get('subject'))) })],
    ['GET', 'runs/:id', (c) => ({ ...mockRuns.find((r) => r.id === c.id), tries: [{ attempt: 1, outcome: 'ok', stdout: '{"schema":1,"status":"attention","summary":"a queue is full"}\n', stderr: '' }] })],
    ['GET', 'audit', (c) => ({ audit: mockAudit.filter((e) => e.subject === c.q.get('subject')), head: '9:ab' })],
    ['GET', 'audit/verify', () => ({ whole: true, entries: mockAudit.length, broken: null, why: null, head: '9:ab' })],
    ['GET', 'dashboards', () => ({ dashboards: empty ? [] : mockDashboards.map(({ rows: _, ...head }) => head) })],
    ['GET', 'dashboards/:id', (c) => find(mockDashboards, c.id, 'dashboard')],
    ['POST', 'session', async (c) => {
      const b = await body(c.request);
      if (b.password !== 'marquee-demo') throw new Refusal(401, 'unknown_user', 'The name and the password do not fit together.');
      s.signed.add('demo');
      return [200, { token: 't', user, profile: null, plan: null }, { 'Set-Cookie': 'marquee_session=demo; Path=/; HttpOnly; SameSite=Lax' }];
    }],
    ['GET', 'session', () => ({ user, profile: null, plan: { id: 'premium', name: 'Premium' } })],
    ['DELETE', 'session', () => [204, null, { 'Set-Cookie': 'marquee_session=; Path=/; Max-Age=0' }]],
    ['GET', 'deliveries', (c) => ({ deliveries: page(s.deliveries, c.q, 'before') })],
    ['POST', 'deliveries', async (c) => {
      const b = await body(c.request);
      const up = s.uploads.get(b.upload_id);
      if (!up || up.offset !== up.size) throw new Refusal(404, 'not_found', 'There is no finished upload of that id.', 'Upload the file first.');
      const d = deliver(b.title ?? up.name, up.name, up.size, 'received', null, 0);
      d.maturity = b.maturity ?? null;
      s.uploads.delete(b.upload_id);
      const job = addJob(d, 'running', 0, 6);
      if (b.answers) {
        const r = find(s.requests, b.answers, 'request');
        Object.assign(r, { state: 'answered', answered_by: d.id });
      }
      history(d, 'received');
      run(job, d);
      return [201, { delivery_id: d.id, job_id: job.id }];
    }],
    ['GET', 'deliveries/:id', (c) => find(s.deliveries, c.id, 'delivery')],
    ['POST', 'deliveries/:id/again', (c) => {
      const d = find(s.deliveries, c.id, 'delivery');
      const job = addJob(d, 'running', 0, 4);
      d.state = 'received';
      run(job, d);
      return [202, { delivery_id: d.id, job_id: job.id }];
    }],
    ['GET', 'deliveries/:id/report', (c) => reportOf(find(s.deliveries, c.id, 'delivery')) ?? (() => { throw new Refusal(404, 'not_found', 'Inspection has not ended.'); })()],
    ['GET', 'deliveries/:id/frames', (c) => { const a = Number(c.q.get('start')); return { time_base: [1, 24], start: a, pts: range(Number(c.q.get('end')) - a, (i) => a + i) }; }],
    ['GET', 'requests', (c) => ({ requests: page(s.requests, c.q, 'before') })],
    ['GET', 'requests/:id', (c) => find(s.requests, c.id, 'request')],
    ['GET', 'jobs', (c) => ({ jobs: s.jobs.filter((j) => !c.q.get('subject') || j.subject === c.q.get('subject')).slice(0, Number(c.q.get('limit') ?? 100)).map(brief) })],
    ['GET', 'jobs/:id', (c) => { const j = find(s.jobs, c.id, 'job'); return { ...brief(j), steps: j.steps, graph }; }],
    ['GET', 'jobs/:id/log', (c) => { const text = Buffer.from(find(s.jobs, c.id, 'job').logs?.get(c.q.get('step')) ?? `${c.q.get('step')}: begins on 1 thread\nlibx264 164 r3095, 4 rungs\nframe 0 IDR, PSNR-Y 44.1 dB\n…\ndone\n`); return [200, text.subarray(Number(c.q.get('offset') ?? 0)), { 'Content-Type': 'text/plain; charset=utf-8' }]; }],
    ['POST', 'jobs/:id/cancel', (c) => { const j = find(s.jobs, c.id, 'job'); Object.assign(j, { state: 'cancelled', finished: ago(0) }); for (const x of j.steps) if (x.state === 'running') x.state = 'waiting'; publish('job.cancelled.v1', `job/${j.id}`, {}); return [204, null]; }],
    ['POST', 'jobs/:id/rerun', (c) => { const j = find(s.jobs, c.id, 'job'); Object.assign(j, { state: 'running', error: null, finished: null }); for (const x of j.steps) if (x.state === 'failed') Object.assign(x, { state: 'waiting', error: null, progress: 0 }); publish('job.submitted.v1', `job/${j.id}`, {}); const d = s.deliveries.find((x) => `delivery/${x.id}` === j.subject); d.error = null; if (d.state === 'failed') d.state = 'received'; run(j, d); return [204, null]; }],
    ['GET', 'findings', (c) => ({ findings: page(s.findings.filter((f) => (!c.q.get('subject') || f.subject === c.q.get('subject')) && (!c.q.get('state') || f.state === c.q.get('state')) && (!c.q.get('kind') || f.kind === c.q.get('kind'))), c.q, 'before') })],
    ['POST', 'findings/:id/waive', async (c) => { const b = await body(c.request); if (!b.why || !b.until) throw new Refusal(400, 'invalid', 'A waiver needs a reason and an end.'); const f = find(s.findings, c.id, 'finding'); Object.assign(f, { state: 'waived', waived_why: b.why, waived_until: b.until }); publish('finding.waived.v1', f.subject, { kind: f.kind, why: b.why }); return [204, null]; }],
    ['POST', 'findings/:id/reopen', (c) => { const f = find(s.findings, c.id, 'finding'); Object.assign(f, { state: 'open', waived_why: null, waived_until: null }); publish('finding.reopened.v1', f.subject, { kind: f.kind }); return [204, null]; }],
    ['GET', 'titles', (c) => ({ titles: page(s.titles, c.q, 'after') })],
    ['GET', 'titles/:id', (c) => find(s.titles, c.id, 'title')],
    ['PATCH', 'titles/:id', async (c) => { const x = Object.assign(find(s.titles, c.id, 'title'), await body(c.request)); publish('title.edited.v1', `title/${x.id}`, {}); return x; }],
    ['DELETE', 'titles/:id', (c) => { const x = find(s.titles, c.id, 'title'); x.withdrawn = new Date().toISOString(); publish('title.withdrawn.v1', `title/${x.id}`, {}); return [204, null]; }],
    ['POST', 'titles/:id/restore', (c) => { const x = find(s.titles, c.id, 'title'); x.withdrawn = null; publish('title.restored.v1', `title/${x.id}`, {}); return [204, null]; }],
    ['GET', 'search', (c) => ({ titles: s.titles.filter((x) => x.name.toLowerCase().includes((c.q.get('q') ?? '').toLowerCase())).slice(0, 20), people: [], tags: [] })],
    ['GET', 'history', (c) => ({ events: s.events.filter((e) => e.subject.startsWith(c.q.get('subject') ?? '')).slice(-200) })],
    ['GET', 'users', () => ({ users: s.users })],
    ['POST', 'users', async (c) => { const b = await body(c.request); s.users.push({ id: uuid(), name: b.name, role: b.role, partner: b.partner ?? null }); return [201, {}]; }],
    ['PATCH', 'users/:id', async (c) => { Object.assign(find(s.users, c.id, 'person'), await body(c.request)); return [204, null]; }],
    ['DELETE', 'users/:id', (c) => { s.users = s.users.filter((u) => u.id !== c.id); return [204, null]; }],
    ['POST', 'users/:id/link', (c) => [201, { path: `/link/${find(s.users, c.id, 'person').name}`, until: ago(-60 * 24 * 7) }]],
    ['GET', 'partners', () => ({ partners: s.partners })],
    ['POST', 'partners', async (c) => { s.partners.push({ id: uuid(), ...(await body(c.request)) }); return [201, {}]; }],
    ['GET', 'plans', () => ({ plans: s.plans })],
  ];
  const match = (pattern, path) => {
    const [a, b] = [pattern.split('/'), path.split('/')];
    if (a.length !== b.length) return null;
    const c = {};
    return a.every((x, i) => (x.startsWith(':') ? ((c[x.slice(1)] = decodeURIComponent(b[i])), true) : x === b[i])) ? c : null;
  };

  async function uploads(request, response, path) {
    const head = { 'Tus-Resumable': '1.0.0', 'Cache-Control': 'no-store' };
    const id = path.split('/')[1];
    if (request.method === 'POST' && !id) {
      const up = { id: uuid(), size: Number(request.headers['upload-length']), offset: 0, name: 'film' };
      for (const pair of (request.headers['upload-metadata'] ?? '').split(',')) {
        const [k, v] = pair.split(' ');
        if (k === 'filename') up.name = Buffer.from(v, 'base64').toString();
      }
      s.uploads.set(up.id, up);
      return response.writeHead(201, { ...head, Location: `/api/v1/uploads/${up.id}` }).end();
    }
    const up = s.uploads.get(id);
    if (!up) return response.writeHead(404, head).end();
    if (request.method === 'HEAD') return response.writeHead(200, { ...head, 'Upload-Offset': up.offset, 'Upload-Length': up.size }).end();
    if (request.method === 'DELETE') {
      s.uploads.delete(id);
      return response.writeHead(204, head).end();
    }
    if (Number(request.headers['upload-offset']) !== up.offset) return response.writeHead(409, head).end();
    if (how.break_uploads > 0) {
      how.break_uploads -= 1;
      request.once('data', (p) => {
        up.offset += Math.min(p.length, 1000); // what came before the line broke is kept
        request.socket.destroy();
      });
      return undefined;
    }
    for await (const p of request) {
      up.offset += p.length;
      if (how.slow_ms > 0) await new Promise((r) => setTimeout(r, how.slow_ms));
    }
    return response.writeHead(204, { ...head, 'Upload-Offset': up.offset }).end();
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://mock');
    try {
      if (url.pathname === '/mock') {
        Object.assign(how, await body(request));
        return response.writeHead(204).end();
      }
      const link = /^\/link\/(\w+)$/.exec(url.pathname);
      if (link) {
        s.signed.add('demo');
        return response.writeHead(302, { Location: '/desk/', 'Set-Cookie': 'marquee_session=demo; Path=/; HttpOnly; SameSite=Lax' }).end();
      }
      if (url.pathname.startsWith('/atlas/api/v1/')) {
        if (how.fail && 'atlas'.startsWith(how.fail)) throw new Refusal(500, 'internal', 'The store is closed.', 'Try again in a moment.');
        const [status, answer, more] = mockSignals(url.pathname.slice('/atlas/api/v1/'.length), url.searchParams);
        return response.writeHead(status, { 'Content-Type': 'application/json', ...more }).end(JSON.stringify(answer));
      }
      if (!url.pathname.startsWith('/api/v1/')) return files(url.pathname, response);
      const path = url.pathname.slice('/api/v1/'.length);
      const signed = /marquee_session=demo/.test(request.headers.cookie ?? '');
      if (!signed && path === 'session' && request.method === 'GET') return response.writeHead(200, { 'Content-Type': 'application/json' }).end('null');
      if (!signed && !(path === 'session' && request.method === 'POST')) throw new Refusal(401, 'signed_out', 'You are not signed in.', 'Sign in.');
      if (how.fail && path.startsWith(how.fail)) throw new Refusal(500, 'internal', 'The database is locked.', 'Try again in a moment.');
      if (path.startsWith('uploads')) return await uploads(request, response, path);
      if (path === 'events') {
        response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
        response.write(': hello\n\n');
        s.streams.add(response);
        return request.on('close', () => s.streams.delete(response));
      }
      const picture = /^deliveries\/([^/]+)\/(stills|frames)\/(\d+)\.jpg$/.exec(path);
      if (picture) {
        find(s.deliveries, picture[1], 'delivery');
        const n = Number(picture[3]);
        if (picture[2] === 'frames' && n >= report.frames) throw new Refusal(404, 'not_found', 'There is no such frame.');
        const jpeg = picture[2] === 'stills' ? filmStill(kept, Math.min(n, report.stills.count - 1)) : filmFrame(film, kept, n);
        return response.writeHead(200, { 'Content-Type': 'image/jpeg', 'Cache-Control': 'max-age=3600' }).end(jpeg);
      }
      for (const [method, pattern, handle] of routes) {
        const params = request.method === method && match(pattern, path);
        if (!params) continue;
        const answer = await handle({ ...params, q: url.searchParams, request });
        const [status, value, head] = Array.isArray(answer) ? answer : [200, answer];
        const raw = Buffer.isBuffer(value);
        response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...head });
        return response.end(value === null ? undefined : raw ? value : JSON.stringify(value));
      }
      throw new Refusal(404, 'not_found', 'There is no such route.');
    } catch (e) {
      if (response.headersSent) return response.end();
      response.writeHead(e.status ?? 500, { 'Content-Type': 'application/json' });
      return response.end(JSON.stringify({ error: { code: e.code ?? 'internal', message: e.message, hint: e.hint ?? null } }));
    }
  });
  function files(path, response) {
    let at = normalize(path).replace(/^\/+/, '');
    if (/^desk(\/[^.]*)?$/.test(at)) at = 'desk/index.html';
    if (at === '') at = 'index.html';
    const full = join(dist, at);
    if (!full.startsWith(dist) || !existsSync(full)) return response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': types[extname(full)] ?? 'application/octet-stream', 'Content-Security-Policy': CSP });
    return createReadStream(full).pipe(response);
  }
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      const address = `http://127.0.0.1:${server.address().port}`;
      resolve({ address, state: s, how, stop: () => new Promise((done) => { for (const x of s.streams) x.destroy(); server.closeAllConnections?.(); server.close(done); for (const j of s.jobs) if (j.state === 'running') j.state = 'cancelled'; }) });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? undefined : process.argv[i + 1]; };
  const mock = await startMock({
    port: Number(option('port') ?? 8098), film: option('film') ?? null, rows: Number(option('rows') ?? 0), role: option('role') ?? 'admin',
    empty: process.argv.includes('--empty'), dist: option('dist') ?? fileURLToPath(new URL('../dist', import.meta.url)),
  });
  process.stdout.write(`${mock.address}/link/demo\n`);
}
