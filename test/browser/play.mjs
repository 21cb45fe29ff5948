// SPDX-License-Identifier: GPL-3.0-or-later
//
// Plays a package in headless Chromium and says what was seen.
//
//   node play.mjs (--folder DIR | --url http://host/media/…/) [--player hls|shaka-dash|shaka-hls|all]
//                 [--codec h264|av1|all] [--height N] [--frames N] [--whole | --parts | --switch]
//                 [--rate N]
//
// --whole (the default) plays everything, faster than real time: all frames must be counted, in one buffered
// range, without an error. --parts plays a few seconds at the start, in the middle and at the end.
// --switch plays in real time and takes another rung every 1.5 s.
// One line of JSON a play on stdout; exit 1 when one is not as it must be.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { servePackage } from './server.mjs';

export const players = ['hls', 'shaka-dash', 'shaka-hls'];

export function openBrowser(executable = process.env.CHROMIUM ?? '/usr/bin/chromium') {
  return chromium.launch({
    executablePath: executable,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--autoplay-policy=no-user-gesture-required', '--disable-background-timer-throttling',
      '--disable-renderer-backgrounding', '--mute-audio',
    ],
  });
}

// Runs in the page: starts a player on one fixed rung and leaves `window.seen` to be read.
async function startInPage({ player, manifest, codec, height, audioCodec, forever }) {
  const video = document.getElementById('v');
  const seen = { errors: [], first_ms: null, first_time: null, waits: 0, started: false };
  window.seen = seen;
  const family = { h264: 'avc1', av1: 'av01' }[codec];
  const begun = performance.now();
  video.requestVideoFrameCallback((now, meta) => {
    seen.first_ms = Math.round(performance.now() - begun);
    seen.first_time = meta.mediaTime;
  });
  video.addEventListener('error', () => seen.errors.push(`video ${video.error.message}`));
  // Waiting is a stall unless somebody has just sought.
  let sought = -Infinity;
  video.addEventListener('seeking', () => { sought = performance.now(); });
  // With a film ahead in the buffer it is the machine that is late with its pictures, not the package.
  const isAhead = () => {
    for (let i = 0; i < video.buffered.length; i++)
      if (video.buffered.start(i) <= video.currentTime && video.buffered.end(i) > video.currentTime + 0.3) return true;
    return false;
  };
  video.addEventListener('waiting', () => { seen.waits += seen.started && performance.now() - sought > 1500 && !isAhead() ? 1 : 0; });
  video.addEventListener('playing', () => { seen.started = true; });
  const nearest = (list, heightOf) => list.reduce((best, one) => {
    const far = (t) => (height ? Math.abs(heightOf(t) - height) : heightOf(t));
    return best === null || far(one) < far(best) ? one : best;
  }, null);
  if (player === 'hls') {
    const hls = new Hls({ autoStartLoad: false, backBufferLength: Infinity, ...(forever ? { maxBufferLength: 600 } : {}) });
    window.player = hls;
    hls.on(Hls.Events.ERROR, (_, data) => {
      // On a busy machine the picture may take a moment to come back behind a seek; what stays away fails by not ending.
      const isSlowSeek = !data.fatal && data.details === 'bufferStalledError' && performance.now() - sought < 8000;
      // What hls.js calls off itself behind a seek it reports as "aborted", and asks anew.
      const isOwnAbort = !data.fatal && data.details === Hls.ErrorDetails.INTERNAL_ABORTED;
      if (!isSlowSeek && !isOwnAbort) seen.errors.push(data.details + (data.fatal ? ' fatal' : ''));
    });
    hls.loadSource(manifest);
    hls.attachMedia(video);
    await new Promise((done) => hls.once(Hls.Events.MANIFEST_PARSED, done));
    const fit = hls.levels.filter((l) => !family || (l.videoCodec ?? '').startsWith(family));
    const level = nearest(fit, (l) => l.height);
    if (!level) throw new Error(`no level in ${codec}`);
    seen.codecs = [level.videoCodec, level.audioCodec].join(',');
    seen.height = level.height;
    hls.startLevel = hls.loadLevel = hls.levels.indexOf(level);
    hls.startLoad();
  } else {
    shaka.polyfill.installAll();
    const p = new shaka.Player();
    window.player = p;
    await p.attach(video);
    p.addEventListener('error', (e) => seen.errors.push(`shaka ${e.detail.code} ${e.detail.data?.join(' ')}`));
    p.configure({ abr: { enabled: false }, streaming: { bufferBehind: 100000, ...(forever ? { bufferingGoal: 600 } : {}) },
      ...(family ? { preferredVideo: [{ codec: family }], preferredVideoCodecs: [family] } : {}),
      ...(audioCodec ? { preferredAudioCodecs: [audioCodec] } : {}) });
    await p.load(manifest);
    const fit = p.getVariantTracks().filter((t) => !family || (t.videoCodec ?? '').startsWith(family));
    const track = nearest(fit, (t) => t.height ?? 0);
    if (!track) throw new Error(`no variant in ${codec}`);
    if (!track.active) p.selectVariantTrack(track, true);
    seen.codecs = [track.videoCodec, track.audioCodec].join(',');
    seen.height = track.height;
    seen.texts = p.getTextTracks().length;
    seen.images = p.getImageTracks().length;
  }
  // The first picture is shown before anything plays, so that a busy machine cannot skip it.
  for (let i = 0; seen.first_ms === null && seen.errors.length === 0 && i < 400; i++) {
    await new Promise((done) => setTimeout(done, 25));
  }
  await video.play().catch((e) => seen.errors.push(`play ${e.message}`));
}

// Runs in the page: goes to the next rung of the same codec, by hand.
function switchInPage({ player, codec }) {
  const p = window.player, family = { h264: 'avc1', av1: 'av01' }[codec];
  const is = (c) => !family || (c ?? '').startsWith(family);
  window.seen.switched = (window.seen.switched ?? 0) + 1;
  if (player === 'hls') {
    const fit = p.levels.map((l, i) => [l, i]).filter(([l]) => is(l.videoCodec)).map(([, i]) => i);
    p.loadLevel = fit[(fit.indexOf(p.loadLevel) + 1) % fit.length]; // nextLevel would empty the buffer
  } else {
    const now = p.getVariantTracks().find((t) => t.active);
    const fit = p.getVariantTracks().filter((t) => is(t.videoCodec) && t.language === now.language)
      .sort((a, b) => a.bandwidth - b.bandwidth);
    p.selectVariantTrack(fit[(fit.findIndex((t) => t.id === now.id) + 1) % fit.length], false);
  }
}

function lookInPage() {
  const v = document.getElementById('v');
  const q = v.getVideoPlaybackQuality();
  const buffered = [];
  for (let i = 0; i < v.buffered.length; i++) buffered.push([v.buffered.start(i), v.buffered.end(i)]);
  return { ...window.seen, ended: v.ended, time: v.currentTime, duration: v.duration, paused: v.paused,
    frames: q.totalVideoFrames, dropped: q.droppedVideoFrames, buffered, ready: v.readyState };
}

async function until(page, timeoutMs, isDone) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const state = await page.evaluate(lookInPage);
    if (isDone(state) || Date.now() > end) return state;
    await page.waitForTimeout(60);
  }
}

// In real time, with another rung every 1.5 s.
async function playSwitching(page, options) {
  const end = Date.now() + options.limitMs;
  for (let next = 1.5; ;) {
    const state = await page.evaluate(lookInPage);
    if (state.ended || state.errors.length > 0 || Date.now() > end) return { whole: state };
    if (state.time > next && next < state.duration - 5) {
      await page.evaluate(switchInPage, options);
      next += 1.5;
    }
    await page.waitForTimeout(60);
  }
}

async function playWhole(page, rate, limitMs) {
  await page.evaluate((r) => {
    const v = document.getElementById('v');
    v.playbackRate = r;
    v.addEventListener('ratechange', () => { if (v.playbackRate !== r) v.playbackRate = r; });
  }, rate);
  return { rate, whole: await until(page, limitMs, (s) => s.ended || s.errors.length > 0) };
}

async function seekAndPlay(page, to, seconds) {
  await page.evaluate((t) => {
    const v = document.getElementById('v');
    v.currentTime = t;
    v.play();
  }, to);
  const from = to;
  return until(page, 20000, (s) => s.ended || s.errors.length > 0 ||
    (!s.seeking && s.time >= Math.min(from + seconds, s.duration - 0.01)));
}

async function playParts(page) {
  const start = await until(page, 20000, (s) => s.errors.length > 0 || s.ended || s.time > 2.5);
  const middle = await seekAndPlay(page, start.duration / 2, 2);
  const tail = Math.max(0, start.duration - 2.5);
  await page.evaluate((t) => { document.getElementById('v').currentTime = t; document.getElementById('v').play(); }, tail);
  const end = await until(page, 20000, (s) => s.ended || s.errors.length > 0);
  return { start, middle, end };
}

// What is wrong with what was seen, as texts; none when all is well.
export function judge(seen, { frames } = {}) {
  const wrong = [];
  const last = seen.whole ?? seen.end;
  if (!last) return [seen.failed ?? 'nothing was played'];
  if (last.errors.length > 0) wrong.push(`errors: ${last.errors.slice(0, 3).join('; ')}`);
  if (!last.ended) wrong.push(`stopped at ${last.time} of ${last.duration}`);
  const first = seen.whole ?? seen.start;
  if (first.first_time === null || first.first_time > 0.001) wrong.push(`first picture at ${first.first_time}`);
  if (seen.whole) {
    if (frames && last.frames !== frames) wrong.push(`${last.frames} of ${frames} frames`);
    if (last.buffered.length !== 1) wrong.push(`${last.buffered.length} buffered ranges`);
    if (last.buffered[0]?.[0] > 0.001) wrong.push(`buffered from ${last.buffered[0][0]}`);
  } else {
    if (seen.start.time < Math.min(2.4, seen.start.duration - 0.1)) wrong.push(`the start stalled at ${seen.start.time}`);
    if (seen.start.duration > 8 && seen.middle.time < seen.start.duration / 2 + 1.5) wrong.push(`the middle stalled at ${seen.middle.time}`);
    if (seen.start.duration > 8 && last.frames < 24) wrong.push(`${last.frames} frames`);
  }
  // Faster than real time several players outrun what two cores load: then frames, ranges and the end tell all.
  if (last.waits > 0 && !(seen.rate > 1)) wrong.push(`stalled ${last.waits} times`);
  return wrong;
}

// Plays once. Returns what was seen: {whole} or {start, middle, end}, states of lookInPage.
export async function play(browser, origin, options) {
  const { player, codec = 'all', height = 0, whole = true, switching = false, rate = 4, limitMs = 300000 } = options;
  const page = await browser.newPage({ viewport: { width: 960, height: 540 } });
  const said = [];
  page.on('pageerror', (e) => said.push(String(e)));
  try {
    await page.goto(`${origin}/`);
    await page.evaluate(startInPage, {
      player, codec: codec === 'all' ? null : codec, height, forever: whole && !switching,
      audioCodec: codec === 'av1' ? 'opus' : codec === 'h264' ? 'mp4a' : null,
      manifest: `${origin}/film/${player === 'shaka-dash' ? 'manifest.mpd' : 'master.m3u8'}`,
    });
    const seen = switching ? await playSwitching(page, { player, codec, limitMs })
      : whole ? await playWhole(page, rate, limitMs) : await playParts(page);
    if (said.length > 0) (seen.whole ?? seen.end).errors.push(...said);
    return seen;
  } catch (error) {
    return { failed: `${error}`.split('\n')[0] };
  } finally {
    await page.close();
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' }, url: { type: 'string' }, bearer: { type: 'string' },
      player: { type: 'string', default: 'all' }, codec: { type: 'string', default: 'all' },
      height: { type: 'string', default: '0' }, frames: { type: 'string' },
      whole: { type: 'boolean' }, parts: { type: 'boolean' }, switch: { type: 'boolean' }, rate: { type: 'string', default: '4' },
    },
  });
  const headers = values.bearer ? { authorization: `Bearer ${values.bearer}` } : {};
  const server = await servePackage({ folder: values.folder, url: values.url, headers });
  const browser = await openBrowser();
  let failed = 0;
  for (const player of values.player === 'all' ? players : values.player.split(',')) {
    for (const codec of values.codec.split(',')) {
      const whole = !values.parts;
      const seen = await play(browser, server.origin,
        { player, codec, whole, switching: values.switch, height: Number(values.height), rate: Number(values.rate) });
      // Rungs that are fetched again while switching are decoded again: frames say nothing then.
      const wrong = judge(seen, { frames: values.frames && !values.switch ? Number(values.frames) : 0 });
      failed += wrong.length > 0 ? 1 : 0;
      console.log(JSON.stringify({ player, codec, ok: wrong.length === 0, wrong, seen }));
    }
  }
  await browser.close();
  await server.close();
  process.exitCode = failed > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main();
}
