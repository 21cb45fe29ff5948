// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the suites of a level one after another (they share the machine's cores), shows what fails,
// counts what ran. A suite is a command whose output holds "ok …", "not ok …" and "skip …" lines;
// one that ends badly without saying why counts as one failure.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
process.chdir(root);
const args = process.argv.slice(2);
const level = args.find((a) => a === 'fast' || a === 'long') ?? 'full';
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : '';
const ranks = { fast: 0, full: 1, long: 2 };
const cores = availableParallelism?.() ?? cpus().length;
const shared = process.env.MARQUEE_SHARED ?? path.resolve(root, '../shared');
const env = {
  ...process.env,
  // Peers that are fetched and not installed (deps/peers.sh); and a person's PATH seldom holds nginx, nft and ip.
  PATH: [process.env.PATH, '/usr/sbin', '/sbin', path.join(root, 'build/peers')].join(path.delimiter),
  MARQUEE_SHARED: shared,
  MARQUEE_LEVEL: level,
  MARQUEE: path.join(root, 'build/release/src/app/marquee'),
  MARQUEE_ASAN: path.join(root, 'build/asan/src/app/marquee'),
  ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=1:allocator_may_return_null=1',
  LSAN_OPTIONS: `suppressions=${path.join(root, 'test/check/lsan.supp')}:print_suppressions=0`,
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
};

const totals = { passed: 0, failed: 0, skipped: [], failures: [] };

function run(command, { timeout_s = 600, cwd = root, extra = {}, log } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command[0], command.slice(1), {
      cwd, env: { ...env, ...extra }, stdio: ['ignore', 'pipe', 'pipe'], detached: true,
    });
    let out = '';
    const keep = (data) => { out += data; };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    let timed = false;
    const timer = setTimeout(() => {
      timed = true;
      try { process.kill(-child.pid, 'SIGKILL'); } catch { /* already gone */ }
    }, timeout_s * 1000);
    const finish = (code) => {
      clearTimeout(timer);
      if (log) writeFileSync(log, out);
      resolve({ code: timed ? `no end after ${timeout_s} s` : code, out });
    };
    child.on('error', (e) => { out += `${e.message}\n`; finish(127); });
    child.on('close', (code, signal) => finish(signal ?? code));
  });
}

// Counts a suite's lines into the totals; what failed is shown with the lines below it.
function count(name, { code, out }) {
  let passed = 0, failed = 0;
  const lines = out.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].trim();
    if (/^ok\b/.test(line)) {
      passed++;
    } else if (/^not ok\b/.test(line)) {
      failed++;
      totals.failures.push(`${name}: ${line.replace(/^not ok (\d+ - )?/, '')}`);
      console.log(`  ${line}`);
      for (let k = i + 1; k < lines.length && k < i + 25 && /^(\s{2,}|#)/.test(lines[k]); k++) console.log(`    ${lines[k]}`);
    } else if (/^skip\b/.test(line)) {
      totals.skipped.push(`${name}: ${line.slice(5)}`);
    }
  }
  if (code !== 0 && failed === 0) {
    failed++;
    totals.failures.push(`${name}: ended with ${code}`);
    console.log(lines.slice(-40).map((l) => `    ${l}`).join('\n'));
  }
  totals.passed += passed;
  totals.failed += failed;
  return { passed, failed };
}

async function suite(name, wanted, work) {
  if (ranks[wanted] > ranks[level] || (only && !name.includes(only))) return true;
  const began = Date.now();
  const before = totals.skipped.length;
  let result;
  try {
    result = count(name, await work());
    if (result.passed + result.failed === 0 && totals.skipped.length === before) {
      result = count(name, { code: 0, out: 'not ok no test ran' });
    }
  } catch (e) {
    result = count(name, { code: e.message, out: String(e.stack) });
  }
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const skipped = totals.skipped.length - before;
  console.log(`${result.failed ? 'FAILED' : 'ok    '} ${name}: ${result.passed} passed, ${result.failed} failed` +
    `${skipped ? `, ${skipped} skipped` : ''} (${seconds} s)`);
  return result.failed === 0;
}

// One step that is not a test: what it prints matters only when it fails.
async function step(name, command, options) {
  const began = Date.now();
  const { code, out } = await run(command, options);
  if (code !== 0) {
    console.log(out.split('\n').slice(-60).join('\n'));
    totals.failed++;
    totals.failures.push(`${name}: ended with ${code}`);
    return false;
  }
  console.log(`ok     ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  return true;
}

function file_hash(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

async function npm_ci(folder) {
  const lock = path.join(folder, 'package-lock.json');
  const mark = path.join(folder, 'node_modules/.lock-hash');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === file_hash(lock)) return true;
  const good = await step(`npm ci in ${path.relative(root, folder)}`, ['npm', 'ci', '--no-audit', '--no-fund'], { cwd: folder });
  if (good) writeFileSync(mark, file_hash(lock));
  return good;
}

async function build(name, options, targets = []) {
  const dir = path.join(root, 'build', name);
  if (!existsSync(path.join(dir, 'build.ninja')) &&
      !(await step(`configure ${name}`, ['meson', 'setup', dir, ...options]))) return false;
  return step(`build ${name}`, ['ninja', '-C', dir, '-j', String(cores), ...targets], { timeout_s: 1200 });
}

// cmocka's TAP with the program's name. What it skips is "not ok 3 # SKIP test"; the reason was said in a line before.
function tap_lines(program, out) {
  let why = '';
  return out.split('\n').map((line) => {
    why = line.match(/^\s*SKIPPED: (.*)/)?.[1] ?? why;
    const skipped = line.match(/^\s*(?:not )?ok \d+ # SKIP (.*)/)?.[1];
    if (skipped) return `skip ${program}: ${skipped} # ${why}`;
    return line.replace(/^\s*((?:not )?ok) \d+ - /, `$1 ${program}: `);
  }).join('\n');
}

// What `work` says of each item, in their order; two at once, for each of them is busy on one core.
async function side_by_side(items, work) {
  const said = [];
  let next = 0;
  const one = async () => {
    while (next < items.length) {
      const i = next++;
      said[i] = await work(items[i]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(cores, 2) }, one));
  return { code: 0, out: said.join('') };
}

async function unit_test(test) {
  const more = level === 'long' ? { SERIES_KILLS: '300', SERIES_ROUNDS: '500' } : {};
  const one = await run(test.cmd, { extra: { CMOCKA_MESSAGE_OUTPUT: 'TAP', ...more, ...test.env }, timeout_s: level === 'long' ? 1200 : 300 });
  let out = `${tap_lines(test.name, one.out)}\n`;
  if (!/^\s*(not )?ok /m.test(one.out)) out += `not ok ${test.name}: no test ran\n`;
  if (one.code !== 0 && !/^\s*not ok \d+ - /m.test(one.out)) out += `not ok ${test.name} ended with ${one.code}\n${one.out.split('\n').slice(-25).map((l) => `    ${l}`).join('\n')}\n`;
  return out;
}

// The executables of a build that meson calls tests, with TAP on their output.
async function unit_tests(dir) {
  const listed = await run(['meson', 'introspect', '--tests', dir]);
  if (listed.code !== 0) return listed;
  const tests = JSON.parse(listed.out.slice(listed.out.indexOf('[')));
  return side_by_side(tests.filter((t) => t.suite.some((s) => s.endsWith('unit'))), unit_test);
}

async function fuzz_corpus(dir) {
  let out = '';
  const folder = path.join(root, 'test/fuzz/corpus');
  for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
    const program = path.join(dir, 'test/fuzz', `${name}_replay`);
    const seeds = readdirSync(path.join(folder, name)).map((f) => path.join(folder, name, f));
    if (seeds.length === 0) { out += `not ok ${name}: no seeds\n`; continue; }
    if (!existsSync(program)) { out += `not ok ${name}: no target for this corpus\n`; continue; }
    const { code, out: said } = await run([program, ...seeds], { timeout_s: 120 });
    out += code === 0 ? `ok ${name}: ${seeds.length} inputs\n` : `not ok ${name} ended with ${code}\n${said.split('\n').slice(-25).map((l) => `    ${l}`).join('\n')}\n`;
  }
  return { code: 0, out };
}

const fuzzers = readdirSync(path.join(root, 'test/fuzz')).filter((f) => f.endsWith('_fuzz.c')).sort().map((f) => f.replace('_fuzz.c', ''));

async function fuzz_long(dir, seconds) {
  return side_by_side(fuzzers, async (name) => {
    const found = path.join(dir, 'found', name);
    mkdirSync(found, { recursive: true });
    const corpus = path.join(root, 'test/fuzz/corpus', name);
    const { code, out } = await run([path.join(dir, 'test/fuzz', `${name}_fuzz`), `-max_total_time=${seconds}`,
      '-rss_limit_mb=2048', `-artifact_prefix=${dir}/crash-${name}-`, found, ...(existsSync(corpus) ? [corpus] : [])],
      { timeout_s: seconds + 120 });
    return code === 0 ? `ok fuzz ${name} for ${seconds} s\n` : `not ok fuzz ${name}: ${code}\n${out.split('\n').slice(-40).map((l) => `    ${l}`).join('\n')}\n`;
  });
}

// `// level: full` in the first lines of a test file says from which level on it runs.
function test_files(folder) {
  const dir = path.join(root, folder);
  if (!existsSync(dir)) return [];
  return readdirSync(dir).filter((f) => f.endsWith('.test.mjs')).sort().map((f) => {
    const head = readFileSync(path.join(dir, f), 'utf8').slice(0, 600);
    return {
      file: path.join(folder, f),
      name: `${path.basename(folder)} ${f.replace('.test.mjs', '')}`,
      level: head.match(/^\/\/ level: (fast|full|long)$/m)?.[1] ?? 'full',
      minutes: Number(head.match(/^\/\/ minutes: (\d+)$/m)?.[1] ?? 5),
    };
  });
}

async function node_tests(t) {
  return run(['node', '--test', '--test-reporter', './test/check/reporter.mjs', '--test-reporter-destination', 'stdout', t.file],
    { timeout_s: t.minutes * 60, log: path.join(root, 'build', `${t.name.replace(' ', '-')}.log`) });
}

async function vitest() {
  const report = path.join(root, 'build/vitest.json');
  const done = await run(['npx', 'vitest', 'run', '--reporter=json', `--outputFile=${report}`], { cwd: path.join(root, 'ui') });
  if (!existsSync(report)) return done;
  let out = '';
  for (const file of JSON.parse(readFileSync(report, 'utf8')).testResults) {
    if (file.status === 'failed' && file.assertionResults.length === 0) out += `not ok ${file.name}: ${file.message}\n`;
    for (const t of file.assertionResults) {
      out += t.status === 'passed' ? `ok ${t.fullName}\n`
        : t.status === 'failed' ? `not ok ${t.fullName}\n    ${t.failureMessages.join('\n').split('\n').slice(0, 12).join('\n    ')}\n`
        : `skip ${t.fullName} # ${t.status}\n`;
    }
  }
  return { code: done.code, out };
}

async function main() {
  const began = Date.now();
  mkdirSync(path.join(root, 'build'), { recursive: true });
  if (!existsSync(shared)) console.log(`note: ${shared} is not there; tests that need it say SKIPPED`);

  await suite('lint', 'fast', () => run(['node', 'test/lint/lint.mjs']));
  const asan = await build('asan', ['-Dbuildtype=debugoptimized', '-Db_sanitize=address,undefined', '-Dtests=enabled']);
  const release = await build('release', ['-Dbuildtype=release']);
  if (asan) {
    await suite('unit', 'fast', () => unit_tests('build/asan'));
    await suite('fuzz-corpus', 'fast', () => fuzz_corpus(path.join(root, 'build/asan')));
  }
  // What threads share without locks is looked at by ThreadSanitizer.
  if (ranks[level] >= ranks.full && (!only || 'tsan'.includes(only))) {
    const programs = ['src/meter/meter_threads_test', 'src/telemetry/intake_threads_test', 'src/telemetry/series_threads_test'];
    if (await build('tsan', ['-Dbuildtype=debugoptimized', '-Db_sanitize=thread', '-Dtests=enabled'], programs)) {
      await suite('tsan', 'full', async () => {
        const all = { code: 0, out: '' };
        for (const program of programs) {
          const { code, out } = await run([path.join(root, 'build/tsan', program)], { extra: { CMOCKA_MESSAGE_OUTPUT: 'TAP', TSAN_OPTIONS: 'halt_on_error=1' } });
          all.code ||= code;
          all.out += tap_lines(path.basename(program, '_test'), out);
        }
        return all;
      });
    }
  }
  let pages = true;
  if (existsSync(path.join(root, 'ui/package-lock.json'))) {
    pages = await npm_ci(path.join(root, 'ui'));
    if (pages) {
      await suite('ui types', 'fast', async () => {
        const t = await run(['npx', 'tsc', '--noEmit'], { cwd: path.join(root, 'ui') });
        return { code: t.code, out: t.code === 0 ? 'ok tsc\n' : `not ok tsc\n${t.out.split('\n').map((l) => `    ${l}`).join('\n')}` };
      });
      await suite('ui unit', 'fast', vitest);
      pages = await step('build ui', ['npm', 'run', 'build'], { cwd: path.join(root, 'ui') });
    }
  }
  if (release && asan && pages && (!existsSync(path.join(root, 'test/package-lock.json')) || await npm_ci(path.join(root, 'test')))) {
    for (const t of [...test_files('test/scenario'), ...test_files('test/browser')]) {
      await suite(t.name, t.level, () => node_tests(t));
    }
  }
  if (level === 'long' && (!only || 'fuzz'.includes(only))) {
    if (await build('fuzz', ['-Dfuzz=true', '-Dwerror=false', '-Dbuildtype=debugoptimized', '-Db_lundef=false', '--native-file', 'test/fuzz/clang.ini'],
      fuzzers.map((name) => `test/fuzz/${name}_fuzz`))) {
      await suite('fuzz', 'long', () => fuzz_long(path.join(root, 'build/fuzz'), 90));
    }
  }

  for (const s of totals.skipped) console.log(`SKIPPED ${s}`);
  for (const f of totals.failures) console.log(`FAILED ${f}`);
  console.log(`${level}: ${((Date.now() - began) / 60000).toFixed(1)} minutes`);
  console.log(`${totals.passed} passed, ${totals.failed} failed${totals.skipped.length ? `, ${totals.skipped.length} skipped` : ''}`);
  process.exitCode = totals.failed || totals.passed === 0 ? 1 : 0;
}

await main();
