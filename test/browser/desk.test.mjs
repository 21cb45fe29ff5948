// SPDX-License-Identifier: GPL-3.0-or-later
//
// The operators' pages in headless Chromium, as an operator uses them: sign in by link, drop a film, watch it go
// through, read its report frame by frame, waive and take back, follow a job and its log; by keyboard, on a phone, with
// ten thousand rows and with none. Against the mock server of ui/dev, whose film is real where shared data is there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = join(root, 'ui/dist');
const clip = join(process.env.MARQUEE_SHARED ?? join(root, '../shared'), 'data/media/clips/sintel_trailer-720p.mp4');
const missing = !existsSync(join(dist, 'desk/index.html'))
  ? 'ui/dist is not built'
  : spawnSync('ffmpeg', ['-version']).status !== 0
    ? 'ffmpeg is not installed'
    : false;

const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const screens = {
  desk: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

describe('the desk', { skip: missing }, () => {
  let startMock;
  let browser;
  let mock;
  let context;
  let page;
  let complaints = [];
  const folder = mkdtempSync(join(tmpdir(), 'marquee-desk-'));
  const film = existsSync(clip) ? clip : null;

  const how = (change) => fetch(`${mock.address}/mock`, { method: 'POST', body: JSON.stringify(change) });

  async function open(screen = 'desk', options = {}) {
    mock = await startMock({ film, dist, ...options });
    context = await browser.newContext(screens[screen]);
    page = await context.newPage();
    page.on('console', (m) => {
      if (['error', 'warning'].includes(m.type())) complaints.push(m.text());
    });
    page.on('pageerror', (e) => complaints.push(e.message));
    if (options.link !== false) {
      await page.goto(`${mock.address}/link/demo`);
      await page.getByRole('heading', { name: 'Films', level: 1 }).waitFor();
    }
  }
  const refused = () => mock.state.deliveries.find((d) => d.state === 'refused');
  const toReport = async () => {
    await page.goto(`${mock.address}/desk/films/${refused().id}`);
    await page.locator('.screen').waitFor();
  };
  const exactly = (frame) => page.locator(`.screen[data-frame="${frame}"][data-exact="true"] img`).waitFor();
  const eventually = async (test) => {
    const end = Date.now() + 20_000;
    while (!test()) {
      assert.ok(Date.now() < end, `in time: ${test}`);
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
  };
  const until = (test) => page.waitForFunction(test);
  const noSidewaysScroll = async () =>
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);

  before(async () => {
    ({ startMock } = await import(join(root, 'ui/dev/mock-desk.mjs')));
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
  });
  afterEach(async () => {
    await context?.close();
    await mock?.stop();
    const said = complaints;
    complaints = [];
    assert.deepEqual(said, [], 'the console is quiet');
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const drop = async (name, bytes) => {
    const path = join(folder, name);
    writeFileSync(path, 'film');
    truncateSync(path, bytes);
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Choose files' }).first().click();
    await (await chooser).setFiles(path);
  };

  it('takes a film from a file to its report, and shows the frame of a finding', async () => {
    await open();
    await how({ speed: 40 });
    await drop('the.new_film-1080p.mkv', 3_000_000);
    await page.waitForURL('**/desk/ingest');
    const card = page.getByRole('article', { name: 'the.new_film-1080p.mkv' });
    assert.equal(await card.getByLabel('Title', { exact: true }).inputValue(), 'The New Film');
    await card.getByText('Uploaded. Say what it is').waitFor();
    await card.getByRole('button', { name: 'Deliver' }).click();
    await card.getByRole('link', { name: 'Open the film' }).click();
    await page.getByRole('heading', { name: 'The New Film', level: 1 }).waitFor();
    // It goes on by itself, without a reload: progress, then published, then the report.
    await page.locator('[data-state="published"]').waitFor({ timeout: 20_000 });
    await page.locator('[data-verdict="accept"]').waitFor();
    await page.locator('.screen').waitFor();

    await toReport();
    const finding = page.locator('[data-finding="decode_error"]');
    await finding.click();
    const at = mock.state.findings.find((f) => f.kind === 'decode_error').start_frame;
    await exactly(at);
    assert.equal(await page.locator('[data-pts]').innerText(), String(at));
    const two = (n) => String(n).padStart(2, '0');
    assert.equal(await page.locator('[data-timecode]').innerText(), `00:00:${two(Math.floor(at / 24))}:${two(at % 24)}`);
    await page.waitForURL(`**?frame=${at}`);
  });

  it('steps by frame, by second, by finding and by shot; a link leads to a frame', async () => {
    await open();
    await page.goto(`${mock.address}/desk/films/${refused().id}?frame=100`);
    await exactly(100);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await exactly(102);
    await page.keyboard.press('Shift+ArrowLeft');
    await exactly(78);
    await page.keyboard.press('End');
    const frames = await page.locator('.transport .faint').innerText();
    await exactly(Number(frames.replace(/\D/g, '')) - 1);
    await page.keyboard.press('Home');
    await exactly(0);
    await page.keyboard.press('n');
    await page.locator('.finding-list li.on').waitFor();
    // A click on the time line is the frame under the pointer.
    const box = await page.locator('.lane.pictures').boundingBox();
    await page.mouse.click(box.x + box.width / 2, box.y + 20);
    const shown = Number(await page.locator('.screen').getAttribute('data-frame'));
    const all = Number(frames.replace(/\D/g, ''));
    assert.ok(Math.abs(shown - all / 2) <= Math.ceil(all / box.width) + 1, `${shown} of ${all}`);
  });

  it('waives a finding with a reason and an end, and takes it back', async () => {
    await open();
    await toReport();
    await page.locator('[data-finding="decode_error"]').click();
    await page.keyboard.press('w');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Waive', exact: true }).click();
    assert.equal(await dialog.isVisible(), true, 'a waiver needs a reason');
    await dialog.getByLabel('Reason').fill('The archive has no better print');
    await dialog.getByRole('button', { name: '90 days' }).click();
    await dialog.getByRole('button', { name: 'Waive', exact: true }).click();
    await page.getByText('waived: The archive has no better print').waitFor();
    const kept = mock.state.findings.find((f) => f.kind === 'decode_error');
    assert.equal(kept.state, 'waived');
    assert.ok(Date.parse(kept.waived_until) > Date.now() + 89 * 86_400_000);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('waived: The archive has no better print').waitFor({ state: 'detached' });
    assert.equal(kept.state, 'open');

    await page.goto(`${mock.address}/desk/findings?q=state%3Awaived`);
    await page.getByRole('button', { name: 'Reopen' }).click();
    await page.getByText('No row fits these words.').waitFor();
  });

  it('follows a job live: graph, progress, log; cancels it and undoes that', async () => {
    await open();
    await how({ speed: 3 });
    await drop('running.mkv', 10_000);
    await page.getByRole('button', { name: 'Deliver' }).click();
    await page.getByRole('link', { name: 'Its job' }).click();
    const bar = page.locator('.big-progress [role=progressbar]');
    const value = async () => Number(await bar.getAttribute('aria-valuenow'));
    await page.waitForFunction(() => Number(document.querySelector('.big-progress [role=progressbar]')?.getAttribute('aria-valuenow')) > 0);
    await page.getByText(/ left$/).first().waitFor();
    const before = await value();
    await page.waitForFunction((x) => Number(document.querySelector('.big-progress [role=progressbar]').getAttribute('aria-valuenow')) > x, before);
    await page.getByRole('button', { name: /^inspect\.range: .* of 4 done/ }).waitFor();
    await page.locator('.steps tr', { hasText: 'encode/c000/h264' }).click({ timeout: 20_000 });
    await page.locator('.log pre', { hasText: 'PSNR-Y' }).waitFor();
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByRole('dialog').getByText('running').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByText('This job was cancelled.').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.facts-line [data-state="running"]').waitFor();
  });

  it('goes on with an upload after the line broke, after a pause and after a reload', async () => {
    await open();
    await how({ break_uploads: 4, slow_ms: 15 });
    await drop('large.mkv', 40_000_000);
    const card = () => page.getByRole('article', { name: 'large.mkv' });
    // The line breaks, and it goes on by itself, from where the server says.
    await eventually(() => mock.how.break_uploads === 0 && [...mock.state.uploads.values()][0].offset > 1_000_000);
    await card().getByRole('button', { name: 'Pause' }).click();
    await card().getByText('nothing is lost').waitFor();
    page.once('dialog', (d) => d.accept());
    await page.reload();
    await card().getByText('is on the server').waitFor();
    const kept = [...mock.state.uploads.values()][0].offset;
    assert.ok(kept > 1_000 && kept < 40_000_000, String(kept));
    await how({ slow_ms: 0 });
    const chooser = page.waitForEvent('filechooser');
    await card().getByRole('button', { name: 'Choose the same file' }).click();
    await (await chooser).setFiles(join(folder, 'large.mkv'));
    await card().getByText('Uploaded.').waitFor();
    assert.equal(mock.state.uploads.size, 1, 'no second upload was begun');
    assert.equal([...mock.state.uploads.values()][0].offset, 40_000_000);
    complaints = complaints.filter((c) => !/ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|Failed to load resource/.test(c));
  });

  it('edits a title, withdraws it and brings it back', async () => {
    await open();
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.getByRole('link', { name: 'Cockatoo' }).click();
    await page.getByLabel('Year').fill('1999');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    assert.equal(mock.state.titles.find((x) => x.name === 'Cockatoo').year, 1999);
    await page.getByRole('button', { name: 'Withdraw' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click();
    await page.getByText('viewers do not see it').waitFor();
    await page.getByRole('button', { name: 'Undo' }).last().click();
    await page.getByText('viewers do not see it').waitFor({ state: 'detached' });
    assert.equal(mock.state.titles.find((x) => x.name === 'Cockatoo').withdrawn, null);
  });

  it('finds everything from one field, and all of it by keyboard', async () => {
    await open();
    await page.keyboard.press('/');
    await page.keyboard.type('grand prix');
    await page.getByRole('option', { name: /French Grand Prix/ }).first().waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'French Grand Prix, 1906', level: 1 }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('f');
    await page.locator('.tbody .tr').first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    const name = await page.locator('.tr.at .name').innerText();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name, level: 1 }).waitFor();
    await page.goBack();
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByText('search everything').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('f');
    await page.keyboard.type('state:review');
    await page.getByText('1 of 10').waitFor();
    assert.match(page.url(), /q=state%3Areview/);
    await page.reload();
    await page.getByText('1 of 10').waitFor();
  });

  it('scrolls, sorts and filters ten thousand rows', async () => {
    await open('desk', { rows: 10_000 });
    await page.getByText('10,010 rows').waitFor();
    assert.ok((await page.locator('.tbody .tr').count()) < 80, 'only what is seen is in the document');
    await page.keyboard.press('End');
    await page.getByText('Reel 10000 of the archive').waitFor();
    await page.getByRole('button', { name: 'Size' }).click();
    await page.keyboard.press('Home');
    await page.getByText('Reel 10000 of the archive').waitFor();
    await page.locator('[data-filter]').fill('Reel 07777');
    await page.getByText('1 of 10,010').waitFor();
    await page.goto(`${mock.address}/desk/findings?q=kind%3Asilence+state%3Aopen`);
    await page.getByText(/1,001 of|of 1?\d,\d{3}/).waitFor();
  });

  it('says what to do when nothing is there and when something fails', async () => {
    await open('desk', { empty: true });
    await page.getByText('Drop a film anywhere').waitFor();
    for (const [path, text] of [['jobs', 'No jobs yet'], ['findings', 'Nothing is wrong'], ['requests', 'No requests']]) {
      await page.goto(`${mock.address}/desk/${path}`);
      await page.getByText(text).waitFor();
    }
    await page.goto(`${mock.address}/desk/nothing/here`);
    await page.getByText('There is no such page').waitFor();
    await page.goto(`${mock.address}/desk/films/unknown`);
    await page.getByText('There is no such thing here.').waitFor();
    await how({ fail: 'jobs' });
    await page.goto(`${mock.address}/desk/jobs`);
    await page.getByText('The database is locked.').waitFor();
    await how({ fail: null });
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('No jobs yet').waitFor();
    complaints = complaints.filter((c) => !/404|500/.test(c));
  });

  it('asks who one is, and comes back', async () => {
    await open('desk', { link: false });
    await page.goto(`${mock.address}/desk/jobs`);
    await page.getByLabel('Name').fill('olga');
    await page.getByLabel('Password').fill('wrong-password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('do not fit together').waitFor();
    await page.getByLabel('Password').fill('marquee-demo');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Jobs', level: 1 }).waitFor();
    complaints = complaints.filter((c) => !/401/.test(c));
  });

  it('shows a partner their part, and takes an answer to a request', async () => {
    await open('desk', { role: 'partner' });
    assert.equal(await page.getByRole('navigation').getByRole('link', { name: 'Jobs' }).count(), 0);
    await page.getByRole('navigation').getByRole('link', { name: 'Requests' }).click();
    await page.getByRole('link', { name: 'Sintel (trailer)' }).click();
    await page.getByText('Please deliver this film again').waitFor();
    const pictures = page.locator('.evidence-cards img');
    await pictures.first().evaluate((img) => img.decode());
    writeFileSync(join(folder, 'mended.mkv'), 'mended');
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Answer with a new file' }).click();
    await (await chooser).setFiles(join(folder, 'mended.mkv'));
    await page.getByRole('button', { name: 'Deliver' }).click();
    await page.getByRole('link', { name: 'Open the film' }).waitFor();
    assert.equal(mock.state.requests[0].state, 'answered');
    await page.goto(`${mock.address}/desk/jobs`);
    await page.getByText('not for your account').waitFor();
  });

  it('delivers after a reload what is whole on the server, with an age; an empty file is called empty', async () => {
    await open();
    await drop('whole.mkv', 300_000);
    const card = () => page.getByRole('article', { name: 'whole.mkv' });
    await card().getByText('Uploaded. Say what it is').waitFor();
    await page.reload();
    await card().getByText('Uploaded. Say what it is').waitFor();
    await card().getByLabel('From age').selectOption({ label: 'From 12' });
    await card().getByRole('button', { name: 'Deliver' }).click();
    await card().getByRole('link', { name: 'Open the film' }).waitFor();
    assert.deepEqual([mock.state.deliveries[0].file_name, mock.state.deliveries[0].maturity], ['whole.mkv', 12]);
    await drop('hollow.mkv', 0);
    await page.getByRole('article', { name: 'hollow.mkv' }).getByText('This file is empty').waitFor();
    assert.equal(mock.state.uploads.size, 0);
  });

  it('reads what a viewer reported: the words, the title, the second', async () => {
    await open();
    await page.goto(`${mock.address}/desk/findings?q=kind%3Aviewer_report`);
    const row = page.locator('.tbody .tr');
    await row.getByText('Sound: No sound at all').waitFor();
    const title = mock.state.titles[1];
    await row.getByRole('link', { name: title.name }).waitFor();
    assert.equal(await row.getByRole('link', { name: '00:01:05' }).getAttribute('href'), `/play/${title.id}?from=65`);
    await row.locator('.name').click(); // the whole of a long one
    await page.locator('aside').getByText('Sound: No sound at all').waitFor();
  });

  it('says who waits, what became of a film, and who was asked', async () => {
    await open();
    const [d] = mock.state.deliveries;
    const job = mock.state.jobs.find((j) => j.id === d.job_id);
    const was = { ...job };
    Object.assign(d, { state: 'received', verdict: null, waits_behind: 10 });
    Object.assign(job, { state: 'running', finished: null, waits_behind: 10, worked_us: 0, remaining_us: null });
    await page.goto(`${mock.address}/desk/jobs?q=state%3Awaiting`);
    await page.getByText('Waiting, 10 films before it').waitFor();
    assert.equal(await page.getByText(/ left$/).count(), 0);
    await page.goto(`${mock.address}/desk/films/${d.id}`);
    await page.getByText('Waiting, 10 films before it').waitFor();
    await page.goto(`${mock.address}/desk/ingest`);
    await page.getByText('1 film at work').waitFor();
    Object.assign(job, was, { waits_behind: null, worked_us: 700_000, result: { state: 'refused' } });
    await page.goto(`${mock.address}/desk/jobs?q=state%3Arefused`);
    await page.locator('.tbody .tr').getByText('700 ms').waitFor();
    await toReport();
    await page.locator('.verdict').getByText('Nobody was asked: the partner has no mail address.').waitFor();
  });

  it('changes people: role and plan, a sign-in link, removal by name', async () => {
    await open();
    await page.goto(`${mock.address}/desk/people`);
    const row = page.locator('tr', { hasText: 'vera' });
    await row.getByText('Premium').waitFor();
    await row.getByRole('button', { name: 'Change: vera' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Plan').selectOption('basic');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await row.getByText('Basic').waitFor();
    assert.deepEqual(mock.state.users.find((u) => u.name === 'vera').role, 'viewer');
    await row.getByRole('button', { name: 'Sign-in link: vera' }).click();
    await until(() => document.querySelector('[role=dialog] input, dialog input')?.value.endsWith('/link/vera'));
    await dialog.getByRole('button', { name: 'Close' }).first().click();
    await row.getByRole('button', { name: 'Remove: vera' }).click();
    assert.equal(await dialog.getByRole('button', { name: 'Remove' }).isDisabled(), true, 'by name only');
    await dialog.getByLabel('Name').fill('vera');
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await row.waitFor({ state: 'detached' });
    assert.equal(mock.state.users.some((u) => u.name === 'vera'), false);
    await noSidewaysScroll();
  });

  it('fits a phone, with one thumb', async () => {
    await open('phone');
    await noSidewaysScroll();
    await page.getByRole('button', { name: 'Open the menu' }).tap();
    await page.getByRole('link', { name: 'Findings' }).tap();
    await page.getByRole('heading', { name: 'Findings', level: 1 }).waitFor();
    await page.locator('.tbody .tr').first().waitFor();
    await noSidewaysScroll();
    await toReport();
    await page.getByRole('button', { name: 'Next frame (→)' }).tap();
    await page.locator('.screen[data-exact="true"]').waitFor();
    await page.locator('[data-finding="decode_error"]').tap();
    await exactly(mock.state.findings.find((f) => f.kind === 'decode_error').start_frame);
    await noSidewaysScroll();
    await page.goto(`${mock.address}/desk/jobs/${mock.state.jobs[0].id}`);
    await page.locator('.dag svg').waitFor();
    const dag = await page.locator('.dag svg').boundingBox();
    assert.ok(dag.width <= 390, `${dag.width}`);
    await noSidewaysScroll();
  });
});
