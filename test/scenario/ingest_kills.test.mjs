// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 25
//
// kill -9 at many moments of an ingest, of the command alone or of it and all its steps: whatever
// was published is whole, the same command goes on, and the package has the hash of an undisturbed run.
// A moment is a number of changes in the data folder, so that slow machines are killed as fairly as fast.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { folder, level, makeFilm, marquee, published, start, writeLadder } from './marquee.mjs';

const kills = Number(process.env.INGEST_KILLS ?? (level === 'long' ? 300 : 12));

// Numerical Recipes' generator: the same moments in every run.
function sequence(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// Every file that package.json names is there in its size; nothing else has a published name.
function assertWhole(data) {
  for (const name of published(data).filter((n) => !n.startsWith('.'))) {
    const dir = path.join(data, 'media', name);
    const files = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')).files;
    for (const file of files) assert.equal(fs.statSync(path.join(dir, file.path)).size, file.bytes, file.path);
  }
}

// Runs until it ends, or until `moment` changes were seen: then it is killed.
function ingest(args, data, { moment = Infinity, alone = false } = {}) {
  fs.mkdirSync(data, { recursive: true });
  const run = start(args);
  let seen = 0, killed = false;
  const watcher = fs.watch(data, () => {
    seen += 1;
    if (seen >= moment && !killed) {
      killed = true;
      if (alone) run.child.kill('SIGKILL');
      else run.kill('SIGKILL');
    }
  });
  return run.ended.then((end) => {
    watcher.close();
    return { ...end, seen, output: run.output() };
  });
}

test(`${kills} kills and the package is the same`, async (t) => {
  const dir = folder(t);
  const ladder = writeLadder(dir);
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 6, size: '160x120' });
  const args = (data) => ['ingest', film, '--ladder', ladder, '--data', data, '--json'];

  const calm = await ingest(args(path.join(dir, 'calm')), path.join(dir, 'calm'));
  assert.equal(calm.code, 0, calm.output);
  const expected = published(path.join(dir, 'calm'));
  assert.equal(expected.length, 1);

  const random = sequence(20261122);
  let done = 0, round = 0;
  while (done < kills) {
    const data = path.join(dir, `round-${round++}`);
    for (let left = 6; ; left--) {
      const moment = left > 0 && done < kills ? 1 + random(Math.max(calm.seen, 2)) : Infinity;
      const end = await ingest(args(data), data, { moment, alone: random(2) === 1 });
      assertWhole(data);
      if (end.signal === null) {
        assert.equal(end.code, 0, end.output);
        break;
      }
      done += 1;
    }
    assert.deepEqual(published(data), expected);
    const again = marquee(args(data)).json.films[0];
    assert.equal(again.state, 'published');
    assert.ok(again.steps.every((s) => s.run === 0), 'nothing is done twice');
    fs.rmSync(data, { recursive: true, force: true });
  }
  t.diagnostic(`${done} kills in ${round} folders`);
});

test('when the service dies, the command that follows takes over', async (t) => {
  const dir = folder(t);
  const data = path.join(dir, 'data');
  const ladder = writeLadder(dir);
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 8 });
  const serve = start(['serve', '--data', data, '--port', '0']);
  t.after(() => serve.kill());
  await serve.said(/listens on/);
  const run = ingest(['ingest', film, '--ladder', ladder, '--data', data, '--json'], data);
  // the service has begun to work on it: its steps have a folder
  const scratch = path.join(data, 'scratch');
  fs.mkdirSync(scratch, { recursive: true });
  await new Promise((resolve) => {
    const watcher = fs.watch(scratch, () => {
      watcher.close();
      resolve();
    });
    t.after(() => watcher.close());
  });
  await serve.kill('SIGKILL');
  const end = await run;
  assert.equal(end.code, 0, end.output);
  assert.equal(JSON.parse(end.output).films[0].state, 'published');
  assertWhole(data);
});
