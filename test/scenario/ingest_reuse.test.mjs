// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 5
//
// Two clean runs give the same package; the same film again does nothing; one rung more encodes that
// rung and leaves the bytes of the others; captions beside the film change no picture.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { folder, makeFilm, marquee, published, writeLadder } from './marquee.mjs';

const filesOf = (data, film) => Object.fromEntries(
  JSON.parse(fs.readFileSync(path.join(data, path.dirname(film.hls), 'package.json'), 'utf8')).files.map((f) => [f.path, f.hash]));
const ran = (film) => Object.fromEntries(film.steps.map((s) => [s.name, s.run]));

test('what is known is not made again', (t) => {
  const dir = folder(t);
  // rows of macroblocks that fill no vector: code that reads beyond them meets old memory
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 5, size: '426x240' });
  const ladder = (heights) => { // a preset that looks ahead
    const file = writeLadder(fs.mkdtempSync(path.join(dir, 'l')), heights);
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replaceAll('ultrafast', 'veryfast'));
    return file;
  };
  const small = ladder([120]), large = ladder([120, 240]);
  const ingest = (data, ...more) => {
    const memory = { MALLOC_PERTURB_: data === 'one' ? '1' : '85' }; // what fresh memory holds (mallopt(3))
    const run = marquee(['ingest', film, '--data', path.join(dir, data), '--json', ...more], { env: memory });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.json.schema, 1);
    return run.json.films[0];
  };

  const first = ingest('one', '--ladder', small);
  assert.equal(ingest('two', '--ladder', small).hls, first.hls, 'two clean runs agree');
  for (const r of first.renditions) {
    assert.equal(r.frames, r.kind === 'video' ? 120 : null);
    assert.ok(r.peak_bps >= r.average_bps && r.segments > 0);
  }

  const again = ingest('one', '--ladder', small);
  assert.ok(again.reused);
  assert.equal(again.hls, first.hls);
  assert.ok(again.steps.every((s) => s.run === 0 && s.reused > 0 && s.cpu_us === 0));

  const wider = ingest('one', '--ladder', large);
  const steps = ran(wider);
  for (const kept of ['probe', 'inspect.range', 'inspect.merge', 'encode.audio', 'stills']) assert.equal(steps[kept], 0, kept);
  const before = filesOf(path.join(dir, 'one'), first), after = filesOf(path.join(dir, 'one'), wider);
  for (const [file, hash] of Object.entries(before)) {
    if (/^(h264-120|aac|thumbs|poster)/.test(file)) assert.equal(after[file], hash, file);
  }
  assert.ok(Object.keys(after).some((f) => f.startsWith('h264-240/')));

  const srt = path.join(dir, 'beside.srt');
  fs.writeFileSync(srt, '1\n00:00:01,000 --> 00:00:02,500\nGuten Tag\n');
  const spoken = ingest('one', '--ladder', large, '--captions', `${srt}:de`);
  assert.equal(ran(spoken)['encode.video'], 0);
  const vtt = fs.readFileSync(path.join(dir, 'one', path.dirname(spoken.hls), 'captions/de.vtt'), 'utf8');
  assert.match(vtt, /^WEBVTT/);
  assert.match(vtt, /Guten Tag/);
  assert.equal(published(path.join(dir, 'one')).length, 3);

  const [title] = marquee(['titles', '--data', path.join(dir, 'one'), '--json']).json.titles;
  assert.equal(title.name, 'film');
});
