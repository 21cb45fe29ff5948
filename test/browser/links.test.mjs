// SPDX-License-Identifier: GPL-3.0-or-later
// level: long
// minutes: 15
//
// A film over a link of 0.4, 3 and 120 Mb/s that changes while it plays: picture and sound follow up and
// down, by themselves and by hand, and nothing stalls where the rate allows to play. The players are
// shaka-player, configured as the viewers' page does it, and hls.js.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cannotShape, Link } from './link.mjs';
import { openBrowser } from './play.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const scratch = path.join(root, 'build/links');
const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium';
const skip = fs.existsSync(chromium) ? cannotShape() : `no ${chromium}`;
const seconds = 110;
const rates = { slow: 400e3, middle: 3e6, fast: 120e6 };

const ladder = `segment_ms: 4000
chunk_ms: 24000
psnr_floor_db: 15
video:
  - {codec: h264, height: 144, preset: ultrafast, crf: 30, max_kbps: 200,   buffer_ms: 1500}
  - {codec: h264, height: 216, preset: ultrafast, crf: 26, max_kbps: 800,   buffer_ms: 1500}
  - {codec: h264, height: 288, preset: ultrafast, crf: 24, max_kbps: 1800,  buffer_ms: 1500}
  - {codec: h264, height: 360, preset: ultrafast, crf: 8,  max_kbps: 16000, buffer_ms: 1500}
audio:
  - {codec: aac, kbps: 48}
  - {codec: aac, kbps: 96}
  - {codec: aac, kbps: 192}
`;

let link, browser, origin;

before(async () => {
  if (skip) return;
  fs.rmSync(scratch, { recursive: true, force: true });
  fs.mkdirSync(scratch, { recursive: true });
  const film = path.join(scratch, 'film.mkv'), rungs = path.join(scratch, 'ladder.yaml');
  fs.writeFileSync(rungs, ladder);
  execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', `testsrc2=s=640x360:r=24:d=${seconds}`,
    '-f', 'lavfi', '-i', `anoisesrc=d=${seconds}:r=48000:a=0.1`, '-vf', 'noise=alls=6:allf=t', '-c:v', 'libx264', '-preset', 'ultrafast',
    '-crf', '12', '-g', '96', '-pix_fmt', 'yuv420p', '-color_primaries', 'bt709', '-color_trc', 'bt709', '-colorspace', 'bt709', '-c:a', 'flac', film]);
  const done = spawnSync(process.env.MARQUEE, ['ingest', film, '--title', 'A link', '--ladder', rungs, '--json', '--data', path.join(scratch, 'data')],
    { encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(done.status, 0, done.stderr + done.stdout.slice(0, 2000));
  const folder = path.dirname(path.join(scratch, 'data', JSON.parse(done.stdout).films[0].hls));
  link = new Link(scratch);
  link.open();
  origin = await link.serve([process.execPath, path.join(root, 'test/browser/server.mjs'), '--folder', folder, '--host', link.address]);
  browser = await openBrowser(link.wrapper(chromium));
});

after(async () => {
  await browser?.close();
  link?.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

// Runs in the page.
async function start({ player, manifest }) {
  const video = document.getElementById('v');
  const seen = { errors: [], waits: [], sought: -Infinity };
  window.seen = seen;
  video.addEventListener('seeking', () => { seen.sought = performance.now(); });
  video.addEventListener('waiting', () => {
    if (video.currentTime > 0 && performance.now() - seen.sought > 1500) seen.waits.push(video.currentTime);
  });
  if (player === 'hls') {
    // By itself hls.js fetches a minute ahead: the film would be over before a change is seen. Both players weigh
    // a measurement by how long it took, so that a fast link is believed late: short half-lives mend that.
    const hls = new Hls({ maxBufferLength: 12, maxMaxBufferLength: 12, abrEwmaFastVoD: 0.4, abrEwmaSlowVoD: 1.2 });
    window.player = hls;
    hls.on(Hls.Events.ERROR, (_, d) => { if (d.fatal) seen.errors.push(d.details); });
    hls.loadSource(manifest);
    hls.attachMedia(video);
    await new Promise((done) => hls.once(Hls.Events.MANIFEST_PARSED, done));
    window.shown = () => ({ height: video.videoHeight, loading: hls.levels[hls.loadLevel]?.height, sound: hls.audioTracks[hls.audioTrack]?.groupId });
    window.choose = (height) => { hls.nextLevel = height === null ? -1 : hls.levels.findIndex((l) => l.height === height); };
  } else {
    shaka.polyfill.installAll();
    const p = new shaka.Player();
    window.player = p;
    await p.attach(video);
    p.configure({
      streaming: { bufferingGoal: 16, bufferBehind: 60, rebufferingGoal: 0.5, retryParameters: { maxAttempts: 4, baseDelay: 400 } },
      abr: { enabled: true, defaultBandwidthEstimate: 1e6, switchInterval: 4, advanced: { fastHalfLife: 0.4, slowHalfLife: 1.2 } },
    });
    // A request that is given up and made again is no failure: those are of severity 1.
    p.addEventListener('error', (e) => { if (e.detail.severity > 1) seen.errors.push(`shaka ${e.detail.code}`); });
    await p.load(manifest);
    const active = () => p.getVariantTracks().find((t) => t.active);
    window.shown = () => ({ height: video.videoHeight, loading: active()?.height, sound: active()?.originalAudioId });
    window.choose = (height) => {
      p.configure('abr.enabled', height === null);
      if (height !== null) p.selectVariantTrack(p.getVariantTracks().filter((t) => t.height === height).sort((a, b) => b.bandwidth - a.bandwidth)[0], true, 1);
    };
  }
  await video.play();
}

const look = (page) => page.evaluate(() => {
  const v = document.getElementById('v');
  const ahead = v.buffered.length ? v.buffered.end(v.buffered.length - 1) - v.currentTime : 0;
  return { ...window.shown(), time: v.currentTime, ended: v.ended, ahead, ...window.seen };
});

async function until(page, what, limitS, isDone) {
  const end = Date.now() + limitS * 1000;
  for (;;) {
    const state = await look(page);
    if (isDone(state)) return state;
    assert.ok(Date.now() < end && !state.ended, `${what}: not within ${limitS} s: ${JSON.stringify(state)}`);
    await page.waitForTimeout(100);
  }
}

async function follow(page, player) {
  link.setRate(rates.middle); // the player's scripts are not what is tested
  await page.goto(`${origin}/`);
  link.setRate(rates.slow);
  await page.evaluate(start, { player, manifest: `${origin}/film/${player === 'hls' ? 'master.m3u8' : 'manifest.mpd'}` });

  const slow = await until(page, 'plays on 0.4 Mb/s', 60, (s) => s.time > 12);
  assert.equal(slow.loading, 144, JSON.stringify(slow));
  assert.match(slow.sound, /aac-(48|96)/);
  assert.equal(slow.waits.filter((t) => t > 4).length, 0, `it stalled: ${JSON.stringify(slow)}`);

  link.setRate(rates.middle);
  await until(page, 'climbs on 3 Mb/s', 40, (s) => s.loading === 288 && /aac-(96|192)/.test(s.sound));
  link.setRate(rates.fast);
  const fast = await until(page, 'climbs on 120 Mb/s', 40, (s) => s.loading === 360 && /aac-192/.test(s.sound));
  assert.equal(fast.waits.length, slow.waits.length, `it stalled while the link only grew: ${JSON.stringify(fast)}`);

  link.setRate(rates.middle);
  const down = await until(page, 'comes down to 3 Mb/s', 60, (s) => s.loading <= 288);
  assert.equal(down.waits.length, fast.waits.length, `it stalled: ${JSON.stringify(down)}`);

  link.setRate(rates.fast);
  await page.evaluate(() => window.choose(144));
  await until(page, 'takes the lowest by hand', 15, (s) => s.height === 144);
  await page.evaluate(() => window.choose(360));
  const byHand = await until(page, 'takes the highest by hand', 15, (s) => s.height === 360);
  assert.deepEqual(byHand.errors, []);
}

for (const player of ['shaka-dash', 'hls']) {
  test(`${player} follows the link`, { skip }, async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
    try {
      await follow(page, player);
    } finally {
      await page.close();
    }
  });
}
