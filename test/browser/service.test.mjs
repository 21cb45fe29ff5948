// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 6
//
// A film from its file to a viewer's screen, through the real service: delivered by `marquee ingest`, signed in by the
// printed link, found on the home page, played, sought, captioned, left, resumed, reported. The film is made here.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { missing, openBrowser, openPage, RealService, run } from './real_service.mjs';

const FILM_S = 24;
const ladder = `segment_ms: 2000
chunk_ms: 12000
psnr_floor_db: 20
video:
  - {codec: h264, height: 180, preset: ultrafast, crf: 28, max_kbps: 300, buffer_ms: 2000}
  - {codec: h264, height: 360, preset: ultrafast, crf: 28, max_kbps: 900, buffer_ms: 2000}
audio:
  - {codec: aac, kbps: 64}
`;
const srt = (text, from, to) => `${from} --> ${to}\n${text}\n`;

describe('the service, as a viewer meets it', { skip: missing }, () => {
  const service = new RealService();
  const { data } = service;
  let browser;
  let page;
  const complaints = [];
  const expected = [];

  const cli = (...args) => service.cli(...args);
  const until = (test, value, timeout = 30_000) => page.waitForFunction(test, value, { timeout });

  before(async () => {
    const film = join(data, 'film.mkv');
    await run('ffmpeg', ['-nostdin', '-v', 'error', '-f', 'lavfi', '-i', `testsrc2=s=640x360:r=25:d=${FILM_S}`,
      '-f', 'lavfi', '-i', `sine=f=440:d=${FILM_S}`, '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', '-c:a', 'aac', film]);
    writeFileSync(join(data, 'ladder.yaml'), ladder);
    writeFileSync(join(data, 'film.srt'), `1\n${srt('Good evening.', '00:00:00,000', '00:00:11,900')}\n2\n${srt('Here is the <i>second</i> half.', '00:00:12,000', '00:00:23,900')}`);
    await cli('user', 'add', 'vera', '--role', 'viewer');
    await service.start();
    const { stdout } = await cli('ingest', film, '--title', 'The Test Card', '--ladder', join(data, 'ladder.yaml'), '--captions', `${join(data, 'film.srt')}:en`, '--json');
    const { films } = JSON.parse(stdout);
    assert.equal(films[0].state, 'published', JSON.stringify(films[0].findings));
    browser = await openBrowser();
    page = await openPage(browser, 'desk', complaints);
  });
  after(async () => {
    await browser?.close();
    await service.stop();
  });

  it('meets who is not signed in without a complaint, and tells of a link that was used', async () => {
    await page.goto(service.address);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    const link = await service.link('vera');
    await page.goto(link);
    await page.getByRole('heading', { name: 'Who is watching?' }).or(page.getByRole('navigation', { name: 'Main' })).first().waitFor();
    const second = await openPage(browser, 'phone', complaints);
    await second.goto(link);
    await second.getByText('This link has been used').waitFor();
    await second.context().close();
  });

  it('shows the film on the home page, with its picture and before that its colour', async () => {
    const card = page.getByRole('link', { name: /The Test Card/ }).first();
    await card.waitFor();
    await until(() => [...document.querySelectorAll('.art img')].some((image) => image.naturalWidth > 0));
    const colours = await page.evaluate(async () => (await (await fetch('/api/v1/titles')).json()).titles.map((title) => title.poster.color));
    assert.ok(colours.length > 0 && colours.every((colour) => /^#[0-9a-f]{6}$/.test(colour)), colours.join());
    await card.click();
    await page.getByRole('heading', { level: 1, name: 'The Test Card' }).waitFor();
  });

  it('plays it: captions, seek bar with pictures, both rungs by hand', async () => {
    await page.getByRole('link', { name: 'Play', exact: true }).click();
    await until(() => document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames > 5);
    await page.keyboard.press('c');
    await page.locator('.captions', { hasText: 'Good evening.' }).waitFor();
    const slider = page.getByRole('slider', { name: 'Place in the film' });
    const box = await slider.boundingBox();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2);
    await page.locator('.glimpse-picture .sprite').waitFor();
    await page.mouse.click(box.x + box.width * 0.6, box.y + box.height / 2);
    await until(() => document.querySelector('video').currentTime > 14);
    await page.locator('.captions i', { hasText: 'second' }).waitFor();
    for (const [name, height] of [['180p', 180], ['360p', 360]]) {
      await page.mouse.move(600, 300);
      await page.getByRole('button', { name: /^Quality/ }).click();
      await page.getByRole('menuitemradio', { name, exact: false }).last().click();
      await until((h) => document.querySelector('video').videoHeight === h, height);
    }
  });

  it('takes a report of a problem as a finding at its place', async () => {
    await page.keyboard.press('5');
    await page.getByRole('button', { name: 'Report a problem' }).click();
    await page.getByLabel('What did you see or hear?').fill('a card, not a film');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Thank you. The people').waitFor();
    const { stdout } = await cli('findings', '--json');
    const report = JSON.parse(stdout).findings.find((finding) => finding.kind === 'viewer_report');
    assert.match(report.evidence.text, /a card, not a film/);
    assert.ok(report.evidence.position_us >= 11_000_000 && report.evidence.position_us < 16_000_000);
  });

  it('goes on where one stopped', async () => {
    await until(() => !document.querySelector('video').paused);
    await page.keyboard.press('k');
    await until(() => document.querySelector('video').paused);
    const left = await page.locator('video').evaluate((v) => v.currentTime);
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: /Resume at/ }).click();
    await until(() => document.querySelector('video')?.readyState >= 2 && document.querySelector('video').currentTime > 0);
    const at = await page.locator('video').evaluate((v) => v.currentTime);
    assert.ok(at > left - 1 && at < left + 4, `left at ${left}, came back at ${at}`);
  });

  it('plays to the end, in one piece', async () => {
    await page.keyboard.press('0');
    await until(() => document.querySelector('video').currentTime < 3);
    await page.locator('video').evaluate((v) => {
      v.playbackRate = 2;
      return v.play();
    });
    await until(() => document.querySelector('video').ended, null, 60_000);
    await page.getByRole('region', { name: 'The end' }).waitFor();
    const seen = await page.locator('video').evaluate((v) => ({ error: v.error, duration: v.duration, height: v.videoHeight }));
    assert.equal(seen.error, null);
    assert.ok(Math.abs(seen.duration - FILM_S) < 0.2, `${seen.duration} s`);
    await page.keyboard.press('Escape');
    // What was seen to its end begins again.
    await page.getByRole('link', { name: 'Play', exact: true }).waitFor();
  });

  it('keeps to the streams of a plan', async () => {
    expected.push(/status of 409/);
    const first = page;
    const { id } = await first.evaluate(async () => (await (await fetch('/api/v1/titles')).json()).titles[0]);
    const streams = await first.evaluate(async () => (await (await fetch('/api/v1/session')).json()).plan.streams);
    // Other screens of this household, without their pictures.
    const taken = await first.evaluate(async ([title_id, n]) => {
      const device = { codecs: ['h264', 'aac'], hdr: false, max_height: 360 };
      const ids = [];
      for (let i = 0; i < n; i += 1) {
        const answer = await fetch('/api/v1/plays', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ title_id, device }) });
        if (answer.ok) ids.push((await answer.json()).id);
      }
      return ids;
    }, [id, streams]);
    assert.equal(taken.length, streams);
    await first.goto(`${service.address}/play/${id}`);
    const note = first.getByRole('alert');
    await note.waitFor();
    assert.match(await note.textContent(), /All screens of your plan are in use/);
    await first.evaluate((play) => fetch(`/api/v1/plays/${play}`, { method: 'DELETE' }), taken[0]);
    await first.getByRole('button', { name: 'Try again' }).click();
    await until(() => document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames > 2);
  });

  it('left the console quiet', () => {
    assert.deepEqual(complaints.filter((text) => !expected.some((pattern) => pattern.test(text))), []);
  });
});
