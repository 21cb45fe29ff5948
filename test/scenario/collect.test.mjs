// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 2
//
// After everything that may go is gone, what was published plays on, its report is there, the same film is
// known, and a new wish makes anew what it needs.
import test from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { folder, makeFilm, marquee, published, writeLadder } from './marquee.mjs';

const all = (dir) => fs.readdirSync(dir, { recursive: true, withFileTypes: true })
  .filter((e) => e.isFile()).map((e) => path.join(e.parentPath ?? e.path, e.name));

// Every file of a package has the bytes that package.json names.
function whole(data, film) {
  const root = path.join(data, path.dirname(film.hls));
  const { files } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  assert.ok(files.length > 5);
  for (const f of files) {
    const bytes = fs.readFileSync(path.join(root, f.path));
    assert.equal(createHash('sha256').update(bytes).digest('hex'), f.hash, f.path);
  }
}

test('collecting takes nothing that is needed', (t) => {
  const dir = folder(t), data = path.join(dir, 'data');
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 4 });
  const small = writeLadder(fs.mkdtempSync(path.join(dir, 'l')), [120]);
  const large = writeLadder(fs.mkdtempSync(path.join(dir, 'l')), [120, 240]);
  const run = (...args) => {
    const done = marquee([...args, '--data', data, '--json']);
    assert.equal(done.code, 0, done.stderr);
    return done.json;
  };
  const ingest = (ladder) => run('ingest', film, '--ladder', ladder).films[0];

  const first = ingest(small);
  const second = ingest(large); // supersedes it
  assert.equal(published(data).length, 2);
  const fresh = run('store', 'collect');
  assert.deepEqual([fresh.results, fresh.packages, fresh.files, fresh.bytes], [0, 0, 0, 0], 'all of it is young');

  // Some days later, and with nothing kept that need not be.
  const before = all(path.join(data, 'blobs'));
  const then = new Date(Date.now() - 5 * 86400e3);
  for (const f of before) fs.utimesSync(f, then, then);
  const asked = run('store', 'collect', '--keep-days', '0', '--dry-run');
  assert.equal(all(path.join(data, 'blobs')).length, before.length, 'asking takes nothing');
  const made = run('store', 'collect', '--keep-days', '0');
  assert.deepEqual({ ...made, dry_run: true }, asked, 'what was promised is what was done');
  assert.ok(made.results > 10 && made.files > 10 && made.bytes > 0);
  assert.equal(made.packages, 0, 'a viewer may have begun the older one just now');

  whole(data, first);
  whole(data, second);
  const again = ingest(large);
  assert.ok(again.reused);
  assert.equal(again.hls, second.hls);
  assert.equal(again.findings.length, second.findings.length, 'the report is read from its blob');

  const back = ingest(small);
  assert.ok(back.steps.some((s) => s.run > 0), 'what was forgotten is made again');
  assert.equal(back.hls, first.hls, 'and is the same');
  whole(data, back);

  // A package's folder that somebody removed by hand: what it takes is told, and does it.
  fs.rmSync(path.join(data, path.dirname(back.hls)), { recursive: true });
  const gone = marquee(['ingest', film, '--data', data, '--json', '--ladder', small]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /marquee deliveries again/);
  const { deliveries } = run('deliveries');
  assert.equal(deliveries.length, 1);
  assert.equal(marquee(['deliveries', 'again', deliveries[0].id, '--data', data]).code, 0);
  whole(data, back);
});
