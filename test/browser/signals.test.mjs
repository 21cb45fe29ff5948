// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signals, dashboards and incidents in headless Chromium, against the mock of ui/dev: from a name to a chart, a range by dragging,
// a mistake in a question, a dashboard whose charts share one crosshair and one time; on a desk and on a phone.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = join(root, 'ui/dist');
const missing = existsSync(join(dist, 'desk/index.html')) ? false : 'ui/dist is not built';

describe('signals', { skip: missing }, () => {
  let startMock, browser, mock, context, page;
  let complaints = [];

  async function open(path, screen = { viewport: { width: 1440, height: 900 } }) {
    mock = await startMock({ film: null, dist });
    context = await browser.newContext(screen);
    page = await context.newPage();
    page.on('console', (m) => {
      if (['error', 'warning'].includes(m.type())) complaints.push(m.text());
    });
    page.on('pageerror', (e) => complaints.push(e.message));
    await page.goto(`${mock.address}/link/demo`);
    await page.getByRole('heading', { name: 'Films', level: 1 }).waitFor();
    await page.goto(`${mock.address}${path}`);
  }
  const chart = () => page.locator('.chart canvas').first();
  const query = () => new URL(page.url()).searchParams;
  const becomes = (name, value) =>
    page.waitForFunction(([n, v]) => new URLSearchParams(location.search).get(n) === v, [name, value]);

  before(async () => {
    ({ startMock } = await import(join(root, 'ui/dev/mock-desk.mjs')));
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    });
  });
  afterEach(async () => {
    await context?.close();
    await mock?.stop();
    const said = complaints;
    complaints = [];
    assert.deepEqual(said, [], 'the console is quiet');
  });
  after(() => browser?.close());

  it('goes from a name to its tags to a line for each, all of it in the address', async () => {
    await open('/desk/films');
    await page.getByRole('heading', { name: 'Films', level: 1 }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('s');
    await page.getByPlaceholder('Find a name').fill('HTTP.req');
    await page.getByRole('button', { name: 'marquee.http.requests' }).click();
    await chart().waitFor();
    await becomes('q', 'name,marquee.http.requests,:eq,:sum');
    await page.locator('summary', { hasText: 'status' }).click();
    await page.locator('.tag-key[open]').getByLabel('A line for each').check();
    await page.getByRole('row', { name: /^500/ }).waitFor();
    await page.locator('.tag-key[open]').getByLabel('404').check();
    await becomes('q', 'name,marquee.http.requests,:eq,status,404,:eq,:and,:sum,(,status,),:by');
    await page.reload();
    await chart().waitFor();
    assert.equal(await page.locator('summary', { hasText: 'status' }).locator('b').innerText().then((text) => text.trim()), '404');
    for (const format of ['PNG', 'CSV', 'JSON'])
      assert.match(await page.getByRole('link', { name: format, exact: true }).getAttribute('href'), /^\/atlas\/api\/v1\/graph\?q=name%2Cmarquee\.http\.requests.*&s=e-3h&e=now&format=/);
  });

  it('names the mistake of a question, and keeps it', async () => {
    await open('/desk/signals');
    await page.getByLabel('Question in the Atlas stack language').fill(':by');
    await page.keyboard.press('Enter');
    await page.getByText('the stack is empty at word 1').waitFor();
    assert.equal(await page.getByLabel('Question in the Atlas stack language').inputValue(), ':by');
    complaints = complaints.filter((c) => !/400/.test(c));
  });

  it('takes a range by dragging, and comes back to now', async () => {
    await open('/desk/signals?q=name,marquee.step.cpu,:eq,:sum');
    const box = await page.locator('.u-over').boundingBox();
    await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction(() => /^\d+$/.test(new URLSearchParams(location.search).get('s') ?? ''));
    const hours = (Number(query().get('e')) - Number(query().get('s'))) / 3.6e6;
    assert.ok(Math.abs(hours - 0.75) < 0.05, `a quarter of three hours: ${hours}`);
    await page.goBack();
    await becomes('s', null);
    await page.goForward();
    await page.getByRole('button', { name: 'Live' }).click();
    await becomes('e', 'now');
  });

  it('shows a dashboard: one time and one crosshair for all, and what has no values', async () => {
    await open('/desk/dashboards');
    await page.getByText('"graphs" is no list').waitFor();
    await page.getByRole('link', { name: /The service/ }).click();
    await page.getByRole('heading', { name: 'The service', level: 1 }).waitFor();
    await page.getByText('No values in this time.').waitFor();
    await page.waitForFunction(() => document.querySelectorAll('.chart canvas').length === 3);
    const box = await page.locator('.u-over').first().boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + 20);
    await page.waitForFunction(() => [...document.querySelectorAll('.chart figcaption time')].length === 3);
    const times = await page.locator('.chart figcaption time').allInnerTexts();
    assert.equal(new Set(times).size, 1, times.join(', '));
    await page.getByRole('combobox', { name: 'Time range' }).selectOption('12h');
    await becomes('s', 'e-12h');
    await page.getByRole('region', { name: 'Startup' }).getByRole('link', { name: 'Explore' }).click();
    await page.getByRole('heading', { name: 'Signals', level: 1 }).waitFor();
    await becomes('s', 'e-12h');
  });

  it('tells an incident: what differs, what was done, and lets a person decide', async () => {
    await open('/desk/incidents');
    await page.getByText('More than 1 % of plays fail').waitFor();
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await page.getByText('by olga').waitFor();
    await page.getByText('The audit trail is whole').waitFor();
    await page.getByRole('link', { name: 'edge-03' }).click();
    const line = page.locator('.time-line > li');
    const begun = line.filter({ hasText: 'Treatment began' });
    await line.filter({ hasText: 'Replaced, and the replacement serves' }).waitFor();
    await begun.locator('summary').click();
    await begun.getByText('"min_points": 4').waitFor();
    await page.getByRole('img', { name: '8.7 spreads from the peers' }).waitFor();
    await page.goto(`${mock.address}/desk/incidents/t3`);
    await page.getByText('too large a share').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Approve' }).count(), 0, 'a cap is nobody’s to lift');
    await page.goto(`${mock.address}/desk/incidents/t1`);
    await page.getByRole('button', { name: 'Approve' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('edge-12 of edge').waitFor();
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('Being treated').waitFor();
    assert.equal(mock.state.actions[0].approved_by, 'olga');
    await page.getByRole('heading', { name: 'What was run' }).waitFor();
    await page.getByText('What it printed').click();
    await page.getByText('"summary":"a queue is full"').waitFor();
  });

  it('shows a suspect among its peers, by pointer, by keys and as a table', async () => {
    await open('/desk/incidents/t2');
    const plot = page.getByRole('application', { name: /200 servers by latency of requests, errors; edge-03 stands apart/ });
    await plot.waitFor();
    assert.equal(await plot.locator('.own').count(), 1);
    assert.equal(await plot.locator('path.suspect').count(), 1, 'the other suspect has a shape of its own');
    assert.equal(await plot.locator('path.outlier').count(), 2);
    assert.equal(await plot.locator('circle.peer').count(), 196);
    const reads = page.locator('.plot-reads');
    await plot.focus();
    await page.keyboard.press('ArrowRight');
    await reads.getByText('edge-77, another suspect').waitFor();
    await page.keyboard.press('ArrowRight');
    await reads.getByText(/edge-03, this server: latency of requests .* \(\+8\.7 spreads\)/).waitFor();
    const own = await plot.locator('.own').boundingBox();
    await page.keyboard.press('Escape');
    await page.mouse.move(own.x + own.width / 2, own.y + own.height / 2);
    await reads.getByText('edge-03, this server').waitFor();
    await page.getByText('The same as a table').click();
    assert.match(await page.locator('.plot-table tbody tr').first().innerText(), /edge-77\s+another suspect/);
    // One time line: the suspicion, what was done, and the alert that fired meanwhile.
    const line = page.locator('.time-line > li');
    assert.match(await line.first().innerText(), /edge-03 is unlike its peers from here on/);
    await page.locator('.time-line').getByText('More than 1 % of plays fail: the alert fired').waitFor();
    await page.goto(`${mock.address}/desk/incidents/t3`);
    await page.getByText('too large a share').waitFor();
    assert.equal(await page.locator('.cluster-plot').count(), 0, 'what was not kept is not drawn');
  });

  it('shows what else changed when an alert fired, in words and pictures', async () => {
    await open('/desk/incidents');
    await page.getByRole('link', { name: 'More than 1 % of plays fail' }).click();
    const first = page.locator('.related-signal').first();
    await first.getByRole('heading', { name: 'disk.queue' }).waitFor();
    assert.match(await first.innerText(), /Changed 2 min before the alert’s series\. From 80 to 92 \(\+15 %\)\./);
    await first.getByRole('img', { name: 'disk.queue under the alert’s series, over the time in which they were compared' }).waitFor();
    await first.getByText('92 % of what calls took more began in store').waitFor();
    await first.getByText('Numbers').click();
    assert.match(await first.getByRole('link', { name: 'Picture (PNG)' }).getAttribute('href'), /\/alerts\/a1\/related\/0\/picture\?theme=(dark|light)$/);
    await page.getByText('Began 1 min before. Nothing before; 12 since.').waitFor();
    await page.getByText('Ended 1 min after. 300 until then; nothing since.').waitFor();
    assert.equal(await page.locator('.related-signal').count(), 5);
    await page.getByRole('button', { name: 'Show all 8' }).click();
    assert.equal(await page.locator('.related-signal').count(), 8);
    await page.getByRole('meter', { name: 'store: 92 %' }).waitFor();
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    await page.goto(`${mock.address}/desk/alerts/a2`);
    await page.getByText('Nothing could be related: nothing has values').waitFor();
  });

  it('shows an incident on a phone without scrolling sideways', async () => {
    await open('/desk/alerts/a1', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    await page.locator('.related-signal').first().waitFor();
    await page.locator('.cluster-plot').waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  });

  it('fits a phone', async () => {
    await open('/desk/signals?q=name,marquee.http.requests,:eq,:sum,(,route,),:by', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    await chart().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    const box = await chart().boundingBox();
    assert.ok(box.width <= 390 && box.width > 300, `${box.width}`);
  });
});
