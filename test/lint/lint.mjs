// SPDX-License-Identifier: GPL-3.0-or-later
// What a script can see of the house rules. Prints "ok rule" or "not ok rule" with file:line below.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n').filter((f) => f && existsSync(f));
const text = new Map();
const read = (f) => {
  if (!text.has(f)) text.set(f, readFileSync(f, 'utf8'));
  return text.get(f);
};
const lines = (f) => read(f).split('\n');
const c_files = files.filter((f) => /\.[ch]$/.test(f));
const ts_files = files.filter((f) => /\.(ts|tsx|mjs)$/.test(f));
const code = [...c_files, ...ts_files, ...files.filter((f) => /\.(css|sh)$/.test(f))];

function rule(name, check) {
  const wrong = [];
  check((file, line, why) => wrong.push(`    ${file}:${line}: ${why}`));
  console.log(wrong.length ? `not ok ${name}\n${wrong.slice(0, 20).join('\n')}` : `ok ${name}`);
  if (wrong.length) process.exitCode = 1;
}

// C text without comments and literals, line numbers kept, so that prose is not taken for code.
function bare(source) {
  return source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g,
    (m) => m.startsWith('"') ? '""' : m.startsWith("'") ? "' '" : m.replace(/[^\n]/g, ''));
}

const floors = {
  base: 0, meter: 1, media: 1, store: 2, http: 2, bus: 3, flow: 4, telemetry: 4, account: 4, trust: 4,
  catalog: 5, viewing: 5, ingest: 6, taste: 6, delivery: 6, insight: 6, trial: 6,
  region: 7, watch: 7, lab: 7, studio: 7, app: 8,
};

rule('rooms include lower floors only, through one header', (bad) => {
  for (const f of c_files.filter((f) => f.startsWith('src/'))) {
    const own = f.split('/')[1];
    if (!(own in floors)) bad(f, 1, `${own} is no room`);
    lines(f).forEach((line, i) => {
      const m = line.match(/^#include "([a-z]+)\/([a-z0-9_]+)\.h"/);
      if (!m) {
        const local = line.match(/^#include "([a-z_]+\.h)"/)?.[1]; // made by the build: not in the tree
        if (/^#include "/.test(line) && (!local || files.some((g) => g.endsWith(`/${local}`)))) bad(f, i + 1, 'include "room/name.h"');
        return;
      }
      const [, room, header] = m;
      if (room === own) return;
      if (!(room in floors) || floors[room] >= floors[own]) bad(f, i + 1, `${own} (floor ${floors[own]}) includes ${room} (floor ${floors[room]})`);
      else if (header !== room && room !== 'base') bad(f, i + 1, `${room}/${header}.h is private to ${room}`);
    });
  }
});

rule('no banned call', (bad) => {
  const banned = /\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gmtime|localtime|ctime|system|popen|gets|tmpnam|mktemp|rand|srand|alloca)\s*\(/;
  for (const f of c_files) {
    bare(read(f)).split('\n').forEach((line, i) => {
      const m = line.match(banned);
      if (m) bad(f, i + 1, `${m[1]} is banned`);
    });
  }
});

rule('no SQL, JSON, XML or HTML by formatting', (bad) => {
  for (const f of c_files.filter((f) => f.startsWith('src/'))) {
    const source = read(f);
    for (const m of source.matchAll(/\b(?:buf_|cstr_|arena_|sn|vsn|as|f)?printf\s*\(([^;]*?);/g)) {
      const literal = (m[1].match(/"(?:\\.|[^"\\])*"/g) ?? []).join('');
      const at = source.slice(0, m.index).split('\n').length;
      if (/\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|PRAGMA)\b/.test(literal)) bad(f, at, 'SQL is bound, not formatted');
      else if (f.endsWith('_test.c')) continue; // what a foreign client would send
      else if (/[{,]\s*\\"[a-z_]+\\"\s*:/.test(literal)) bad(f, at, 'JSON goes through jansson');
      else if (/<\/?[a-zA-Z][a-zA-Z0-9:]*[ >\/]/.test(literal) && /%[0-9.*lhz]*[sdiuf]/.test(literal) && !/^"usage/.test(literal)) bad(f, at, 'markup goes through a writer');
    }
  }
});

rule('kinds of findings have the same words at the desk, in mails and commands', (bad) => {
  const table = 'src/ingest/kinds.c', desk = 'ui/src/desk/text.ts';
  const words = Object.fromEntries([...read(desk).matchAll(/'kind\.([a-z_]+)': '([^']*)'/g)].map((m) => [m[1], m[2]]));
  const kinds = Object.fromEntries([...read(table).matchAll(/\{"([a-z_]+)", "([^"]*)"\}/g)].map((m) => [m[1], m[2]]));
  if (Object.keys(kinds).length < 50) bad(table, 1, 'the table of kinds is not where it was');
  for (const kind of Object.keys(kinds)) {
    if (words[kind] !== kinds[kind]) bad(table, 1, `${kind}: '${kinds[kind]}', at the desk '${words[kind]}'`);
  }
});

rule('names say something', (bad) => {
  for (const f of files) {
    if (/(^|\/)(utils?|helpers?|common|misc|manager)\.(c|h|ts|tsx|mjs)$/.test(f) || /_v2\./.test(f)) bad(f, 1, 'find the real name');
  }
});

rule('nothing unfinished', (bad) => {
  for (const f of code.filter((f) => !f.startsWith('test/lint/'))) {
    lines(f).forEach((line, i) => {
      if (/\b(TODO|FIXME|XXX|not implemented)\b/.test(line)) bad(f, i + 1, 'unfinished');
    });
  }
});

rule('files are at most 800 lines', (bad) => {
  for (const f of [...c_files, ...ts_files, ...files.filter((f) => /\.(css|sh)$/.test(f))]) {
    const n = lines(f).length - 1;
    if (n > 800) bad(f, n, `${n} lines: the design is asking for another name`);
  }
});

rule('functions are at most 70 lines', (bad) => {
  for (const f of c_files.filter((f) => f.endsWith('.c'))) {
    const all = lines(f);
    let start = -1, table = -1, tables = 0; // tables inside do not count
    all.forEach((line, i) => {
      if (line === '{' && i > 0 && /[)a-z]$/.test(all[i - 1])) [start, tables] = [i, 0];
      if (start >= 0 && /^    (static )?const .*\{$/.test(line)) table = i;
      if (table >= 0 && /^    \}.*;$/.test(line)) [tables, table] = [tables + i - table, /= \{$/.test(line) ? i : -1];
      if (line === '}' && start >= 0) {
        const length = i - start - tables;
        if (length > 70) bad(f, start + 1, `${length} lines`);
        start = -1;
      }
    });
  }
});

rule('each file names its licence', (bad) => {
  for (const f of [...code, ...files.filter((f) => ['check', 'run', '.ci/run', 'meson.build'].includes(f))]) {
    const head = lines(f).slice(0, 3).join('\n');
    const licence = head.match(/SPDX-License-Identifier: (\S+)/)?.[1];
    const wanted = f.startsWith('src/meter/') || f.startsWith('ui/src/beacon') ? 'Apache-2.0' : 'GPL-3.0-or-later';
    if (licence !== wanted) bad(f, 1, `SPDX-License-Identifier: ${wanted}`);
  }
});

rule('includes are guarded', (bad) => {
  for (const f of c_files.filter((f) => f.startsWith('src/') && f.endsWith('.h'))) {
    if (!/^#(ifndef|include|define)/m.test(read(f))) continue; // a table of macro calls, expanded where it is included
    const guard = f.slice(4).replace(/[/.]/g, '_').toUpperCase();
    if (!read(f).includes(`#ifndef ${guard}\n#define ${guard}\n`)) bad(f, 1, `guard ${guard}`);
  }
});

rule('no registry host in a lock file', (bad) => {
  for (const f of files.filter((f) => f.endsWith('package-lock.json'))) {
    lines(f).forEach((line, i) => {
      if (/"resolved": "https?:/.test(line)) bad(f, i + 1, 'set omit-lockfile-registry-resolved=true');
    });
  }
});

rule('every fuzz target has seeds and every corpus a target', (bad) => {
  const targets = new Set(files.filter((f) => /^test\/fuzz\/.*_fuzz\.c$/.test(f)).map((f) => f.slice(10, -7)));
  const corpora = new Set(files.filter((f) => f.startsWith('test/fuzz/corpus/')).map((f) => f.split('/')[3]));
  for (const t of targets) if (!corpora.has(t)) bad(`test/fuzz/${t}_fuzz.c`, 1, `no seeds in corpus/${t}`);
  for (const c of corpora) if (!targets.has(c)) bad(`test/fuzz/corpus/${c}`, 1, 'no target');
  const built = read('test/fuzz/meson.build');
  for (const t of targets) if (!built.includes(`'${t}'`)) bad('test/fuzz/meson.build', 1, `${t} is not built`);
});

// A finding is named where it is made, as a literal before its severity, and in the list of what files end in.
rule('every kind of finding has words at the desk', (bad) => {
  const table = read('src/ingest/kinds.c');
  const words = read('ui/src/desk/text.ts');
  const known = (kind) => words.includes(`'kind.${kind}':`);
  let seen = 0;
  const check = (f, line, kind) => {
    seen++;
    if (!table.includes(`{"${kind}", "`)) bad(f, line, `${kind} is not in src/ingest/kinds.c`);
    if (!known(kind)) bad(f, line, `${kind} has no 'kind.${kind}' in ui/src/desk/text.ts`);
  };
  for (const f of c_files.filter((f) => /^src\/(media|ingest|app)\//.test(f) && !f.endsWith('_test.c'))) {
    const source = read(f);
    for (const m of source.matchAll(/"([a-z_]+)",\s*FINDING_(?:INFO|WARNING|ERROR)\b/g)) {
      if (!['info', 'warning', 'error'].includes(m[1])) check(f, source.slice(0, m.index).split('\n').length, m[1]);
    }
  }
  lines('test/golden/expectations.tsv').slice(1).forEach((line, i) => {
    const kind = line.split('\t')[2];
    if (kind && kind !== '-') check('test/golden/expectations.tsv', i + 2, kind);
  });
  if (seen < 40) bad('test/lint/lint.mjs', 1, `found only ${seen} names of findings`);
});

// The table says "`marquee.flow.steps.running`, `.waiting`": what begins with a point replaces the last word.
rule('every metric is in docs/rooms/meter.md, and what is there is sent', (bad) => {
  const table = 'docs/rooms/meter.md';
  const listed = new Map();
  lines(table).forEach((line, i) => {
    const column = line.match(/^\| (`marquee\.[^|]*)\|/)?.[1];
    let first = '';
    for (const [, name] of column?.matchAll(/`([a-z.]+)`/g) ?? []) {
      first = name.startsWith('.') ? first : name;
      listed.set(name.startsWith('.') ? first.replace(/\.[a-z]+$/, name) : name, i + 1);
    }
  });
  const sent = new Set(['rss', 'cpu', 'files', 'threads', 'meter.lost', 'meter.refused'].map((n) => `marquee.process.${n}`));
  for (const f of c_files.filter((f) => /^src\//.test(f) && !f.endsWith('_test.c'))) {
    lines(f).forEach((line, i) => {
      for (const [, name] of line.matchAll(/"(marquee\.[a-z]+\.?[a-z.]*)"/g)) {
        if (name === 'marquee.process') continue; // the beginning of those
        sent.add(name);
        if (!listed.has(name)) bad(f, i + 1, `${name} is not in ${table}`);
      }
    });
  }
  for (const [name, line] of listed) if (!sent.has(name)) bad(table, line, `${name} is sent by nobody`);
  if (listed.size < 20) bad(table, 1, 'the table is not where it was');
});

rule('an ADR is at most 40 lines', (bad) => {
  for (const f of files.filter((f) => f.startsWith('docs/adr/'))) {
    if (lines(f).length > 41) bad(f, 41, `${lines(f).length} lines`);
  }
});

rule('C is formatted', (bad) => {
  try {
    execFileSync('clang-format', ['--dry-run', '-Werror', ...c_files], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (e) {
    for (const m of String(e.stderr).matchAll(/^(\S+):(\d+):\d+: error/gm)) bad(m[1], Number(m[2]), 'clang-format -i');
    if (!e.stderr) bad('clang-format', 1, e.message);
  }
});
