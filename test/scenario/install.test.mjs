// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
//
// What `meson install` lays down works where it lies: the program finds its pages, man shows the page, bash completes.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { folder, program as built, root, start } from './marquee.mjs';

const build = path.resolve(path.dirname(built), '../..');
const pages = fs.existsSync(path.join(root, 'ui/dist/index.html'));

// The words that bash offers behind `line`.
function completions(script, line) {
  const words = line.split(' ');
  return execFileSync('bash', ['-c', `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _marquee; printf '%s\n' "\${COMPREPLY[@]}"`,
    'bash', script, ...words], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

test('an installed Marquee is whole', async (t) => {
  const dir = folder(t);
  execFileSync('meson', ['install', '-C', build, '--no-rebuild', '--quiet', '--destdir', dir]);
  const prefix = path.join(dir, 'usr/local');
  const program = path.join(prefix, 'bin/marquee');

  await t.test('the man page names every command', () => {
    const man = fs.readFileSync(path.join(prefix, 'share/man/man1/marquee.1'), 'utf8');
    assert.match(man, /^\.TH MARQUEE 1 /);
    const listed = execFileSync(program, ['--help'], { encoding: 'utf8' }).matchAll(/^  ([a-z]+(?: [a-z]+)*)  +[A-Z]/gm);
    const commands = [...listed].map((m) => m[1]);
    assert.ok(commands.length > 15, commands.join());
    for (const command of commands) assert.ok(man.includes(`.SS ${command}\n`), command);
    if (spawnSync('groff', ['--version']).status === 0) {
      const shown = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z', path.join(prefix, 'share/man/man1/marquee.1')], { encoding: 'utf8' });
      assert.equal(shown.stderr, '');
    }
  });

  await t.test('bash completes commands, groups, options and choices', () => {
    const script = path.join(prefix, 'share/bash-completion/completions/marquee');
    const offers = (line, ...wanted) => {
      const have = completions(script, line);
      for (const word of wanted) assert.ok(have.includes(word), `${line}: ${have}`);
      return have;
    };
    offers('marquee ', 'ingest', 'user', 'deliveries');
    assert.deepEqual(completions(script, 'marquee insp'), ['inspect']);
    assert.ok(!offers('marquee user ', 'add', 'list', 'link').includes('ingest'));
    offers('marquee deliveries ', 'again', '--state');
    offers('marquee deliveries --state re', 'received', 'refused', 'review');
    offers('marquee findings waive x --', '--why', '--until');
    offers('marquee user add ada --role ad', 'admin');
  });

  await t.test('serve finds the pages beside the program', { skip: pages ? false : 'ui/dist is not built' }, async (s) => {
    const serve = start(['serve', '--data', path.join(dir, 'data'), '--port', '0'], { of: program });
    s.after(() => serve.kill());
    const [, url] = await serve.said(/listens on (\S+)/);
    const page = await fetch(`${url}/desk/`);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /Marquee desk/);
    assert.equal((await serve.kill('SIGTERM')).code, 0);
  });
});
