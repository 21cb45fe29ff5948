// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 8
//
// Operators at the real service: a film is dropped, its upload survives a broken line and a killed service, its job is followed
// live, its report read frame by frame; a finding is waived and reopened, the delivery runs again, a job is cancelled and goes on.
// A partner is asked for a film again and sees why. On a big screen and on a phone; the films are made here.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { damageFilm } from '../scenario/marquee.mjs';
import { missing, openBrowser, openPage, RealService, run } from './real_service.mjs';

const RATE = 25;
const ATTACHED = 24 << 20; // so that an upload takes several pieces

describe('the service, as an operator meets it', { skip: missing }, () => {
  const service = new RealService();
  const { data } = service;
  const good = join(data, 'the_evening_show.mkv');
  const faulty = join(data, 'faulty.mp4');
  let browser;
  let page;
  const complaints = [];
  const until = (test, value, timeout = 60_000) => page.waitForFunction(test, value, { timeout });
  const noSidewaysScroll = async (of = page) =>
    assert.equal(await of.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, of.url());
  const picturesAreThere = (selector) =>
    until((s) => {
      const all = [...document.querySelectorAll(s)];
      return all.length > 0 && all.every((image) => image.complete && image.naturalWidth > 0);
    }, selector);
  const exactly = (frame) => page.locator(`.screen[data-frame="${frame}"][data-exact="true"] img`).waitFor();

  before(async () => {
    // Two seconds of black in the middle.
    const lavfi = (source) => ['-f', 'lavfi', '-i', source];
    writeFileSync(join(data, 'attached.bin'), randomBytes(ATTACHED));
    await run('ffmpeg', ['-nostdin', '-v', 'error', ...lavfi(`testsrc2=s=320x180:r=${RATE}:d=8`), ...lavfi('sine=f=440:d=8'),
      '-vf', 'drawbox=c=black:t=fill:enable=between(t\\,3\\,4.99)', 
      '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-c:a', 'aac',
      '-attach', join(data, 'attached.bin'), '-metadata:s:t', 'mimetype=application/octet-stream', good]);
    const whole = join(data, 'whole.mp4');
    await run('ffmpeg', ['-nostdin', '-v', 'error', ...lavfi('testsrc2=s=320x180:r=24:d=6'), ...lavfi('sine=f=220:d=6'),
      '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '24', '-c:a', 'aac', whole]);
    damageFilm(whole, faulty);
    await service.cli('user', 'add', 'olga', '--role', 'operator');
    await service.cli('partner', 'add', 'Archive', '--email', 'qc@archive.example');
    await service.cli('user', 'add', 'pat', '--role', 'partner', '--partner', 'Archive');
    await service.start();
    browser = await openBrowser();
    page = await openPage(browser, 'desk', complaints);
    await page.goto(await service.link('olga'));
  });
  after(async () => {
    await browser?.close();
    await service.stop();
  });

  // As from a file manager: the page is given the file by a drop.
  const drop = async (path, name) => {
    const input = await page.evaluateHandle(() => {
      const field = document.createElement('input');
      field.type = 'file';
      return document.body.appendChild(field);
    });
    await input.asElement().setInputFiles(path);
    await page.evaluate(([field, as]) => {
      const carried = new DataTransfer();
      carried.items.add(new File([field.files[0]], as, { type: field.files[0].type, lastModified: 1 }));
      field.remove();
      for (const type of ['dragenter', 'dragover', 'drop']) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: carried, bubbles: true, cancelable: true }));
      }
    }, [input, name]);
  };

  it('takes a dropped film; its upload goes on behind a broken line and a killed service', async () => {
    await page.getByText('Drop a film anywhere').waitFor();
    const broken = service.breakAfter(6 << 20);
    await drop(good, 'the_evening_show.mkv');
    await page.waitForURL('**/desk/ingest');
    const card = page.getByRole('article', { name: 'the_evening_show.mkv' });
    await broken;
    assert.equal(await service.kill('SIGKILL'), 'SIGKILL');
    await card.getByText('does not answer').waitFor();
    await service.start();
    assert.equal(await card.getByLabel('Title', { exact: true }).inputValue(), 'The Evening Show');
    await card.getByRole('button', { name: 'Deliver' }).click();
    await card.getByRole('link', { name: 'Open the film' }).click({ timeout: 60_000 });
    await page.getByRole('heading', { name: 'The Evening Show', level: 1 }).waitFor();
    // The bytes that came in pieces, around a kill, are the film's.
    const [delivery] = (await service.json('deliveries')).deliveries;
    const { stdout } = await run('sha256sum', [good]);
    assert.equal(delivery.hash, stdout.slice(0, 64));
    assert.equal(delivery.bytes, readFileSync(good).length);
    const noise = /ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|Failed to load resource: net/;
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !noise.test(text)));
  });

  it('shows its progress as it happens, then the report, without a reload', async () => {
    const bar = '.big-progress [role=progressbar]';
    const seen = new Set();
    await page.exposeFunction('saw', (value) => void seen.add(value));
    await page.evaluate((selector) => {
      const look = () => {
        const at = document.querySelector(selector)?.getAttribute('aria-valuenow');
        if (at) window.saw(Number(at));
        requestAnimationFrame(look);
      };
      look();
    }, bar);
    await page.locator('.facts-line [data-state="published"]').waitFor({ timeout: 180_000 });
    const places = [...seen].sort((a, b) => a - b);
    assert.ok(places.filter((at) => at > 0 && at < 95).length >= 3, `progress was seen at ${places}`);
    await page.locator('[data-verdict="accept"]').waitFor();
    await picturesAreThere('.lane.pictures img');
  });

  it('reads the report: time line with pictures, exact frames, findings in words', async () => {
    const black = page.locator('[data-finding="black"]');
    await black.click();
    await exactly(75);
    assert.equal(await page.locator('[data-timecode]').innerText(), '00:00:03:00');
    assert.match(await black.innerText(), /frames 75–124 \(50\)/);
    // The picture is that frame: black.
    const brightest = await page.locator('.screen img').evaluate(async (image) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 32, height: 18 });
      const g = canvas.getContext('2d');
      g.drawImage(image, 0, 0, 32, 18);
      return Math.max(...g.getImageData(0, 0, 32, 18).data.filter((_, i) => i % 4 !== 3));
    });
    assert.ok(brightest < 24, String(brightest));
    await page.keyboard.press('ArrowLeft');
    await exactly(74);
    await page.waitForURL('**?frame=74');
    const box = await page.locator('.lane.pictures').boundingBox();
    await page.mouse.click(box.x + box.width / 2, box.y + 20);
    const shown = Number(await page.locator('.screen').getAttribute('data-frame'));
    assert.ok(Math.abs(shown - 100) <= 2, `${shown} of 200`);
    for (const text of ['Sound, stream 1', 'Streams', 'Loudness (EBU R128)', 'What happened']) {
      await page.getByText(text).first().waitFor();
    }
    await noSidewaysScroll();
  });

  it('waives a finding, takes it back, and lets policy decide anew', async () => {
    await page.locator('[data-finding="black"]').click();
    await page.keyboard.press('w');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('The curtain falls here');
    await dialog.getByRole('button', { name: 'Waive', exact: true }).click();
    await page.getByText('waived: The curtain falls here').waitFor();
    const state = async () => (await service.json('findings', '--kind', 'black')).findings.map((finding) => [finding.state, finding.waived_why]);
    assert.deepEqual(await state(), [['waived', 'The curtain falls here']]);
    await page.goto(`${service.address}/desk/findings?q=state%3Awaived`);
    await page.getByRole('button', { name: 'Reopen' }).click();
    await page.getByText('No row fits these words.').waitFor();
    assert.equal((await state())[0][0], 'open');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.tbody .tr', { hasText: 'The curtain falls here' }).waitFor();

    await page.locator('.tbody .tr .name').click();
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
    await page.waitForURL('**/desk/jobs/**');
    await page.locator('.facts-line [data-state="done"]').waitFor({ timeout: 120_000 });
    const steps = page.locator('.steps tbody tr');
    assert.equal(await steps.filter({ hasText: 'reused' }).count(), await steps.count(), 'nothing is done twice');
    assert.equal(await page.getByRole('button', { name: 'Run again' }).count(), 0, 'what is done is not run again');
  });

  it('shows a job: its graph, its steps, their logs; cancels it and goes on', async () => {
    await page.goto(`${service.address}/desk/jobs`);
    const jobs = (await service.json('jobs')).jobs;
    await page.goto(`${service.address}/desk/jobs/${jobs.at(-1).id}`); // the first: it did the work
    await page.getByRole('button', { name: /^encode\.video: Done/ }).waitFor();
    assert.ok((await page.locator('.dag .edge').count()) >= 9, 'edges come with the job');
    await page.getByRole('button', { name: /^encode\.video/ }).click();
    const chosen = page.locator('.steps tbody tr').first();
    await chosen.getByRole('button', { name: /^Log of/ }).click();
    await until(() => (document.querySelector('.log pre')?.textContent.length ?? 0) > 20);
    const log = await page.locator('.log pre').innerText();
    assert.doesNotMatch(log, /Loading|cannot be read/);
    assert.match(log, /encode\.video of /); // what it did, whatever its libraries say
    assert.match(log, /done in [\d.]+ s, [\d.]+ s of CPU; outputs: [1-9]/);
    assert.equal(await page.locator('.dag').getByText('captions').count(), 0, 'a film without captions waits for none');

    // Another film, stopped in mid-work.
    await page.goto(`${service.address}/desk/ingest`);
    const film = join(data, 'long.mkv');
    await run('ffmpeg', ['-nostdin', '-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=640x360:r=25:d=20', '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', film]);
    await drop(film, 'long.mkv');
    const card = page.getByRole('article', { name: 'long.mkv' });
    await card.getByRole('button', { name: 'Deliver' }).click();
    await card.getByRole('link', { name: 'Its job' }).click();
    await page.locator('.steps [data-state="running"]').first().waitFor();
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByText('This job was cancelled.').waitFor();
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
    await page.locator('.facts-line [data-state="running"], .facts-line [data-state="done"]').waitFor();
  });

  it('asks a partner for a film again, who is told live and sees why and where', async () => {
    const theirs = await openPage(browser, 'desk', complaints);
    await theirs.goto(await service.link('pat'));
    await theirs.getByText('Drop a film anywhere').waitFor();
    await page.goto(`${service.address}/desk/ingest`);
    await drop(faulty, 'faulty.mp4');
    const card = page.getByRole('article', { name: 'faulty.mp4' });
    await card.getByLabel('Partner').fill('Archive');
    await card.getByRole('button', { name: 'Deliver' }).click();
    await card.getByRole('link', { name: 'Open the film' }).click();
    await page.locator('.facts-line [data-state="refused"]').waitFor({ timeout: 120_000 });
    await page.locator('.facts-line').getByText('Archive').waitFor(); // by name, not by number
    await page.locator('.verdict').getByText('The mail to the partner waits').waitFor(); // this service has no relay
    await theirs.locator('.tbody .tr', { hasText: 'Faulty' }).locator('[data-state="refused"]').waitFor(); // nobody reloaded
    assert.equal(await theirs.getByRole('navigation').getByRole('link', { name: 'Jobs' }).count(), 0);
    await theirs.getByRole('navigation').getByRole('link', { name: 'Requests' }).click();
    await theirs.locator('.tbody .tr .name').click();
    await theirs.getByText('Please deliver this film again').waitFor();
    const pictures = theirs.locator('.evidence-cards img');
    await pictures.first().evaluate((image) => image.decode());
    await theirs.getByText('Damaged data').first().waitFor();

    // The mended film closes what was found in the old one.
    const open = async () => (await service.json('findings', '--state', 'open')).findings.filter((f) => f.severity === 'error').length;
    assert.ok((await open()) > 0);
    const chooser = theirs.waitForEvent('filechooser');
    await theirs.getByRole('button', { name: 'Answer with a new file' }).click();
    await (await chooser).setFiles(join(data, 'whole.mp4'));
    await theirs.getByRole('button', { name: 'Deliver' }).click();
    await theirs.locator('.upload [data-state="published"]').waitFor({ timeout: 120_000 });
    assert.equal(await open(), 0);
    assert.ok((await service.json('findings', '--state', 'superseded')).findings.length > 0);
    await theirs.context().close();
  });

  it('says of no film that it is none, and that nobody was asked', async () => {
    writeFileSync(join(data, 'notes.mp4'), 'These are notes, and no film.\n'.repeat(100));
    await page.goto(`${service.address}/desk/ingest`);
    await drop(join(data, 'notes.mp4'), 'notes.mp4');
    const card = page.getByRole('article', { name: 'notes.mp4' });
    await card.getByText('Uploaded. Say what it is').waitFor();
    await page.reload(); // all of it is on the server: no file is needed
    await card.getByLabel('From age').selectOption({ label: 'From 12' });
    await card.getByRole('button', { name: 'Deliver' }).click();
    await card.locator('[data-state="refused"]').waitFor();
    await card.getByRole('link', { name: 'Open the film' }).click();
    await page.locator('.verdict').getByText('Nobody was asked: this delivery has no partner').waitFor();
    await page.locator('.verdict').getByText('No film').waitFor();
    const { stdout } = await service.cli('deliveries');
    assert.match(stdout, /notes\.mp4|Notes/);
  });

  it('reads what a viewer reported, with the title and the second', async () => {
    await page.goto(service.address);
    const title = (await service.json('titles')).titles.find((x) => x.name === 'The Evening Show');
    await page.evaluate(async (id) => {
      const post = (path, body) => fetch(`/api/v1/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
      const play = await (await post('plays', { title_id: id, device: { codecs: ['h264', 'aac'], hdr: false, max_height: 360 } })).json();
      await post(`plays/${play.id}/problem`, { position_us: 5_791_000, text: 'Sound: No sound at all' });
      await fetch(`/api/v1/plays/${play.id}`, { method: 'DELETE' });
    }, title.id);
    await page.goto(`${service.address}/desk/findings?q=kind%3Aviewer_report`);
    const row = page.locator('.tbody .tr');
    await row.getByText('No sound at all').waitFor();
    await row.getByRole('link', { name: 'The Evening Show' }).waitFor();
    assert.equal(await row.getByRole('link', { name: '00:00:05' }).getAttribute('href'), `/play/${title.id}?from=5`);
  });

  it('fits a phone', async () => {
    const phone = await openPage(browser, 'phone', complaints);
    await phone.goto(await service.link('olga'));
    await phone.locator('.tbody .tr', { hasText: 'The Evening Show' }).waitFor();
    await noSidewaysScroll(phone);
    await phone.locator('.tbody .tr', { hasText: 'The Evening Show' }).tap();
    await phone.locator('[data-finding="black"]').tap();
    await phone.locator('.screen[data-frame="75"][data-exact="true"] img').waitFor();
    await noSidewaysScroll(phone);
    await phone.getByRole('link', { name: 'Job', exact: true }).tap();
    await phone.locator('.dag svg').waitFor();
    await noSidewaysScroll(phone);
    await phone.getByRole('button', { name: 'Open the menu' }).tap();
    await phone.getByRole('link', { name: 'Findings' }).tap();
    await phone.locator('.tbody .tr').first().waitFor();
    await noSidewaysScroll(phone);
    await phone.context().close();
  });

  it('left the console quiet', () => assert.deepEqual(complaints, []));
});
