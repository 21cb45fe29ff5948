// SPDX-License-Identifier: GPL-3.0-or-later
// level: fast
// minutes: 1
// A service that is killed has lost what lines counted in the step that was open, and no more.
import test from 'node:test';
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { folder, freeUdpPort, serve, skip, until } from './series_service.mjs';

const STEP_MS = 2000;

test('kill -9 loses at most one step of lines', { skip }, async (t) => {
  const data = folder(t);
  const port = await freeUdpPort();
  const options = ['--series-udp', String(port), '--series-step', String(STEP_MS / 1000)];
  const lines = dgram.createSocket('udp4');
  lines.connect(port, '127.0.0.1');
  await once(lines, 'connect');
  t.after(() => lines.close());
  lines.on('error', () => {}); // nobody listens between two services

  let service = await serve(t, data, options);
  let sent = 0;
  for (let kill = 0; kill < 3; kill += 1) {
    // A whole step is sent, and known to be over: its line is counted, and a later gauge can be read.
    const received = async () => (await service.ask('/api/v1/series/counts')).intake.datagrams;
    const before = await received();
    lines.send(`c:hits,kill=k${kill}:${kill + 1}\ng:mark,kill=k${kill}:1`);
    sent += kill + 1;
    await until('the line', async () => (await received()) > before);
    const over = Math.ceil(Date.now() / STEP_MS) * STEP_MS;
    await until('the end of its step', async () => {
      const q = new URLSearchParams({ q: `name,hits,:eq,kill,k${kill},:eq,:and`, s: String(over - 5 * STEP_MS), e: String(over + STEP_MS), step: `${STEP_MS / 1000}s`, format: 'std.json' });
      return (await service.ask(`/atlas/api/v1/graph?${q}`)).values.flat().some((v) => v > 0);
    });
    lines.send('c:hits,kill=open:1000'); // of the step that is open: may be lost
    process.kill(service.pid, 'SIGKILL');
    service = await until('the next service', () => serve(t, data, options).catch(() => null));
  }
  const q = new URLSearchParams({ q: 'name,hits,:eq,kill,open,:eq,:not,:and,:sum', s: 'e-5m', e: 'now', step: `${STEP_MS / 1000}s`, format: 'std.json' });
  const total = await until('what was counted', async () => {
    const values = (await service.ask(`/atlas/api/v1/graph?${q}`)).values.flat().filter(Number.isFinite);
    const sum = values.reduce((a, b) => a + b, 0) * (STEP_MS / 1000);
    return Math.abs(sum - sent) < 1e-9 ? sum : null;
  });
  assert.ok(Math.abs(total - sent) < 1e-9, `${total} of ${sent}`);
  assert.deepEqual(await service.stop(), [0, null]);
});
