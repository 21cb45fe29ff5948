// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 5
//
// A full disk fails a delivery and loses nothing that was published; with room again the same
// command goes on. The disk is a small tmpfs in a mount namespace of its own.
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { folder, makeFilm, program, writeLadder } from './marquee.mjs';

const canMount = spawnSync('unshare', ['-m', 'true']).status === 0;

// Everything that needs the mount happens in one shell below unshare; it prints JSON lines.
const script = `
set -u
disk=$1 marquee=$2 ladder=$3 first=$4 second=$5
mount -t tmpfs -o size=64m marquee "$disk"
data=$disk/data
run() { "$marquee" ingest "$1" --ladder "$ladder" --data "$data" --json >"$2.json" 2>"$2.err"; echo "$2 $?"; }
run "$first" "$6/first"
# all but a little is taken
dd if=/dev/zero of="$disk/fill" bs=64k 2>/dev/null
truncate -s -$((256 * 1024)) "$disk/fill"
run "$second" "$6/full"
find "$data/media" -mindepth 1 -maxdepth 1 >"$6/while-full"
cp -r "$data/media" "$6/media-while-full"
rm "$disk/fill"
run "$first" "$6/again"
run "$second" "$6/second"
ls "$data/media" >"$6/after"
`;

test('a full disk loses nothing published', { skip: canMount ? false : 'needs unshare -m (root)' }, (t) => {
  const dir = folder(t);
  const disk = path.join(dir, 'disk');
  fs.mkdirSync(disk);
  const first = makeFilm(path.join(dir, 'first.mp4'), { seconds: 3, size: '160x120' });
  const second = makeFilm(path.join(dir, 'second.mp4'), { seconds: 10, size: '640x480', more: ['-qp', '10'] });
  const done = spawnSync('unshare', ['-m', 'bash', '-c', script, 'bash', disk, program, writeLadder(dir), first, second, dir],
    { encoding: 'utf8', timeout: 280000 });
  assert.equal(done.status, 0, done.stderr);
  const code = (name) => Number(done.stdout.match(new RegExp(`/${name} (\\d+)`))[1]);
  const film = (name) => JSON.parse(fs.readFileSync(path.join(dir, `${name}.json`), 'utf8')).films[0];

  assert.equal(code('first'), 0, fs.readFileSync(path.join(dir, 'first.err'), 'utf8'));
  assert.equal(code('full'), 1, 'the second film does not fit');
  const whileFull = fs.readFileSync(path.join(dir, 'while-full'), 'utf8').trim().split('\n').filter((p) => !path.basename(p).startsWith('.'));
  assert.equal(whileFull.length, 1, 'what was published stays, nothing by halves');
  const saved = path.join(dir, 'media-while-full', path.basename(whileFull[0]));
  for (const file of JSON.parse(fs.readFileSync(path.join(saved, 'package.json'), 'utf8')).files) {
    assert.equal(fs.statSync(path.join(saved, file.path)).size, file.bytes);
  }
  assert.equal(code('again'), 0);
  assert.ok(film('again').reused);
  assert.equal(code('second'), 0, fs.readFileSync(path.join(dir, 'second.err'), 'utf8'));
  assert.equal(film('second').state, 'published');
  assert.equal(fs.readFileSync(path.join(dir, 'after'), 'utf8').trim().split('\n').length, 2);
});
