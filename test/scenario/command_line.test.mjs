// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
//
// What a person meets who types commands: mistakes are told before work begins, looking makes nothing,
// what is known keeps its name and its captions.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { folder, makeFilm, marquee, program, root, start, writeLadder } from './marquee.mjs';

const cues = (text) => `1\n00:00:00,500 --> 00:00:01,500\n${text}\n`;

test('commands that look make no data folder', (t) => {
  const dir = folder(t), typo = path.join(dir, 'typo');
  for (const args of [['titles'], ['deliveries'], ['jobs'], ['findings'], ['requests'], ['user', 'list'], ['partner', 'list'],
    ['store', 'collect', '--dry-run'], ['user', 'remove', 'x'], ['user', 'link', 'x'], ['deliveries', 'again', 'x'],
    ['findings', 'waive', 'x', '--why', 'y', '--until', '2999-01-01']]) {
    const said = marquee([...args, '--data', typo]);
    assert.equal(said.code, 1, args.join(' '));
    assert.match(said.stderr, new RegExp(`there is no data folder ${typo}`), args.join(' '));
    assert.equal(said.stdout, '');
  }
  const doctor = marquee(['doctor', '--data', path.join(typo, 'deep')]);
  assert.equal(doctor.code, 0, doctor.stdout);
  assert.match(doctor.stdout, /there is no data folder .*deep yet; it can be made in /);
  assert.deepEqual(fs.readdirSync(dir), []);
  const file = path.join(dir, 'file');
  fs.writeFileSync(file, '');
  assert.match(marquee(['titles', '--data', file]).stderr, /is no folder/);
  assert.equal(marquee(['doctor', '--data', file]).code, 1);
});

test('what is mistaken is told before work begins', (t) => {
  const dir = folder(t), data = path.join(dir, 'data');
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 2 });
  const srt = path.join(dir, 'a.srt'), policy = path.join(dir, 'policy.yaml');
  fs.writeFileSync(srt, cues('Hello'));
  const wrong = (said, ...args) => {
    const done = marquee([...args, '--data', data]);
    assert.equal(done.code, 2, `${args.join(' ')}: ${done.code} ${done.stderr}`);
    assert.match(done.stderr, said);
  };
  wrong(/no calendar|date/, 'ingest', film, '--waive', 'black', '--why', 'x', '--until', '2027-02-30');
  wrong(/nothing finds 'blak'; is 'black' meant/, 'ingest', film, '--waive', 'blak', '--why', 'x', '--until', '2999-01-01');
  wrong(/not UTF-8/, 'ingest', film, '--captions', `${film}:en`);
  wrong(/neither SubRip/, 'ingest', film, '--captions', `${path.join(root, 'meson.build')}:en`);
  wrong(/no language's tag/, 'ingest', film, '--captions', `${srt}:xx-!!`);
  wrong(/not both/, 'ingest', film, '--captions', `${srt}:en`, '--no-captions');
  wrong(/--email/, 'partner', 'add', 'Acme');
  fs.writeFileSync(policy, 'schema: 1\nrules:\n  - {kind: frozn, verdict: refuse}\n');
  wrong(/rule 1: nothing finds 'frozn'; is 'frozen' meant/, 'ingest', film, '--policy', policy);
  assert.deepEqual(marquee(['jobs', '--data', data, '--json']).json.jobs, []);

  const missing = marquee(['ingest', path.join(dir, 'missing.mp4'), '--data', data]);
  assert.equal(missing.code, 1);
  assert.equal(`${missing.stdout}${missing.stderr}`.match(/missing\.mp4/g).length, 1, missing.stdout + missing.stderr);
});

test('the same bytes keep their title and their captions', (t) => {
  const dir = folder(t), data = path.join(dir, 'data');
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 2 });
  const srt = path.join(dir, 'a.srt'), other = path.join(dir, 'b.srt');
  fs.writeFileSync(srt, cues('Hello'));
  fs.writeFileSync(other, cues('Hallo'));
  const ladder = writeLadder(dir, [120]);
  const ingest = (...more) => marquee(['ingest', film, '--ladder', ladder, '--data', data, '--json', ...more]);
  const titles = () => marquee(['titles', '--data', data, '--json']).json.titles.map((x) => x.name);
  const texts = (result) => {
    const captions = path.join(data, 'media', result.json.films[0].package, 'captions');
    return fs.existsSync(captions) ? fs.readdirSync(captions).filter((f) => /vtt$/.test(f)) : [];
  };

  const first = ingest('--title', 'Good', '--captions', `${srt}:en`);
  assert.equal(first.code, 0, first.stderr);
  const { title_id: id, hls } = first.json.films[0];
  assert.deepEqual(texts(first), ['en.vtt']);

  const renamed = ingest('--title', 'Another');
  assert.equal(renamed.code, 2);
  assert.match(renamed.stderr, new RegExp(`these bytes are "Good" already, title ${id}; --title-id`));
  assert.deepEqual(titles(), ['Good']);

  const same = ingest('--title', 'Good');
  assert.equal(same.code, 0, same.stderr);
  assert.equal(same.json.films[0].reused, true, 'without captions the same wish: they stay');
  assert.equal(same.json.films[0].hls, hls);

  const meant = ingest('--title', 'Another', '--title-id', id, '--captions', `${other}:de`);
  assert.equal(meant.code, 0, meant.stderr);
  assert.deepEqual(texts(meant), ['de.vtt']);
  assert.deepEqual(titles(), ['Another']);

  const bare = ingest('--no-captions');
  assert.equal(bare.code, 0, bare.stderr);
  assert.deepEqual(texts(bare), []);
});

test('a service says where it listens, what it lacks, and who holds the folder', async (t) => {
  const dir = folder(t), data = path.join(dir, 'data');
  const serve = start(['serve', '--data', data, '--port', '0', '--ui', path.join(root, 'ui'), '--base-url', 'https://films.example']);
  t.after(() => serve.kill());
  const [, url] = await serve.said(/listens on (http:\/\/127\.0\.0\.1:\d+) \(reached as https:\/\/films\.example\)/);
  assert.equal((await fetch(`${url}/api/v1/session`)).status < 500, true);
  const refused = await fetch(`${url}/api/v1/home`, { method: 'DELETE' });
  assert.equal((await refused.json()).error.message, 'this address takes GET');
  const second = marquee(['serve', '--data', data, '--port', '0']);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /a service runs on .* already, at https:\/\/films\.example/);
  assert.equal((await serve.kill('SIGTERM')).code, 0);
});

// In a terminal of its own (util-linux): {child, said(pattern), ended}.
function terminal(t, args) {
  // exec: some shells stay, and end by the same Ctrl-C with a status of their own.
  const line = `exec ${[program, ...args].map((a) => `'${a}'`).join(' ')}`;
  const child = spawn('script', ['-qefc', line, '/dev/null'], { env: { ...process.env, TERM: 'xterm' }, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, out })));
  child.stdout.on('data', (d) => { out += d; });
  const said = async (pattern) => {
    while (!pattern.test(out)) {
      const what = await Promise.race([new Promise((r) => child.stdout.once('data', () => r(null))), ended]);
      assert.ok(!what || pattern.test(out), `ended before it said ${pattern}: ${out}`);
    }
  };
  return { child, said, ended };
}

test('on a terminal: what stopped it stays to be read, and what is waited for is named', async (t) => {
  const dir = folder(t), data = path.join(dir, 'data');
  const long = makeFilm(path.join(dir, 'long.mp4'), { seconds: 20, size: '640x360' });
  const short = makeFilm(path.join(dir, 'short.mp4'), { seconds: 2 });
  const slow = path.join(dir, 'slow.yaml');
  fs.writeFileSync(slow, 'segment_ms: 2000\nchunk_ms: 4000\npsnr_floor_db: 20\nvideo:\n'
    + '  - {codec: h264, height: 360, preset: veryslow, crf: 20, max_kbps: 8000, buffer_ms: 2000}\naudio:\n  - {codec: aac, kbps: 64}\n');

  const first = terminal(t, ['ingest', long, '--ladder', slow, '--slots', '1', '--data', data]);
  await first.said(/encode/);
  first.child.stdin.write('\x03');
  const { code, out } = await first.ended;
  assert.equal(code, 1, `ended with ${code}: ${out}`);
  const at = out.indexOf('stopped; the same command goes on from here');
  assert.ok(at > 0 && !out.slice(at).includes('\x1b[J'), 'nothing is cleared behind it');

  const jobs = marquee(['jobs', '--data', data]).stdout.trim().split(/ {2,}/);
  assert.deepEqual(jobs.slice(1, 2).concat(jobs.slice(-2)), ['stopped', 'long.mp4', 'long'], 'nobody works on it');

  const second = terminal(t, ['ingest', short, '--ladder', writeLadder(dir, [120]), '--slots', '1', '--data', data]);
  await second.said(/waits for long\.mp4/);
  second.child.stdin.write('\x03');
  assert.equal((await second.ended).code, 1);
});

test('lists name films and titles, with a head on a terminal only', async (t) => {
  const dir = folder(t), data = path.join(dir, 'data');
  const none = path.join(dir, 'none.mp4');
  fs.writeFileSync(none, 'no film');
  const refused = marquee(['ingest', none, '--title', 'Ünone', '--data', data]);
  assert.equal(refused.code, 3, refused.stderr);
  assert.match(refused.stdout, /No film: This file is no film\. Please/);
  const line = (...args) => marquee([...args, '--data', data]).stdout;
  assert.match(line('titles'), /^[0-9a-f-]{36} {2}film +unpublished +- +Ünone\n$/);
  assert.match(line('deliveries'), /refused +refuse +none\.mp4 +Ünone\n$/);
  assert.match(line('jobs'), /done +100 % +none\.mp4 +Ünone *\n$/);
  assert.match(line('findings'), /open +error +No film +none\.mp4 +Ünone +-\n$/);
  assert.match(line('requests'), /open +1 finding +Ünone\n$/);
  const shown = terminal(t, ['jobs', '--data', data]);
  assert.match((await shown.ended).out, /^ID +STATE +DONE +FILM +TITLE +ERROR\r\n[0-9a-f-]{36} /);

  assert.equal(marquee(['user', 'add', 'ada', '--data', data]).code, 0);
  assert.match(marquee(['user', 'link', 'ada', '--data', data, '--json']).json.link, /^http:\/\/127\.0\.0\.1:8080\/link\//);
  const asked = terminal(t, ['user', 'password', 'ada', '--data', data]);
  await asked.said(/New password: /);
  asked.child.stdin.write('a long password\n');
  await asked.said(/Again: /);
  asked.child.stdin.write('a long password\n');
  const typed = await asked.ended;
  assert.equal(typed.code, 0, typed.out);
  assert.ok(!typed.out.includes('a long password'), 'it is not shown');
  assert.match(marquee(['inspect', none, 'x']).stderr, /'x' is one too many: it takes FILE/);
  assert.match(marquee(['inspect', dir]).stderr, new RegExp(`${dir} is no file`));
  assert.match(marquee(['--help']).stdout, /marquee --version/);
});
