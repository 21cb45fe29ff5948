// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 2
//
// Signals and incidents at the real service: numbers that are sent come up in the explorer and on a dashboard, an alert fires and is
// acknowledged, a suspect is held by a guard, approved by a person and treated; on a big screen and on a phone.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freeUdpPort, until } from '../scenario/series_service.mjs';
import { missing, openBrowser, openPage, RealService, screens } from './real_service.mjs';

const servers = ['web-1', 'web-2', 'web-3', 'web-4', 'web-5'];

describe('signals and incidents of the service', { skip: missing }, () => {
  const service = new RealService();
  const complaints = [];
  const socket = dgram.createSocket('udp4');
  let browser, page, udp, beat;
  let slow = 0.05; // seconds that web-3 takes

  const noSidewaysScroll = async () =>
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, page.url());
  const picture = async (name) => {
    await noSidewaysScroll();
    if (process.env.MARQUEE_PICTURES) await page.screenshot({ path: join(process.env.MARQUEE_PICTURES, `${name}.png`), fullPage: true });
  };
  const onPhone = async (name) => {
    await page.setViewportSize(screens.phone.viewport);
    await picture(`${name}_phone`);
    await page.setViewportSize(screens.desk.viewport);
  };

  before(async () => {
    const conf = join(service.data, 'conf');
    mkdirSync(join(conf, '../dashboards'), { recursive: true });
    mkdirSync(conf, { recursive: true });
    writeFileSync(join(service.data, 'dashboards/web.yaml'), `title: The web
rows:
  - title: Answers
    graphs:
      - {title: Time by node, q: "name,web.time,:eq,:max,(,node,),:by", unit: s}
      - {title: Requests, q: "name,web.requests,:eq,:sum", unit: /s}
`);
    writeFileSync(join(conf, 'alerts.yaml'), `schema: 1
channels: [{name: nobody, exec: ["true"]}]
rules:
  - {name: slow-web, summary: A node answers slowly, expr: "name,web.time,:eq,:max,(,node,),:by", above: 1, for_s: 0, resolve_for_s: 0, channels: [nobody]}
`);
    writeFileSync(join(conf, 'clusters.yaml'), `schema: 1
clusters:
  - name: web
    owner: web@example.org
    action: remove
    servers: [${servers.map((name) => `{name: ${name}, address: "127.0.0.1:1"}`).join(', ')}]
    discovery: {driver: exec, run: ["true"]}
    forensics: [{name: state, run: [echo, "{server} was looked at"]}]
    guards: {max_share_percent: 20, approval: true}
`);
    await service.cli('user', 'add', 'olga', '--role', 'operator');
    udp = await freeUdpPort();
    await service.start(['--series-udp', String(udp), '--series-step', '5', '--conf', conf]);
    const send = () => socket.send(servers.flatMap((node) => [
      `g:web.time,node=${node}:${node === 'web-3' ? slow : 0.05}`, `c:web.requests,node=${node}:20`]).join('\n'), udp, '127.0.0.1');
    send();
    beat = setInterval(send, 1000);
    browser = await openBrowser();
    page = await openPage(browser, 'desk', complaints);
    await page.goto(await service.link('olga'));
    await page.getByRole('heading', { name: 'Films', level: 1 }).waitFor();
  });
  after(async () => {
    clearInterval(beat);
    socket.close();
    await browser?.close();
    await service.stop();
    assert.deepEqual(complaints, [], 'the console is quiet');
  });

  it('draws what was sent, a line for each node, and the same as a picture and as CSV', async () => {
    await page.goto(`${service.address}/desk/signals`);
    await page.getByPlaceholder('Find a name').fill('web.t');
    await until('the name', async () => {
      const again = page.getByRole('button', { name: 'Try again' });
      if (await again.count()) await again.click();
      return page.getByRole('button', { name: 'web.time' }).count();
    });
    await page.getByRole('button', { name: 'web.time' }).click();
    await page.locator('summary', { hasText: 'node' }).click();
    await page.locator('.tag-key[open]').getByLabel('A line for each').check();
    for (const node of servers) await page.getByRole('row', { name: new RegExp(`^${node}`) }).waitFor();
    await page.locator('.chart canvas').first().waitFor();
    await picture('signals');
    await onPhone('signals');
    const fetched = (format) => page.getByRole('link', { name: format, exact: true }).evaluate(async (link) => {
      const answer = await fetch(link.href);
      return [answer.status, answer.headers.get('content-type'), (await answer.text()).slice(0, 400)];
    });
    const [status, type, bytes] = await fetched('PNG');
    assert.deepEqual([status, type], [200, 'image/png']);
    assert.match(bytes, /PNG/);
    assert.match((await fetched('CSV'))[2], /web-3/);
  });

  it('shows a dashboard that lies in the folder', async () => {
    await page.goto(`${service.address}/desk/dashboards`);
    await page.getByRole('link', { name: /The web/ }).click();
    await page.waitForFunction(() => document.querySelectorAll('.chart canvas').length === 2);
    await picture('dashboard');
    await onPhone('dashboard');
  });

  it('fires, is acknowledged, and resolves under the eyes of who looks', async () => {
    await page.goto(`${service.address}/desk/incidents`);
    await page.getByRole('heading', { name: 'Incidents', level: 1 }).waitFor();
    await picture('incidents_quiet');
    slow = 3;
    await page.getByText('A node answers slowly').waitFor();
    await page.getByText('node=web-3').waitFor();
    await picture('incidents');
    await onPhone('incidents');
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await page.getByText('by olga').waitFor();
    slow = 0.05;
    await page.getByRole('heading', { name: 'Ended' }).waitFor({ timeout: 60_000 });
    await page.getByText('Resolved').waitFor();
    await picture('incidents_ended');
  });

  it('holds what needs a person; approved, it is done, and the trail tells it', async () => {
    const at = (s) => new Date(Date.now() - s * 1000).toISOString().replace(/\.\d+Z/, 'Z');
    await page.goto(`${service.address}/desk/incidents`);
    const said = await page.evaluate(async (body) => (await fetch('/api/v1/suspicions', {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).status, {
      cluster: 'web', rule: 'scenario@1', window_start: at(120), window_end: at(1), data: at(1), members: 5, reporting: 5,
      suspects: [{ server: 'web-3', since: at(120), score: 9, evidence: {
        outlier_in: 3, of: 3, metrics: [{ metric: 'time', value: 3, peers: 0.05, away: 41.5 }, { metric: 'requests', value: 20, peers: 20, away: 0 }] } }],
    });
    assert.equal(said, 204);
    await page.getByRole('link', { name: 'web-3' }).click();
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('button', { name: 'Put back into service' }).waitFor();
    await page.getByText('The audit trail is whole').waitFor();
    await page.locator('.time-line li', { hasText: 'Approved' }).getByText('olga').waitFor();
    await picture('incident');
    await onPhone('incident');
    await page.getByRole('button', { name: 'Put back into service' }).click();
    await page.getByRole('button', { name: 'Put back into service' }).waitFor({ state: 'detached' });
    await picture('incident_undone');
    const trail = await service.json('audit', 'verify');
    assert.ok(trail.entries > 4);
  });
});
