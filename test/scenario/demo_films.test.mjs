// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 4
//
// demo/films.sh against mirrors of its own: Debian packages with the real names and paths and small
// made-up films, read by the real apt. No network; an apt-get of ours stands in where one must die.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { folder, root } from './marquee.mjs';

const script = path.join(root, 'demo/films.sh');
const tools = ['apt-get', 'apt-config', 'dpkg-deb', 'tar', 'xz', 'flock'];
const absent = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
const skip = absent.length ? `no ${absent.join(', ')}` : false;

const list = execFileSync('bash', [script, '--list'], { encoding: 'utf8' }).trim().split('\n').map((line) => {
  const [kind, name, file, here] = line.split(' ');
  return { kind, package: name, file, here: here ?? path.basename(file) };
});
const names = list.map((film) => film.here).sort();
const content = (film) => Buffer.from(`${film.package} ${film.file}\n`.repeat(3000));
const copyright = (name) => `who made ${name}\n`;

const write = (file, bytes) => { fs.mkdirSync(path.dirname(file), { recursive: true }); fs.writeFileSync(file, bytes); };
const hash = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex');
const size = (file) => fs.statSync(file).size;

function binaryPackage(pool, name, films) {
  const tree = path.join(pool, 'tree');
  write(path.join(tree, 'DEBIAN/control'), `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <n@example.org>\nDescription: films\n`);
  write(path.join(tree, 'usr/share/doc', name, 'copyright'), copyright(name));
  for (const film of films) write(path.join(tree, film.file), content(film));
  fs.chmodSync(path.join(tree, 'DEBIAN'), 0o755);
  const deb = path.join(pool, `${name}_1_all.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '-b', tree, deb], { stdio: 'ignore' });
  fs.rmSync(tree, { recursive: true });
  return `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <n@example.org>\nFilename: ./${path.basename(deb)}\n` +
    `Size: ${size(deb)}\nSHA256: ${hash(deb)}\nDescription: films\n\n`;
}

function sourcePackage(pool, name, films) {
  const tree = path.join(pool, 'tree');
  for (const film of films) write(path.join(tree, `${name}-1`, film.file), content(film));
  write(path.join(tree, 'debian/copyright'), copyright(name));
  execFileSync('tar', ['cJf', path.join(pool, `${name}_1.orig.tar.xz`), '-C', tree, `${name}-1`]);
  execFileSync('tar', ['cJf', path.join(pool, `${name}_1-1.debian.tar.xz`), '-C', tree, 'debian']);
  fs.rmSync(tree, { recursive: true });
  write(path.join(pool, `${name}_1-1.dsc`), `Source: ${name}\n`);
  const files = ['1-1.dsc', '1.orig.tar.xz', '1-1.debian.tar.xz'].map((end) => path.join(pool, `${name}_${end}`));
  return `Package: ${name}\nBinary: ${name}\nVersion: 1-1\nMaintainer: Nobody <n@example.org>\nArchitecture: all\nFormat: 3.0 (quilt)\nDirectory: .\n` +
    `Checksums-Sha256:\n${files.map((f) => ` ${hash(f)} ${size(f)} ${path.basename(f)}\n`).join('')}\n`;
}

// A mirror with all films, but for those packages that `without` names.
function mirror(dir, without = []) {
  const pool = path.join(dir, 'mirror');
  fs.mkdirSync(pool, { recursive: true });
  let packages = '', sources = '';
  for (const name of new Set(list.map((film) => film.package))) {
    if (without.includes(name)) continue;
    const films = list.filter((film) => film.package === name);
    if (films[0].kind === 'src') sources += sourcePackage(pool, name, films);
    else packages += binaryPackage(pool, name, films);
  }
  write(path.join(pool, 'Packages'), packages);
  write(path.join(pool, 'Sources'), sources);
  const sums = ['Packages', 'Sources'].map((f) => ` ${hash(path.join(pool, f))} ${size(path.join(pool, f))} ${f}\n`).join('');
  write(path.join(pool, 'Release'), `Suite: test\nCodename: test\nDate: ${new Date(0).toUTCString()}\nSHA256:\n${sums}`);
  return pool;
}

// An /etc/apt of its own; returns the environment that makes apt use it.
function machine(dir, { parts = {}, sourcesList = '' }) {
  const etc = path.join(dir, 'etc');
  fs.rmSync(etc, { recursive: true, force: true });
  for (const [name, text] of Object.entries(parts)) write(path.join(etc, 'sources.list.d', name), text);
  write(path.join(etc, 'sources.list'), sourcesList);
  write(path.join(dir, 'apt.conf'), `Dir::Etc "${etc}";\nDir::State::status "${path.join(dir, 'status')}";\nAPT::Sandbox::User "";\n` +
    'Acquire::Retries "0";\n');
  write(path.join(dir, 'status'), '');
  return { ...process.env, APT_CONFIG: path.join(dir, 'apt.conf') };
}
const deb822 = (pool) => `# the mirror\nTypes: deb\nURIs: file:${pool}\nSuites: ./\nTrusted: yes\n`;

const fetchFilms = (to, env, { from = script, ...more } = {}) => spawnSync('bash', [from, to], { encoding: 'utf8', env, timeout: 120000, ...more });
const films = (to) => fs.readdirSync(to).filter((f) => !/^\.lock$|\.copyright$|\.vtt$/.test(f)).sort();

function assertWhole(to, expected = names) {
  assert.deepEqual(films(to), expected);
  for (const film of list.filter((f) => expected.includes(f.here))) {
    assert.ok(content(film).equals(fs.readFileSync(path.join(to, film.here))), `${film.here} is whole`);
    assert.equal(fs.readFileSync(path.join(to, `${film.here}.copyright`), 'utf8'), copyright(film.package));
  }
}

test('the catalog and the list of films agree, and each title says whose it is', () => {
  const catalog = fs.readFileSync(path.join(root, 'demo/catalog.yaml'), 'utf8');
  const titles = catalog.split(/^ {2}- slug: /m).slice(1);
  const value = (title, key) => title.match(new RegExp(`^    ${key}: "?(.+?)"?$`, 'm'))?.[1];
  assert.deepEqual(titles.map((t) => value(t, 'file')).filter(Boolean).sort(), names);
  assert.equal(new Set(names).size, names.length);
  for (const title of titles) {
    for (const key of ['name', 'synopsis', 'credit', 'licence', 'licence_url', 'source_url']) assert.ok(value(title, key), `${title.split('\n')[0]}: ${key}`);
  }
  for (const file of catalog.match(/(?<=captions: \[\{file: )[^,]+/g)) assert.ok(fs.existsSync(path.join(root, 'demo', file)), file);
  const page = fs.readFileSync(path.join(root, 'docs/demo-films.md'), 'utf8');
  for (const name of new Set(list.map((film) => film.package))) assert.ok(page.includes(name), `docs/demo-films.md: ${name}`);
});

test('all films from *.sources, and nothing is asked again', { skip }, (t) => {
  const dir = folder(t);
  const to = path.join(dir, 'films');
  const env = machine(dir, { parts: { 'debian.sources': deb822(mirror(dir)) } });
  const first = fetchFilms(to, env);
  assert.equal(first.status, 0, first.stderr);
  assertWhole(to);
  assert.ok(fs.existsSync(path.join(to, 'two-screens.en.vtt')), 'our captions are beside the films');
  assert.ok(!fs.existsSync(path.join(to, '.work')), 'no lists and packages stay');

  const times = names.map((name) => fs.statSync(path.join(to, name)).mtimeNs);
  write(path.join(dir, 'bin/apt-get'), '#!/bin/sh\necho asked >&2\nexit 1\n');
  fs.chmodSync(path.join(dir, 'bin/apt-get'), 0o755);
  const second = fetchFilms(to, { ...env, PATH: `${path.join(dir, 'bin')}:${env.PATH}` });
  assert.equal(second.status, 0, second.stderr);
  assert.equal(second.stderr, '');
  assert.deepEqual(names.map((name) => fs.statSync(path.join(to, name)).mtimeNs), times);
});

test('all films from sources.list, into a folder with a blank, without root', { skip }, (t) => {
  const dir = folder(t);
  const to = path.join(dir, 'the films');
  const line = `[trusted=yes] file:${mirror(dir)} ./`;
  const env = machine(dir, { sourcesList: `# comment\ndeb cdrom:[Debian 12]/ bookworm main\ndeb ${line}\n#deb file:/nowhere ./\ndeb-src ${line}\n` });
  fs.mkdirSync(to);
  const who = {};
  if (process.getuid() === 0) {
    fs.chmodSync(dir, 0o755);
    fs.chownSync(to, 65534, 65534);
    fs.cpSync(path.dirname(script), path.join(dir, 'demo'), { recursive: true }); // where everybody may read
    Object.assign(who, { uid: 65534, gid: 65534, cwd: '/', from: path.join(dir, 'demo/films.sh') });
  }
  const run = fetchFilms(to, env, who);
  assert.equal(run.status, 0, run.stderr);
  assert.doesNotMatch(run.stderr, /not all|cannot/);
  assertWhole(to);
});

test('what is away or damaged is named, the rest is fetched, and the next run gets it', { skip }, (t) => {
  const dir = folder(t);
  const to = path.join(dir, 'films');
  const pool = mirror(dir, ['renpy-demo']);
  const damaged = path.join(pool, 'python3-imageio_1_all.deb');
  const good = fs.readFileSync(damaged);
  fs.writeFileSync(damaged, good.subarray(0, good.length / 2));
  const parts = { 'debian.sources': deb822(pool), 'other.sources': 'Types: deb\nURIs: http://127.0.0.1:1/\nSuites: ./\nTrusted: yes\n' };
  const env = machine(dir, { parts });
  const run = fetchFilms(to, env);
  assert.equal(run.status, 1);
  assert.match(run.stderr, /not all package lists can be had: .*127\.0\.0\.1/);
  assert.match(run.stderr, /cannot get renpy-demo: .*renpy-demo/);
  assert.match(run.stderr, /cannot get python3-imageio: ./);
  assert.match(run.stderr, /could not be had: 2;/);
  assertWhole(to, names.filter((name) => !['oa4_launch.webm', 'cockatoo.mp4'].includes(name)));

  fs.rmSync(pool, { recursive: true });
  mirror(dir);
  const again = fetchFilms(to, env);
  assert.equal(again.status, 0, again.stderr);
  assert.deepEqual(again.stderr.match(/(?<=fetching )\S+$/gm).sort(), ['python3-imageio', 'renpy-demo']);
  assertWhole(to);
});

test('a film that its package no longer has is named, its neighbours come', { skip }, (t) => {
  const dir = folder(t);
  const to = path.join(dir, 'films');
  const gone = list.find((film) => film.here === 'movie-hello.mp4');
  const kept = list.splice(list.indexOf(gone), 1);
  const pool = mirror(dir);
  list.push(...kept);
  const run = fetchFilms(to, machine(dir, { parts: { 'a.sources': deb822(pool) } }));
  assert.equal(run.status, 1);
  assert.match(run.stderr, /forensics-samples-files has no whole .*movie-hello\.mp4: tar: .*Not found/);
  assertWhole(to, names.filter((name) => name !== gone.here));
  assert.ok(!fs.existsSync(path.join(to, `${gone.here}.copyright`)));
});

test('no network at all is said at once and leaves nothing', { skip }, (t) => {
  const dir = folder(t);
  const to = path.join(dir, 'films');
  const env = machine(dir, { parts: { 'debian.sources': 'Types: deb\nURIs: http://127.0.0.1:1/debian\nSuites: ./\nTrusted: yes\n' } });
  const run = fetchFilms(to, env);
  assert.equal(run.status, 1);
  assert.match(run.stderr, /not all package lists can be had: Failed to fetch http:\/\/127\.0\.0\.1:1/);
  assert.match(run.stderr, /no package list, so no film/);
  assert.match(run.stderr, new RegExp(`could not be had: ${names.length};`));
  assert.equal(run.stderr.trim().split('\n').length, 4, 'said once, not film by film');
  assert.deepEqual(films(to), []);
});

test('a download that is killed leaves no half film, and the next run goes on', { skip }, (t) => {
  const dir = folder(t);
  const to = path.join(dir, 'films');
  const env = machine(dir, { parts: { 'debian.sources': deb822(mirror(dir)) } });
  const real = execFileSync('sh', ['-c', 'command -v apt-get'], { encoding: 'utf8' }).trim();
  // at the package with two films: half of it under its last name, then everybody dies
  write(path.join(dir, 'bin/apt-get'), `#!/bin/bash
case "$*" in
  *"download forensics-samples-files"*)
    head -c 2000 "${dir}/mirror/forensics-samples-files_1_all.deb" >forensics-samples-files_1_all.deb
    printf half >"${to}/.movie-hello.mp4.part"
    kill -KILL $PPID; exit 1 ;;
esac
exec ${real} "$@"
`);
  fs.chmodSync(path.join(dir, 'bin/apt-get'), 0o755);
  const killed = fetchFilms(to, { ...env, PATH: `${path.join(dir, 'bin')}:${env.PATH}` });
  assert.equal(killed.signal, 'SIGKILL');
  const before = list.slice(0, list.findIndex((film) => film.package === 'forensics-samples-files')).map((film) => film.here).sort();
  assertWhole(to, [...before, '.work', '.movie-hello.mp4.part'].sort());

  const next = fetchFilms(to, env);
  assert.equal(next.status, 0, next.stderr);
  assertWhole(to);
});
