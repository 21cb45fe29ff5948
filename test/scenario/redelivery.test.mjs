// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 5
//
// A faulty film is refused, its partner gets a mail with a link, the mended film answers the
// request, is accepted and published under the same title.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { damageFilm, folder, makeFilm, marquee, published, root, start, writeLadder } from './marquee.mjs';

async function smtpSink(t) {
  const sink = spawn(process.execPath, [path.join(root, 'test/peer/smtp_sink.mjs'), '--refuse', '1'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => sink.kill());
  const lines = [];
  const waiting = [];
  let rest = '';
  sink.stdout.on('data', (data) => {
    rest += data;
    const parts = rest.split('\n');
    rest = parts.pop();
    for (const part of parts) {
      const line = JSON.parse(part);
      if (waiting.length) waiting.shift()(line);
      else lines.push(line);
    }
  });
  const next = () => (lines.length ? Promise.resolve(lines.shift()) : new Promise((r) => waiting.push(r)));
  const { port } = await next();
  return { url: `smtp://127.0.0.1:${port}`, next };
}

test('refused, asked for again by mail, mended, published', async (t) => {
  const dir = folder(t);
  const data = path.join(dir, 'data');
  const ladder = writeLadder(dir);
  const good = makeFilm(path.join(dir, 'mended.mp4'));
  const bad = damageFilm(good, path.join(dir, 'faulty.mp4'));
  const sink = await smtpSink(t);

  assert.equal(marquee(['partner', 'add', 'Archive', '--email', 'qc@archive.example', '--data', data]).code, 0);
  const serve = start(['serve', '--data', data, '--port', '0', '--smtp', sink.url, '--mail-from', 'marquee@service.example']);
  t.after(() => serve.kill());
  const [, url] = await serve.said(/listens on (\S+)/);

  // beside a running service the command submits and follows
  const refused = marquee(['ingest', bad, '--title', 'A film', '--partner', 'Archive', '--ladder', ladder, '--data', data, '--json']);
  assert.equal(refused.code, 3, refused.stderr);
  const [film] = refused.json.films;
  assert.equal(film.state, 'refused');
  assert.equal(film.hls, null);
  assert.deepEqual(published(data), []);
  const fault = film.findings.find((f) => f.severity === 'error' && f.kind === 'decode_error');
  assert.ok(fault, JSON.stringify(film.findings));
  assert.ok(fault.start_frame > 0 && fault.end_frame > fault.start_frame);

  const mail = await sink.next(); // after a refusal of the relay it was tried again
  assert.deepEqual(mail.to, ['qc@archive.example']);
  assert.equal(mail.from, 'marquee@service.example');
  assert.match(mail.subject, /A film/);
  assert.match(mail.text, /Damaged data at .*: Pictures here cannot be decoded/);
  assert.ok(mail.text.includes(`${url}/desk/requests/${film.request_id}`), mail.text);

  const [request] = marquee(['requests', '--data', data, '--json']).json.requests;
  assert.equal(request.id, film.request_id);
  assert.equal(request.state, 'open');
  assert.equal(request.title_id, film.title_id);
  assert.ok(request.thumbnails.length > 0);

  const stranger = marquee(['ingest', good, '--answers', request.id, '--partner', 'Nobody', '--data', data]);
  assert.notEqual(stranger.code, 0);

  const answer = marquee(['ingest', good, '--partner', 'Archive', '--answers', request.id, '--ladder', ladder, '--data', data, '--json']);
  assert.equal(answer.code, 0, answer.stderr);
  const [mended] = answer.json.films;
  assert.equal(mended.state, 'published');
  assert.equal(mended.title_id, film.title_id);
  assert.notEqual(mended.delivery_id, film.delivery_id);
  const [closed] = marquee(['requests', '--data', data, '--json']).json.requests;
  assert.equal(closed.state, 'closed');
  assert.equal(closed.answered_by, mended.delivery_id);
  assert.equal(published(data).length, 1);

  const titles = marquee(['titles', '--data', data, '--json']).json.titles;
  assert.deepEqual(titles.map((x) => [x.name, x.quality !== null]), [['A film', true]]);
  assert.equal((await serve.kill('SIGTERM')).code, 0);
});

test('a waiver with a reason and an end publishes what would be refused', async (t) => {
  const dir = folder(t);
  const data = path.join(dir, 'data');
  const ladder = writeLadder(dir, [120]);
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 4, picture: 'color=c=black' });
  const policy = path.join(dir, 'policy.yaml');
  const kind = 'black';
  fs.writeFileSync(policy, `schema: 1\nrules:\n  - {kind: ${kind}, verdict: refuse, why: Not here.}\n`);
  const common = ['--policy', policy, '--ladder', ladder, '--data', data, '--json'];

  assert.equal(marquee(['ingest', film, ...common]).code, 3);
  assert.equal(marquee(['ingest', film, '--waive', kind, ...common]).code, 2);
  assert.equal(marquee(['ingest', film, '--waive', kind, '--why', 'Meant so', '--until', '2020-01-01', ...common]).code, 2);
  const waived = marquee(['ingest', film, '--waive', kind, '--why', 'Meant so', '--until', '2999-01-01', ...common]);
  assert.equal(waived.code, 0, waived.stderr);
  assert.equal(waived.json.films[0].state, 'published');
  assert.ok(waived.json.films[0].why.every((w) => w.waived?.why === 'Meant so'));
  const inspection = waived.json.films[0].steps.filter((s) => /probe|inspect/.test(s.name));
  assert.ok(inspection.every((s) => s.run === 0 && s.reused > 0), 'inspected only once');
});

test('what is waived in the register is decided anew', async (t) => {
  const dir = folder(t);
  const data = path.join(dir, 'data');
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 4, picture: 'color=c=black' });
  const policy = path.join(dir, 'policy.yaml');
  fs.writeFileSync(policy, 'schema: 1\nrules:\n  - {kind: black, verdict: review, why: Look at it.}\n');
  const refused = marquee(['ingest', film, '--policy', policy, '--ladder', writeLadder(dir, [120]), '--data', data, '--json']);
  assert.equal(refused.code, 4, refused.stderr);
  const [{ id, state }] = marquee(['deliveries', '--data', data, '--json']).json.deliveries;
  assert.equal(id, refused.json.films[0].delivery_id);
  assert.equal(state, 'review');
  assert.equal(marquee(['deliveries', 'again', id, '--data', data]).code, 4, 'nothing was waived yet');

  const black = marquee(['findings', '--kind', 'black', '--data', data, '--json']).json.findings.map((f) => f.id);
  assert.equal(black.length, 1);
  const waive = (...more) => marquee(['findings', 'waive', ...black, ...more, '--data', data]).code;
  assert.equal(waive('--why', 'Meant so'), 2);
  assert.equal(waive('--until', '2999-01-01'), 2);
  assert.equal(waive('--why', 'Meant so', '--until', '2020-01-01'), 1);
  assert.equal(waive('--why', 'Meant so', '--until', '2999-01-01'), 0);
  const again = marquee(['deliveries', 'again', id, '--data', data, '--json']);
  assert.equal(again.code, 0, again.stderr);
  const [done] = again.json.films;
  assert.equal(done.state, 'published');
  assert.equal(done.delivery_id, id);
  const inspection = done.steps.filter((s) => /probe|inspect/.test(s.name));
  assert.ok(inspection.length > 0 && inspection.every((s) => s.run === 0 && s.reused > 0), 'inspected only once');
  assert.equal(marquee(['findings', 'reopen', ...black, '--data', data]).code, 0);
  assert.equal(marquee(['findings', '--state', 'open', '--kind', 'black', '--data', data, '--json']).json.findings.length, 1);
  assert.equal(marquee(['deliveries', 'again', '00000000-0000-7000-8000-000000000000', '--data', data]).code, 1);
});
