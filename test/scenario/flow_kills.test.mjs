// SPDX-License-Identifier: GPL-3.0-or-later
// level: long
// minutes: 15
// Hundreds of kill -9 of executors at random moments, with toy steps: see src/flow/flow_kills_test.c.
// The sanitised build; ingest_kills kills the released program.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const kills = process.env.FLOW_KILLS ?? '300';

const program = process.env.MARQUEE_ASAN && path.resolve(path.dirname(process.env.MARQUEE_ASAN), '../flow/flow_kills_test');

test(`${kills} kills lose no step`, (t) => {
  if (!program || !existsSync(program)) {
    t.skip(`${program} is not built`);
    return;
  }
  const done = spawnSync(program, [], { encoding: 'utf8', env: { ...process.env, FLOW_KILLS: kills } });
  assert.equal(done.status, 0, `${done.stdout}\n${done.stderr}`);
  assert.match(done.stdout, new RegExp(`${kills} kills, seed \\d+`));
});
