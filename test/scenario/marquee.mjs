// SPDX-License-Identifier: GPL-3.0-or-later
//
// The program under test, its data folders, and films made for a scenario.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const program = process.env.MARQUEE ?? path.join(root, 'build/release/src/app/marquee');
export const shared = process.env.MARQUEE_SHARED ?? path.resolve(root, '../shared');
export const level = process.env.MARQUEE_LEVEL ?? 'full';

// A folder that is gone after the test.
export function folder(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'marquee-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

// Runs to the end: {code, json, stdout, stderr}.
export function marquee(args, { env = {}, input, timeout = 300000, wrap = [] } = {}) {
  const command = [...wrap, program, ...args];
  const done = spawnSync(command[0], command.slice(1), {
    encoding: 'utf8', input, timeout, maxBuffer: 1 << 28, env: { ...process.env, ...env },
  });
  assert.ifError(done.error);
  let json = null;
  if (args.includes('--json') && done.stdout) json = JSON.parse(done.stdout);
  return { code: done.status, signal: done.signal, json, stdout: done.stdout, stderr: done.stderr };
}

// Starts in a process group of its own, so that all of it can be killed at once.
export function start(args, { env = {}, of = program } = {}) {
  const child = spawn(of, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  let out = '';
  child.stdout.on('data', (d) => { out += d; });
  child.stderr.resume();
  return {
    child, ended,
    output: () => out,
    // until stdout holds this
    async said(pattern) {
      while (!pattern.test(out)) {
        const what = await Promise.race([new Promise((r) => child.stdout.once('data', () => r(null))), ended]);
        assert.ok(!what || pattern.test(out), `ended before it said ${pattern}: ${out}`);
      }
      return out.match(pattern);
    },
    kill(signal = 'SIGKILL') {
      try { process.kill(-child.pid, signal); } catch { /* it has ended */ }
      return ended;
    },
  };
}

// A film out of ffmpeg's generators.
export function makeFilm(file, { seconds = 6, size = '320x240', rate = 24, picture = 'testsrc2', more = [] } = {}) {
  const done = spawnSync('ffmpeg', ['-v', 'error', '-y',
    '-f', 'lavfi', '-i', `${picture}${picture.includes('=') ? ':' : '='}size=${size}:rate=${rate}:duration=${seconds}`,
    '-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`,
    '-c:v', 'libx264', '-preset', 'ultrafast', '-g', String(rate), '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-shortest', ...more, file],
  { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return file;
}

// The same film with bytes of its middle overwritten: pictures that cannot be decoded.
export function damageFilm(from, to) {
  const bytes = fs.readFileSync(from);
  const begin = Math.floor(bytes.length * 0.4);
  const end = Math.min(bytes.length, begin + 6000);
  for (let i = begin; i < end; i++) bytes[i] = (i * 73 + 41) & 255;
  fs.writeFileSync(to, bytes);
  return to;
}

export function writeLadder(dir, heights = [120, 240]) {
  const file = path.join(dir, 'ladder.yaml');
  const rungs = heights.map((h) => `  - {codec: h264, height: ${h}, preset: ultrafast, crf: 28, max_kbps: 800, buffer_ms: 2000}`);
  fs.writeFileSync(file, `segment_ms: 1000\nchunk_ms: 2000\npsnr_floor_db: 20\nvideo:\n${rungs.join('\n')}\naudio:\n  - {codec: aac, kbps: 64}\n`);
  return file;
}

// What is published below a data folder; nothing may be there by halves.
export function published(data) {
  const media = path.join(data, 'media');
  return fs.existsSync(media) ? fs.readdirSync(media).sort() : [];
}
