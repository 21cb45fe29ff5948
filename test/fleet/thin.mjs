// SPDX-License-Identifier: GPL-3.0-or-later
//
// A recorded run small enough to keep: only the lines that clusters.yaml asks for, repeated times left out, and health
// checks of those that were sick.
//
//   node test/fleet/thin.mjs RUN FILE.br
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { fileURLToPath } from 'node:url';

const asked = /^(t:client\.latency|c:server\.(errors|requests)|m:mem\.rss|C:(cpu|disk)\.seconds|U:net\.sent),/;

export function thin(run) {
  const labels = JSON.parse(fs.readFileSync(path.join(run, 'labels.json'), 'utf8'));
  const kept = [];
  let at = '', told = '';
  for (const line of fs.readFileSync(path.join(run, 'series.lines'), 'utf8').split('\n')) {
    if (line.startsWith('#')) {
      at = line;
    } else if (asked.test(line)) {
      if (at !== told) kept.push(told = at);
      // Ten microseconds are what a tail of milliseconds is told apart by.
      kept.push(line.startsWith('t:') ? line.replace(/[^:]*$/, (v) => Number(v).toFixed(5)) : line);
    }
  }
  const sick = new Set(labels.faults.map((f) => f.server));
  const health = fs.readFileSync(path.join(run, 'health.csv'), 'utf8').split('\n').filter((l) => sick.has(l.split(',')[1]));
  return { labels, health: `${health.join('\n')}\n`, lines: `${kept.join('\n')}\n` };
}

// As truth.mjs left it, but for what nobody asks for.
export function unpack(file, dir) {
  const { labels, health, lines } = JSON.parse(zlib.brotliDecompressSync(fs.readFileSync(file)).toString());
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, 'labels.json'), JSON.stringify(labels));
  fs.writeFileSync(path.join(dir, 'health.csv'), health);
  fs.writeFileSync(path.join(dir, 'series.lines'), lines);
}

// Every run that is kept in `from`, as folders of `dir`.
export function unpackAll(from, dir) {
  return fs.readdirSync(from).filter((f) => f.endsWith('.br')).map((f) => {
    const run = path.join(dir, path.basename(f, '.br'));
    unpack(path.join(from, f), run);
    return run;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = JSON.stringify(thin(process.argv[2]));
  const { BROTLI_PARAM_LGWIN, BROTLI_PARAM_LARGE_WINDOW, BROTLI_PARAM_SIZE_HINT } = zlib.constants;
  fs.writeFileSync(process.argv[3], zlib.brotliCompressSync(text, {
    params: { [BROTLI_PARAM_LGWIN]: 24, [BROTLI_PARAM_LARGE_WINDOW]: 0, [BROTLI_PARAM_SIZE_HINT]: text.length },
  }));
}
