// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 8
//
// The viewers' pages in headless Chromium, as a viewer uses them: home, title, play, seek, resume, keyboard, captions,
// quality, a phone, ten thousand titles and none, and what happens when something is refused. Against the mock server of
// ui/dev; service.test.mjs goes through the real one.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = join(root, 'ui/dist');
const built = existsSync(join(dist, 'index.html'));
const shared = process.env.MARQUEE_SHARED ?? join(root, '../shared');

const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required', '--mute-audio',
];
const screens = {
  desk: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

describe('the viewers’ pages', { skip: built ? false : 'ui/dist is not built' }, () => {
  let mock;
  let browser;
  let context;
  let page;
  let complaints;
  /** What a test provokes on purpose, and the browser therefore reports. */
  let expected;

  const how = (change) =>
    fetch(`${mock.url}/mock`, { method: 'POST', body: JSON.stringify(change) }).then((answer) => answer.json());

  const open = async (screen = 'desk', { profile = 'Ada' } = {}) => {
    context = await browser.newContext(screens[screen]);
    page = await context.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${mock.url}/link/once`);
    if (profile) await page.getByRole('button', { name: profile, exact: true }).click();
  };
  const video = (read) => page.locator('video').evaluate(read);
  /** Waits in the page until a look at the video is true. */
  const until = (test, timeout = 15_000) => page.waitForFunction(test, null, { timeout });
  const playing = () =>
    until(() => {
      const v = document.querySelector('video');
      return v && !v.paused && v.readyState >= 3 && v.getVideoPlaybackQuality().totalVideoFrames > 5;
    });

  before(async () => {
    const { startMock } = await import(join(root, 'ui/dev/mock.mjs'));
    mock = await startMock({ folders: [join(shared, 'data/media/clips')], dist });
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
    // The first request packages the film: not on a test's time.
    await fetch(`${mock.url}/media/grant/sintel/manifest.mpd`);
    await fetch(`${mock.url}/media/grant/blupi-1/manifest.mpd`);
  });
  after(async () => {
    await browser?.close();
    await mock?.stop();
  });
  beforeEach(async () => {
    complaints = [];
    expected = [];
    await how({ reset: true });
  });
  afterEach(async () => {
    await context?.close();
    const odd = complaints.filter((text) => !expected.some((pattern) => pattern.test(text)));
    assert.deepEqual(odd, [], 'the console stays quiet');
  });

  it('sends at most 120 KB of JavaScript before the player', () => {
    const html = readFileSync(join(dist, 'index.html'), 'utf8');
    const seen = new Set();
    const visit = (path) => {
      if (seen.has(path)) return;
      seen.add(path);
      const code = readFileSync(join(dist, path), 'utf8');
      for (const [, to] of code.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) visit(`assets/${to}`);
    };
    for (const [, path] of html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)) visit(path);
    const bytes = [...seen].reduce((sum, path) => sum + gzipSync(readFileSync(join(dist, path))).length, 0);
    assert.ok(seen.size > 0 && bytes > 1000, 'found the scripts');
    assert.ok(bytes <= 120_000, `${bytes} bytes of gzip`);
    assert.ok(![...seen].some((path) => /shaka/.test(path)), 'the player’s library waits for Play');
  });

  it('asks who is there: wrong password, right one, profile, and back out', async () => {
    context = await browser.newContext(screens.desk);
    page = await context.newPage();
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    expected.push(/status of 401/);
    await page.goto(`${mock.url}/title/sintel`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Type the name you were given.').waitFor();
    await page.getByLabel('Name').fill('viewer');
    await page.getByLabel('Password', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'do not belong together' }).waitFor();
    await page.getByLabel('Password', { exact: true }).fill('demo');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'New profile' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('Kay');
    await page.getByRole('dialog').getByLabel('May watch').selectOption('6');
    await page.getByText('What nobody has rated is shown only').waitFor();
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('button', { name: 'Kay' }).click();
    // Whoever came for a title gets it.
    await page.getByRole('heading', { level: 1, name: 'Sintel' }).waitFor();
    await page.getByRole('button', { name: 'Profile and account' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    // At the door itself there is no place to stay: the address is where one is.
    await page.goto(`${mock.url}/signin?to=%2Fbrowse`);
    await page.getByLabel('Name').fill('viewer');
    await page.getByLabel('Password', { exact: true }).fill('demo');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Ada', exact: true }).click();
    await page.waitForURL(`${mock.url}/browse`);
    await page.goto(`${mock.url}/signin`);
    await page.waitForURL(`${mock.url}/`);
    await page.getByRole('heading', { name: 'New here' }).waitFor();
  });

  it('gives every new profile a face of its own', async () => {
    await open('desk', { profile: null });
    for (const name of ['Kay', 'Lou', 'Max']) {
      await page.getByRole('button', { name: 'New profile' }).click();
      await page.getByRole('dialog').getByLabel('Name').fill(name);
      await page.getByRole('button', { name: 'Create' }).click();
      await page.getByRole('button', { name, exact: true }).waitFor();
    }
    const faces = await page.locator('.face .avatar').evaluateAll((all) => all.map((one) => one.innerHTML));
    assert.equal(faces.length, 6);
    assert.equal(new Set(faces).size, 6);
  });

  it('speaks the profile’s language, errors too, and says what is unrated', async () => {
    expected.push(/status of 409/);
    await how({ german: true });
    await open();
    await page.getByRole('heading', { name: 'Weitersehen' }).waitFor();
    await page.locator('.hero .why', { hasText: 'Neu dabei' }).waitFor();
    await page.goto(`${mock.url}/title/plaza`);
    await page.locator('.hero .badge', { hasText: 'Ohne Altersangabe' }).waitFor();
    await how({ streams: 0 });
    await page.goto(`${mock.url}/play/sintel`);
    await page.getByRole('alert').filter({ hasText: 'Alle Bildschirme Ihres Tarifs sind belegt.' }).waitFor();
    await how({ streams: 2, german: false });
  });

  it('plays on through an outage and says so only when the film stands', async () => {
    expected.push(/status of 503/);
    await open();
    await page.goto(`${mock.url}/play/sintel?from=0`);
    await playing();
    const failed = page.waitForResponse((answer) => answer.status() === 503 && answer.url().includes('/media/'), { timeout: 40_000 });
    await how({ fail: '/media/' });
    await failed;
    // What is buffered is watched, without a word.
    const at = await video((v) => v.currentTime);
    await page.waitForFunction((from) => document.querySelector('video').currentTime > from + 1, at);
    assert.equal(await page.getByRole('alert').count(), 0);
    await page.keyboard.press('9'); // beyond it
    await page.getByRole('alert').filter({ hasText: 'The film does not arrive.' }).waitFor({ timeout: 40_000 });
    await how({ fail: null });
    await page.getByRole('alert').waitFor({ state: 'detached', timeout: 40_000 });
    await until(() => document.querySelector('video').currentTime > 46 && !document.querySelector('video').paused, 30_000);
  });

  it('leads from home to a title, plays, seeks, and resumes to the second', async () => {
    await open();
    await page.getByRole('heading', { name: 'New here' }).waitFor();
    await page.getByRole('region', { name: 'New here' }).getByRole('link', { name: 'Sintel' }).click();
    await page.getByRole('heading', { level: 1, name: 'Sintel' }).waitFor();
    await page.getByText('© copyright Blender Foundation').waitFor();
    await page.getByRole('link', { name: 'From the beginning' }).click();
    await playing();
    assert.ok((await video((v) => v.currentTime)) < 12, 'began at the beginning');
    const slider = page.getByRole('slider', { name: 'Place in the film' });
    const box = await slider.boundingBox();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2);
    await page.locator('.glimpse-picture .sprite').waitFor();
    await page.mouse.down();
    await page.mouse.up();
    await until(() => {
      const v = document.querySelector('video');
      return !v.seeking && v.currentTime > 29 && v.readyState >= 3;
    });
    assert.match(await slider.getAttribute('aria-valuetext'), /^3\d seconds of 52 seconds$/);
    await page.keyboard.press('Space');
    await until(() => document.querySelector('video').paused);
    const left = await video((v) => v.currentTime);
    await page.getByRole('button', { name: 'Back', exact: true }).click();
    await page.getByRole('link', { name: /Resume at 0:3/ }).click();
    await until(() => document.querySelector('video')?.readyState >= 2 && document.querySelector('video').currentTime > 0);
    const at = await video((v) => v.currentTime);
    assert.ok(at >= left - 0.5 && at < left + 5, `left at ${left}, came back at ${at}`);
    const { posted } = await how({});
    assert.ok(posted.at(-1).device.codecs.includes('h264') && posted.at(-1).device.codecs.includes('aac'));
    assert.equal(posted.at(-1).device.max_height, 1080);
  });

  it('obeys the keyboard', async () => {
    await open();
    await page.goto(`${mock.url}/play/sintel?from=0`);
    await playing();
    await page.keyboard.press('k');
    await until(() => document.querySelector('video').paused);
    await page.keyboard.press('5');
    await until(() => Math.abs(document.querySelector('video').currentTime - document.querySelector('video').duration / 2) < 0.5);
    const half = await video((v) => v.currentTime);
    await page.keyboard.press('ArrowRight');
    assert.ok(Math.abs((await video((v) => v.currentTime)) - half - 10) < 0.5);
    await page.keyboard.press('ArrowLeft');
    assert.ok(Math.abs((await video((v) => v.currentTime)) - half) < 0.5);
    await page.keyboard.press('m');
    assert.equal(await video((v) => v.muted), true);
    await page.keyboard.press('m');
    assert.equal(await video((v) => v.muted), false);
    await page.keyboard.press('ArrowDown');
    assert.ok((await video((v) => v.volume)) < 0.95);
    await page.keyboard.press('>');
    await until(() => document.querySelector('video').playbackRate === 1.25); // 0 while it waits for data
    await page.keyboard.press('<');
    await until(() => document.querySelector('video').playbackRate === 1);
    await page.keyboard.press('i');
    await page.getByRole('region', { name: 'Statistics for nerds' }).getByText(/avc1/).waitFor();
    await page.keyboard.press('i');
    await page.keyboard.press('f');
    await until(() => document.fullscreenElement !== null);
    await page.keyboard.press('f');
    await until(() => document.fullscreenElement === null);
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor({ state: 'detached' });
    await page.keyboard.press('3'); // in the middle of a caption
    await page.keyboard.press('c');
    await page.locator('.captions').waitFor();
    await page.keyboard.press('c');
    await page.locator('.captions').waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { level: 1, name: 'Sintel' }).waitFor();
    assert.match(page.url(), /\/title\/sintel$/);
  });

  it('shows captions in the chosen language and style', async () => {
    await open();
    await page.goto(`${mock.url}/play/sintel?from=1`);
    await playing();
    await page.mouse.move(600, 400);
    await page.getByRole('button', { name: 'Captions' }).click();
    await page.getByRole('menuitemradio', { name: 'German' }).click();
    await page.locator('.captions', { hasText: 'Klinge' }).waitFor();
    await page.getByRole('button', { name: 'Captions' }).click();
    assert.equal(await page.getByRole('menuitemradio', { name: 'German' }).getAttribute('aria-checked'), 'true');
    await page.getByRole('menuitem', { name: 'Style…' }).click();
    await page.getByRole('radio', { name: 'Very large' }).check();
    await page.getByRole('radio', { name: 'Yellow' }).check();
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
    await page.locator('.player > .captions.size-huge.colour-yellow').waitFor();
    // The choice outlives the page.
    await page.reload();
    await page.locator('.player > .captions.size-huge').waitFor();
  });

  it('changes quality and audio by hand and shows the rung', async () => {
    await open();
    await page.goto(`${mock.url}/play/sintel?from=0`);
    await playing();
    await page.mouse.move(600, 400);
    await page.getByRole('button', { name: /^Quality/ }).click();
    const rungs = await page.getByRole('menuitemradio').allTextContents();
    assert.match(rungs[0], /^Auto \(\d+p\)$/);
    assert.deepEqual(rungs.slice(1).map((text) => text.match(/^\d+p/)[0]), ['720p', '360p', '180p']);
    await page.getByRole('menuitemradio', { name: '180p' }).click();
    await until(() => document.querySelector('video').videoHeight === 180);
    await page.getByRole('button', { name: 'Quality: 180p' }).click();
    await page.getByRole('menuitemradio', { name: '720p' }).click();
    await until(() => document.querySelector('video').videoHeight === 720);
    await page.getByRole('button', { name: 'Quality: 720p' }).click();
    await page.getByRole('menuitemradio', { name: 'Auto' }).click();
    await page.getByRole('button', { name: /Quality: Auto \d+p/ }).waitFor();
    await page.getByRole('button', { name: 'Audio' }).click();
    await page.getByRole('menuitemradio', { name: 'German' }).click();
    await page.getByRole('button', { name: 'Audio' }).click();
    await page.locator('[role=menuitemradio][aria-checked=true]', { hasText: 'German' }).waitFor();
    await page.keyboard.press('Escape');
  });

  it('reports a problem with its time code', async () => {
    await open();
    await page.goto(`${mock.url}/play/sintel?from=20`);
    await playing();
    await page.mouse.move(600, 400);
    await page.getByRole('button', { name: 'Report a problem' }).click();
    await page.getByRole('radio', { name: 'Sound' }).check();
    await page.getByLabel('What did you see or hear?').fill('a click');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Thank you. The people').waitFor();
    const { problems } = await how({});
    assert.equal(problems.length, 1);
    assert.equal(problems[0].text, 'Sound: a click');
    assert.ok(problems[0].position_us >= 20_000_000 && problems[0].position_us < 40_000_000);
  });

  it('goes on with the next episode', async () => {
    await open();
    await page.goto(`${mock.url}/play/blupi-1?from=5`);
    await playing();
    await page.getByRole('region', { name: 'Next episode' }).waitFor();
    await page.waitForURL(/\/play\/blupi-2$/, { timeout: 20_000 });
    await until(() => document.querySelector('video')?.readyState >= 2);
    const { positions } = await how({});
    assert.ok(!positions.some(([id]) => id === 'blupi-1'), 'what was seen to its end is not "continue watching"');
  });

  it('says what to do when every stream of the plan is in use', async () => {
    expected.push(/status of 409/);
    await open();
    await how({ streams: 0 });
    await page.goto(`${mock.url}/play/sintel`);
    await page.getByRole('alert').filter({ hasText: 'Stop one of the others' }).waitFor();
    await how({ streams: 2 });
    await page.getByRole('button', { name: 'Try again' }).click();
    await playing();
  });

  it('lets go of the stream when one leaves', async () => {
    await open();
    await page.goto(`${mock.url}/play/sintel`);
    await playing();
    assert.equal((await how({})).plays.length, 1);
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { level: 1, name: 'Sintel' }).waitFor();
    let plays = 1;
    for (let i = 0; i < 50 && plays > 0; i += 1) ({ plays: { length: plays } } = await how({}));
    assert.equal(plays, 0);
  });

  it('keeps places: a row’s, and the page’s', async () => {
    await open();
    const row = page.getByRole('region', { name: 'New here' });
    await row.hover();
    await row.getByRole('button', { name: 'On in New here' }).click();
    const list = row.getByRole('list');
    await page.waitForFunction(() => {
      const lists = [...document.querySelectorAll('.row-list')];
      return lists[1].scrollLeft > 600;
    });
    // Smooth scrolling comes to rest on a card.
    await list.evaluate((ul) => new Promise((done) => {
      let last = -1;
      const look = () => (ul.scrollLeft === last ? done() : ((last = ul.scrollLeft), setTimeout(look, 120)));
      look();
    }));
    const before = await list.evaluate((ul) => ul.scrollLeft);
    await row.getByRole('link').nth(8).click();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'New here' }).waitFor();
    assert.ok(Math.abs((await list.evaluate((ul) => ul.scrollLeft)) - before) < 4);
  });

  it('grows a card that is rested on, and moves nothing else', async () => {
    await open();
    await page.getByRole('region', { name: 'New here' }).getByRole('link').first().scrollIntoViewIfNeeded();
    const shift = await page.evaluate(() => new Promise((done) => {
      let sum = 0;
      new PerformanceObserver((entries) => {
        for (const entry of entries.getEntries()) sum += entry.hadRecentInput ? 0 : entry.value;
      }).observe({ type: 'layout-shift', buffered: true });
      setTimeout(() => done(sum), 300);
    }));
    assert.ok(shift < 0.02, `layout shift ${shift}`);
    await page.getByRole('region', { name: 'New here' }).getByRole('link').first().hover();
    await page.locator('.preview.grown').waitFor();
    await page.locator('.preview-frame').waitFor();
    await page.mouse.move(5, 300);
    await page.locator('.preview').waitFor({ state: 'detached' });
  });

  it('puts on the list, takes off, and takes back', async () => {
    await open();
    await page.goto(`${mock.url}/title/city`);
    await page.getByRole('button', { name: 'Add to my list' }).click();
    await page.getByRole('button', { name: 'Remove from my list' }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Add to my list' }).waitFor();
    // Old news does not follow into the film.
    await page.locator('.toast').first().waitFor();
    await page.getByRole('link', { name: /^(Play|Resume|From the beginning)/ }).first().click();
    await page.locator('main.player').waitFor();
    assert.equal(await page.locator('.toast').count(), 0);
    await page.goBack();
    await page.getByRole('button', { name: 'I like this' }).click();
    await page.locator('[aria-label="I like this"][aria-pressed=true]').waitFor();
    await page.getByRole('link', { name: 'My list' }).click();
    const listed = page.getByRole('list', { name: 'My list' }).getByRole('link');
    await listed.nth(1).waitFor();
    assert.equal(await listed.count(), 2);
  });

  it('finds as one types', async () => {
    await open();
    await page.locator('.card').first().waitFor(); // from then on the page listens to keys
    await page.keyboard.press('/');
    await page.getByRole('searchbox').pressSequentially('bir');
    await page.getByRole('list', { name: 'Search' }).getByRole('link', { name: /Cockatoo/ }).waitFor();
    await page.getByRole('searchbox').pressSequentially('dsx');
    await page.getByText('Nothing found for “birdsx”').waitFor();
    await page.keyboard.press('Backspace');
    await page.getByRole('link', { name: 'Birds', exact: true }).first().waitFor();
    assert.match(page.url(), /\/search\?q=birds$/);
    await page.getByRole('main').getByRole('link', { name: 'Birds', exact: true }).first().click();
  });

  it('stays quick with ten thousand titles', async () => {
    await open();
    await how({ many: 10_000 });
    await page.goto(`${mock.url}/browse`);
    await page.locator('.grid .card').first().waitFor();
    for (let i = 0; i < 12; i += 1) {
      const before = await page.locator('.grid .card').count();
      await page.mouse.wheel(0, 4000);
      await page.waitForFunction((n) => document.querySelectorAll('.grid .card').length > n, before);
    }
    const { shown, asked } = await page.evaluate(() => ({
      shown: document.querySelectorAll('.grid .card').length,
      asked: performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/titles?')).length,
    }));
    assert.ok(shown >= 700 && asked <= shown / 60 + 1, `${shown} titles by ${asked} requests`);
    const place = await page.evaluate(() => scrollY);
    await page.locator('.grid .card').nth(400).scrollIntoViewIfNeeded();
    const left = await page.evaluate(() => scrollY);
    assert.ok(left !== place);
    await page.locator('.grid .card').nth(400).click();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.goBack();
    await page.waitForFunction((y) => Math.abs(scrollY - y) < 200, left);
  });

  it('is whole without a single film, and when the service is away', async () => {
    expected.push(/status of (503|404)/);
    await open();
    await how({ empty: true });
    await page.goto(mock.url);
    await page.getByRole('heading', { name: 'Nothing is playing yet' }).waitFor();
    await how({ empty: false });
    await page.getByRole('heading', { name: 'New here' }).waitFor(); // by itself
    await how({ empty: true });
    await page.getByRole('link', { name: 'My list' }).click();
    await page.getByRole('heading', { name: 'Your list is empty' }).waitFor();
    await page.goto(`${mock.url}/title/sintel`);
    await page.getByRole('heading', { name: 'This title is not here' }).waitFor();
    await page.goto(`${mock.url}/no/such/page`);
    await page.getByRole('heading', { name: 'This page does not exist' }).waitFor();
    await how({ empty: false, fail: '/api/v1/home' });
    await page.goto(mock.url);
    await page.getByRole('alert').filter({ hasText: 'Wait a moment' }).waitFor();
    await how({ fail: null });
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { name: 'New here' }).waitFor();
  });

  it('fits a phone: tabs, sheets, taps', async () => {
    await open('phone');
    for (const path of ['/', '/title/phone', '/title/blupi', '/browse', '/search?q=a', '/list']) {
      await page.goto(mock.url + path);
      await page.locator('main .card, main .hero, main .grid').first().waitFor();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
    }
    const bar = await page.getByRole('navigation', { name: 'Main' }).boundingBox();
    assert.ok(bar.y > 760, 'the tabs are at the thumb');
    await page.goto(`${mock.url}/title/sintel`);
    await page.getByRole('link', { name: /Resume/ }).tap();
    await playing();
    await until(() => document.querySelector('.player.asleep'));
    await page.locator('.player .touch').tap({ position: { x: 190, y: 200 } });
    await page.locator('.player.awake').waitFor();
    assert.equal(await video((v) => v.paused), false, 'the tap that shows the controls does not press them');
    await page.getByRole('button', { name: /^Quality/ }).tap();
    const sheet = await page.getByRole('menu').boundingBox();
    assert.ok(Math.abs(sheet.x) < 1 && Math.abs(sheet.width - 390) < 1 && sheet.y + sheet.height >= 843, 'a sheet at the foot');
    await page.getByRole('menuitemradio', { name: '360p' }).tap();
    await page.getByRole('button', { name: 'Pause' }).first().tap();
    await until(() => document.querySelector('video').paused);
  });
});
