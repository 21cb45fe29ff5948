// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 15
//
// Files that others use to break players, and files that are no films at all: each ends published,
// or refused with findings that name the fault, as test/golden/expectations.tsv says file by file.
// None crashes the program, hangs it, or leaves half a title.
import test from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { folder, makeFilm, marquee, published, root, shared, writeLadder } from './marquee.mjs';

const films = path.join(shared, 'data/media');
const lines = fs.readFileSync(path.join(root, 'test/golden/expectations.tsv'), 'utf8')
  .split('\n').filter((line) => line && !line.startsWith('#')).map((line) => line.split('\t'));
const expectations = lines.filter(([file]) => file !== 'file')
  .map(([file, expect, kind, reason]) => ({ file, expect, kind, reason }));

function assertEnd(film, expect, kind) {
  if (expect === 'publish') {
    assert.equal(film.state, 'published', `${film.error ?? ''} ${JSON.stringify(film.why)}`);
    assert.ok(film.hls && film.dash && film.renditions.length > 0);
  } else {
    assert.equal(film.state, 'refused', film.error ?? '');
    assert.equal(film.hls, null);
    assert.ok(film.request_id, 'a redelivery is asked for');
    const errors = film.findings.filter((f) => f.severity === 'error').map((f) => f.kind);
    assert.ok(errors.includes(kind), `${kind} is not among ${errors.join(', ')}`);
  }
}

// Every published folder belongs to a published film and holds what it names.
function assertWhole(data, ends) {
  const named = new Set(ends.filter((f) => f.state === 'published').map((f) => f.hls.split('/')[1]));
  assert.deepEqual(published(data), [...named].sort());
  for (const name of named) {
    const dir = path.join(data, 'media', name);
    for (const file of JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')).files) {
      assert.equal(fs.statSync(path.join(dir, file.path)).size, file.bytes, file.path);
    }
  }
}

test('edge and broken files', { skip: fs.existsSync(films) ? false : `${films} is not there` }, async (t) => {
  const dir = folder(t);
  const data = path.join(dir, 'data');
  const here = ['edge', 'broken'].flatMap((d) => fs.readdirSync(path.join(films, d)).map((f) => `${d}/${f}`));
  assert.deepEqual(expectations.map((e) => e.file).sort(), here.sort(), 'the list names every file, and no other');

  const run = marquee(['ingest', '--ladder', writeLadder(dir, [120]), '--data', data, '--json', ...expectations.map((e) => path.join(films, e.file))],
    { timeout: 800000 });
  assert.equal(run.signal, null);
  assert.equal(run.code, 3, run.stderr.slice(-2000));
  assertWhole(data, run.json.films);
  for (const [i, e] of expectations.entries()) {
    await t.test(`${e.file}: ${e.expect} ${e.kind}`, () => assertEnd(run.json.films[i], e.expect, e.kind));
  }
});

test('what is no film', async (t) => {
  const dir = folder(t);
  const data = path.join(dir, 'data');
  const film = fs.readFileSync(makeFilm(path.join(dir, 'whole.mp4'), { seconds: 3 }));
  const file = (name, bytes) => {
    fs.writeFileSync(path.join(dir, name), bytes);
    return path.join(dir, name);
  };
  // a box that claims 4 GiB of header where 64 KiB follow; a header cut in half; half of a film
  const huge = Buffer.alloc(65536);
  huge.writeUInt32BE(24, 0);
  huge.write('ftypisom', 4);
  huge.writeUInt32BE(0xffffff00, 24);
  huge.write('moov', 28);
  const names = {
    'empty.mp4': file('empty.mp4', Buffer.alloc(0)),
    'huge-header.mp4': file('huge-header.mp4', huge),
    'noise.mkv': file('noise.mkv', crypto.createHash('shake256', { outputLength: 100000 }).update('noise').digest()),
    'text.mp4': file('text.mp4', 'This is a letter and no film.\n'.repeat(50)),
    'zeros.ts': file('zeros.ts', Buffer.alloc(188 * 500)),
    'truncated.mp4': file('truncated.mp4', film.subarray(0, Math.floor(film.length / 2))),
    'first-bytes.mp4': file('first-bytes.mp4', film.subarray(0, 40)),
  };
  const run = marquee(['ingest', '--ladder', writeLadder(dir, [120]), '--data', data, '--json', ...Object.values(names)], { timeout: 280000 });
  assert.equal(run.code, 3, run.stderr.slice(-2000));
  for (const [i, name] of Object.keys(names).entries()) {
    await t.test(name, () => {
      const end = run.json.films[i];
      assert.equal(end.state, 'refused', end.error ?? '');
      assert.ok(end.findings.some((f) => f.severity === 'error'), JSON.stringify(end.findings));
    });
  }
  assert.deepEqual(published(data), []);
  for (const name of ['empty.mp4', 'noise.mkv']) {
    const inspected = marquee(['inspect', names[name], '--json']);
    assert.equal(inspected.code, 3);
    assert.equal(inspected.json.verdict, 'refuse');
  }
  assert.equal(marquee(['inspect', path.join(dir, 'absent.mp4')]).code, 1);
  assert.equal(marquee(['ingest', path.join(dir, 'absent.mp4'), '--data', data, '--json']).code, 1);
});
