// SPDX-License-Identifier: GPL-3.0-or-later
// level: full
// minutes: 2
//
// Signals and incidents at the real service: numbers that are sent come up in the explorer and on a dashboard; one server turns slow, an
// alert fires and is acknowledged, the server is found among its peers, held for a person, approved, taken out and put back; the alert
// ends. On a big screen and on a phone.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freeUdpPort, until } from '../scenario/series_service.mjs';
import { missing, openBrowser, openPage, RealService, screens } from './real_service.mjs';

const servers = Array.from({ length: 14 }, (_, i) => `web-${String(i + 1).padStart(2, '0')}`);
const SICK = 'web-03';

describe('signals and incidents of the service', { skip: missing }, () => {
  const service = new RealService();
  const complaints = [];
  const socket = dgram.createSocket('udp4');
  let browser, page, udp, beat;
  let slow = 0.05; // seconds that the sick one takes

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
    // A second stands for a minute.
    writeFileSync(join(conf, 'peers.yaml'), `schema: 1
clusters:
  - name: web
    server: node
    step_s: 1
    window_s: 5
    windows: 3
    enough: 2
    warm_up_s: 5
    min_peers: 8
    metrics:
      - {name: time, query: "name,web.time,:eq,:max,(,node,),:by", statistic: median, compare: ratio, side: above, least: 0.08}
      - {name: requests, query: "name,web.requests,:eq,:sum,(,node,),:by", statistic: mean, compare: ratio, least: 0.08}
`);
    await service.cli('user', 'add', 'olga', '--role', 'operator');
    udp = await freeUdpPort();
    await service.start(['--series-udp', String(udp), '--series-step', '1', '--conf', conf]);
    // Alike, but not equal: each beat another twentieth.
    let beats = 0;
    const send = () => {
      beats += 1;
      const about = (value, i) => (value * (1 + ((beats * 7 + i * 13) % 11 - 5) / 100)).toFixed(5);
      socket.send(servers.flatMap((node, i) => [
        `g:web.time,node=${node}:${about(node === SICK ? slow : 0.05, i)}`, `c:web.requests,node=${node}:${about(5, i + 3)}`]).join('\n'), udp, '127.0.0.1');
    };
    send();
    beat = setInterval(send, 250);
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
    for (const node of servers.slice(0, 5)) await page.getByRole('row', { name: new RegExp(`^${node}`) }).waitFor();
    await page.locator('.chart canvas').first().waitFor();
    await picture('signals');
    await onPhone('signals');
    const fetched = (format) => page.getByRole('link', { name: format, exact: true }).evaluate(async (link) => {
      const answer = await fetch(link.href);
      return [answer.status, answer.headers.get('content-type'), (await answer.text()).slice(0, 4000)];
    });
    const [status, type, bytes] = await fetched('PNG');
    assert.deepEqual([status, type], [200, 'image/png']);
    assert.match(bytes, /PNG/);
    assert.match((await fetched('CSV'))[2], /web-03/);
  });

  it('shows a dashboard that lies in the folder', async () => {
    await page.goto(`${service.address}/desk/dashboards`);
    await page.getByRole('link', { name: /The web/ }).click();
    await page.waitForFunction(() => document.querySelectorAll('.chart canvas').length === 2);
    await picture('dashboard');
    await onPhone('dashboard');
  });

  it('fires, and is acknowledged under the eyes of who looks', async () => {
    await page.goto(`${service.address}/desk/incidents`);
    await page.getByRole('heading', { name: 'Incidents', level: 1 }).waitFor();
    await picture('incidents_quiet');
    slow = 3;
    await page.getByText('A node answers slowly').waitFor();
    await page.getByText(`node=${SICK}`).waitFor();
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await page.getByText('by olga').waitFor();
  });

  it('finds the server among its peers, holds it for a person, and tells what was done', async () => {
    await page.goto(`${service.address}/desk/incidents`);
    await page.getByRole('link', { name: SICK, exact: true }).waitFor({ timeout: 60_000 });
    await picture('incidents');
    await onPhone('incidents');
    await page.getByRole('link', { name: SICK, exact: true }).click();
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('button', { name: 'Put back into service' }).waitFor();
    await page.getByText('The audit trail is whole').waitFor();
    await page.locator('.time-line li', { hasText: 'Approved' }).getByText('olga').waitFor();
    await page.getByRole('row', { name: /^time/ }).waitFor();
    await picture('incident');
    await onPhone('incident');
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture('incident_dark');
    await page.emulateMedia({ colorScheme: null });
    await page.getByRole('button', { name: 'Put back into service' }).click();
    await page.getByRole('button', { name: 'Put back into service' }).waitFor({ state: 'detached' });
    const trail = await service.json('audit', 'verify');
    assert.ok(trail.entries > 4);
    const { audit } = await service.json('audit', 'list', '--subject', `server/web/${SICK}`);
    assert.ok(audit.length > 4 && audit.every((entry) => entry.subject === `server/web/${SICK}`), 'no other server was touched');
  });

  it('ends when the server is well again, and stays in sight', async () => {
    await page.goto(`${service.address}/desk/incidents`);
    slow = 0.05;
    await page.getByRole('heading', { name: 'Ended' }).waitFor({ timeout: 60_000 });
    await page.getByRole('link', { name: 'A node answers slowly' }).first().click();
    await page.getByText('Resolved').first().waitFor();
    await picture('alert');
    await onPhone('alert');
  });
});
