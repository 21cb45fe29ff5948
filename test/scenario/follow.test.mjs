// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 2
//
// A service beside a command that executes shows what the command does: progress with a remaining time
// on the one event stream, and the publication behind it; and takes over where the command is killed.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { folder, makeFilm, marquee, start } from './marquee.mjs';

// Until a step of the folder runs: then the command is the one that executes.
function step_runs(data) {
  const scratch = path.join(data, 'scratch');
  return new Promise((resolve) => {
    const watcher = fs.watch(scratch, look);
    function look() {
      if (!fs.readdirSync(scratch).some((f) => f.startsWith('step-'))) return;
      watcher.close();
      resolve();
    }
    look();
  });
}

async function* events(url, token) {
  const answer = await fetch(`${url}/api/v1/events`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
  let text = '';
  for await (const bytes of answer.body) {
    text += new TextDecoder().decode(bytes);
    const blocks = text.split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.split('\n').find((line) => line.startsWith('data: '));
      if (data) yield JSON.parse(data.slice(6));
    }
  }
}

// A command that executes for some seconds, and a service beside it.
async function beside(t) {
  const dir = folder(t), data = path.join(dir, 'data');
  const password = 'a long password';
  assert.equal(marquee(['user', 'add', 'olga', '--role', 'operator', '--password-stdin', '--data', data], { input: `${password}\n` }).code, 0);
  const film = makeFilm(path.join(dir, 'film.mp4'), { seconds: 10, size: '640x360' });
  const ladder = path.join(dir, 'slow.yaml'); // seconds of work, whatever the machine
  fs.writeFileSync(ladder, 'segment_ms: 2000\nchunk_ms: 4000\npsnr_floor_db: 20\nvideo:\n'
    + '  - {codec: h264, height: 360, preset: veryslow, crf: 20, max_kbps: 8000, buffer_ms: 2000}\naudio:\n  - {codec: aac, kbps: 64}\n');

  const command = start(['ingest', film, '--data', data, '--ladder', ladder]);
  t.after(() => command.kill());
  await step_runs(data);
  const service = start(['serve', '--data', data, '--port', '0']);
  t.after(() => service.kill());
  const [url] = await service.said(/http:\/\/\S+/);
  const signed = await fetch(`${url}/api/v1/session`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'olga', password }),
  });
  const { token } = await signed.json();
  return { command, followed: events(url, token) };
}

const is_end = (event) => event.type === 'delivery.published.v1' || event.type === 'delivery.failed.v1';

test('a service shows the work of a command beside it', async (t) => {
  const { command, followed } = await beside(t);
  const progress = [];
  for await (const event of followed) {
    if (event.type === 'progress.v1') progress.push(event);
    if (is_end(event)) {
      assert.equal(event.type, 'delivery.published.v1');
      break;
    }
  }
  const job = progress.filter((p) => !p.data.step);
  assert.ok(job.length > 0, 'the job told how far it is');
  assert.ok(job.every((p) => /^delivery\//.test(p.subject) && p.data.done_ppm < 1000000));
  assert.ok(job.some((p) => p.data.remaining_us > 0), 'and how long it will take');
  assert.ok(progress.some((p) => p.data.step && p.data.step_type), 'and so did its steps');
  assert.deepEqual(await command.ended, { code: 0, signal: null });
});

test('when the command is killed, the service goes on with its work', async (t) => {
  const { command, followed } = await beside(t);
  let killed = false;
  for await (const event of followed) {
    if (event.type === 'progress.v1' && !killed) {
      killed = true;
      await command.kill();
    }
    if (is_end(event)) {
      assert.ok(killed, 'there was progress before the end');
      assert.equal(event.type, 'delivery.published.v1');
      break;
    }
  }
});
