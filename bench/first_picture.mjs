// SPDX-License-Identifier: GPL-3.0-or-later
// node bench/first_picture.mjs DATA [ROUNDS]: serves a data folder on loopback, opens the page of its first title in a
// new browser profile each round, presses Play, and tells how long it takes to the first picture on the screen
// (requestVideoFrameCallback). It adds a viewer named bench-viewer. MARQUEE names the program, CHROMIUM the browser.
import { execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { chromium } = createRequire(new URL('../test/package.json', import.meta.url))('playwright-core');
const [data, rounds = '5'] = process.argv.slice(2);
if (!data) throw new Error('usage: node bench/first_picture.mjs DATA [ROUNDS]');
const marquee = process.env.MARQUEE ?? `${root}build/release/src/app/marquee`;
const LIMIT_MS = 1000;

const user = 'bench-viewer';
if (!execFileSync(marquee, ['user', 'list', '--data', data], { encoding: 'utf8' }).includes(user))
  execFileSync(marquee, ['user', 'add', user, '--role', 'viewer', '--password-stdin', '--data', data], { input: 'a long enough password\n' });
const service = spawn(marquee, ['serve', '--data', data, '--port', '0', '--ui', `${root}ui/dist`], { stdio: ['ignore', 'pipe', 'inherit'] });
const address = await new Promise((resolve, reject) => {
  service.on('exit', (code) => reject(new Error(`serve ended with ${code}`)));
  service.stdout.on('data', (text) => {
    const found = /http:\/\/[\d.]+:\d+/.exec(String(text));
    if (found) resolve(found[0]);
  });
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required', '--mute-audio'],
});

// From the click to the moment a frame is handed to the screen, by the page's own clock.
async function firstPicture() {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const link = execFileSync(marquee, ['user', 'link', user, '--data', data], { encoding: 'utf8' });
  await page.goto(address + new URL(/\S*\/link\/\S+/.exec(link)[0], address).pathname);
  const { titles } = await page.evaluate(async () => (await fetch('/api/v1/titles')).json());
  await page.goto(`${address}/title/${titles[0].id}`);
  const play = page.getByRole('link', { name: /^(Play|Resume)/ }).first();
  await play.waitFor();
  await page.evaluate(() => {
    const watch = new MutationObserver(() => {
      const video = document.querySelector('video');
      if (!video) return;
      watch.disconnect();
      video.requestVideoFrameCallback((now) => { window.firstPicture = now; });
    });
    watch.observe(document.body, { childList: true, subtree: true });
    document.addEventListener('click', (event) => { window.clicked = event.timeStamp; }, { capture: true, once: true });
  });
  await play.click();
  await page.waitForFunction(() => window.firstPicture, null, { timeout: 30_000 });
  const ms = await page.evaluate(() => Math.round(window.firstPicture - window.clicked));
  await context.close();
  return ms;
}

const times = [];
try {
  for (let i = 0; i < Number(rounds); i += 1) times.push(await firstPicture());
} finally {
  await browser.close();
  service.removeAllListeners('exit');
  service.kill('SIGTERM');
}
const sorted = [...times].sort((a, b) => a - b);
const median = sorted[Math.floor(sorted.length / 2)];
console.log(`first picture after ${times.join(', ')} ms; median ${median} ms (limit ${LIMIT_MS})`);
process.exit(median < LIMIT_MS ? 0 : 1);
