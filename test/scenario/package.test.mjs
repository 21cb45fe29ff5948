// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 4
//
// A film made here, ingested by the program, is sound to foreign eyes; and those eyes see each of
// the faults that are planted in it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkPackage, hasSchema } from './package_check.mjs';
import { faultsOf } from './package_faults.mjs';

const marquee = process.env.MARQUEE;
const ladder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'quick-ladder.yaml');
let scratch, film, folder;

before(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'marquee-package-'));
  const source = path.join(scratch, 'film.mkv'), captions = path.join(scratch, 'words.srt');
  fs.writeFileSync(captions, '1\n00:00:01,000 --> 00:00:03,500\nOne & <i>two</i>\n\n2\n00:00:05,000 --> 00:00:06,000\nthree\n');
  execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=640x360:r=24:d=17',
    '-f', 'lavfi', '-i', 'sine=440:d=17:sample_rate=48000', '-i', captions, '-map', '0', '-map', '1', '-map', '2',
    '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-color_primaries', 'bt709', '-color_trc', 'bt709',
    '-colorspace', 'bt709', '-color_range', 'tv', '-c:a', 'flac', '-c:s', 'srt', source]);
  const done = spawnSync(marquee, ['ingest', source, '--title', 'A test', '--ladder', ladder, '--data', path.join(scratch, 'data'), '--json'],
    { encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(done.status, 0, done.stderr);
  film = JSON.parse(done.stdout).films[0];
  folder = path.dirname(path.join(scratch, 'data', film.hls));
});

after(() => fs.rmSync(scratch, { recursive: true, force: true }));

test('a published package is sound', () => {
  assert.equal(film.state, 'published');
  assert.deepEqual(checkPackage(folder, { frames: 17 * 24 }), []);
});

test('the MPD keeps its schema', { skip: hasSchema() ? false : 'no shared data (MARQUEE_SHARED)' }, () => {
  assert.deepEqual(checkPackage(folder).filter((p) => p.includes('xmllint')), []);
});

test('captions, thumbnails and a poster are there', () => {
  const master = fs.readFileSync(path.join(folder, 'master.m3u8'), 'utf8');
  assert.match(master, /TYPE=SUBTITLES/);
  const vtt = fs.readFileSync(path.join(folder, master.match(/TYPE=SUBTITLES.*URI="([^"]+)\.m3u8"/)[1] + '.vtt'), 'utf8');
  assert.match(vtt, /00:00:01\.000 --> 00:00:03\.500\nOne &amp; <i>two<\/i>\n/);
  assert.match(fs.readFileSync(path.join(folder, 'thumbs/thumbs.vtt'), 'utf8'), /00:00:00\.000 --> .*\nsprite-0\.jpg#xywh=0,0,\d+,\d+\n/);
  assert.equal(fs.readFileSync(path.join(folder, 'poster.jpg')).readUInt16BE(0), 0xffd8);
});

test('every planted fault is seen', () => {
  const master = fs.readFileSync(path.join(folder, 'master.m3u8'), 'utf8');
  const codecs = master.match(/CODECS="(avc1\.[0-9a-f]+)/)[1];
  const video = master.match(/^(h264[^/]*)\/index/m)[1];
  const audio = master.match(/TYPE=AUDIO.*URI="(aac[^/]*)\/index/)[1];
  const missed = Object.entries(faultsOf({ video, audio, codecs }))
    .filter(([name]) => hasSchema() || name !== 'no profiles in the MPD')
    .filter(([, edit]) => checkPackage(folder, { edit }).length === 0).map(([name]) => name);
  assert.deepEqual(missed, []);
});
