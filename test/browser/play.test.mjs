// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 20
//
// Every demo film, ingested by the program with a quick ladder, is sound box by box and plays in Chromium: with hls.js in
// H.264 and AAC, with shaka-player (DASH) in AV1 and Opus. At start, middle and end; `./check long` plays all of it
// with each player and each codec, and every frame must be counted.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkPackage } from '../scenario/package_check.mjs';
import { judge, openBrowser, play } from './play.mjs';
import { servePackage } from './server.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const films = path.join(root, 'build/demo');
const scratch = path.join(root, 'build/play');
const isLong = process.env.MARQUEE_LEVEL === 'long';
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
const skip = fs.existsSync(chromium) ? false : `no ${chromium}`;
let browser, published = [];

function ingest(files) {
  const done = spawnSync(process.env.MARQUEE, ['ingest', ...files, '--json', '--data', path.join(scratch, 'data'),
    '--ladder', path.join(root, 'test/scenario/quick-ladder.yaml')], { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.ok(done.stdout, done.stderr);
  return JSON.parse(done.stdout).films;
}

before(async () => {
  if (skip) return;
  try {
    execFileSync('bash', [path.join(root, 'demo/films.sh'), films], { stdio: 'ignore', timeout: 240000 });
  } catch { /* what cannot be fetched is left out */ }
  const files = fs.existsSync(films) ? fs.readdirSync(films).filter((f) => /\.(mp4|mov|mkv|webm|ogv|mpg|avi)$/.test(f)).sort() : [];
  fs.rmSync(scratch, { recursive: true, force: true });
  fs.mkdirSync(scratch, { recursive: true });
  if (files.length > 0) {
    const made = ingest(files.map((f) => path.join(films, f)));
    published = made.map((film, i) => ({ ...film, name: files[i] }));
  }
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

const plans = isLong
  ? ['hls', 'shaka-dash', 'shaka-hls'].flatMap((player) => ['h264', 'av1'].map((codec) => ({ player, codec, whole: true })))
  : [{ player: 'hls', codec: 'h264', whole: false }, { player: 'shaka-dash', codec: 'av1', whole: false }];

// Films play in real time, so that two at once, each in two players, still leave the machine half idle.
test('demo films play', { skip, concurrency: isLong ? 2 : 4 }, async (t) => {
  if (published.length === 0) {
    t.skip('no demo film could be fetched');
    return;
  }
  const left = [...published];
  const lane = async () => {
    for (let film = left.shift(); film; film = left.shift()) await playFilm(t, film);
  };
  await Promise.all(isLong ? [lane()] : [lane(), lane()]);
});

async function playFilm(t, film) {
  await t.test(`${film.name} is published and sound`, () => {
    assert.equal(film.state, 'published', JSON.stringify(film.findings?.filter((f) => f.severity === 'error').slice(0, 3)));
    const frames = film.renditions.find((r) => r.kind === 'video').frames;
    assert.deepEqual(checkPackage(path.dirname(path.join(scratch, 'data', film.hls)), { frames }), []);
  });
  if (film.state !== 'published') return;
  const server = await servePackage({ folder: path.dirname(path.join(scratch, 'data', film.hls)) });
  const frames = film.renditions.find((r) => r.kind === 'video').frames;
  await Promise.all(plans.map((plan) => t.test(`${film.name} with ${plan.player} in ${plan.codec}`, async () => {
    const seen = await play(browser, server.origin, plan);
    assert.deepEqual(judge(seen, { frames }), [], JSON.stringify(seen));
  })));
  await server.close();
}
