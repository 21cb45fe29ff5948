// SPDX-License-Identifier: GPL-3.0-or-later
//
// The real service for tests of its pages: a data folder, the program beside it, and a browser.
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = join(root, 'ui/dist');
const marquee = process.env.MARQUEE;
export const run = promisify(execFile);
export const missing = !marquee ? 'MARQUEE names no program' : !existsSync(join(dist, 'index.html')) ? 'ui/dist is not built' : false;

export const openBrowser = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required', '--mute-audio'],
  });

/** A data folder and its service. `address` is where browsers go; what the page loads comes through `line`. */
export class RealService {
  data = mkdtempSync(join(tmpdir(), 'marquee-service-'));
  #child = null;
  #port = 0;
  #sockets = new Set();
  #line = null;
  #cut = null; // {bytes, done}: the line breaks once so many more bytes went to the service
  address = '';

  /** `more`: further options of `marquee serve`. */
  async start(more = []) {
    this.#child = spawn(marquee, ['serve', '--data', this.data, '--port', '0', '--ui', dist, ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
    const child = this.#child;
    this.#port = await new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`serve ended with ${code}`)));
      child.stdout.on('data', (text) => {
        const found = /http:\/\/[\d.]+:(\d+)/.exec(String(text));
        if (found) resolve(Number(found[1]));
      });
    });
    if (!this.#line) await this.#openLine();
    return this;
  }

  /** Between browser and service: keeps its address while the service is started anew, and breaks when it is told to. */
  async #openLine() {
    this.#line = net.createServer((near) => {
      const far = net.connect(this.#port, '127.0.0.1');
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => {}); // the other end hears of it by the close
        socket.on('close', () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      far.pipe(near);
      near.on('data', (bytes) => {
        far.write(bytes);
        if (!this.#cut || (this.#cut.bytes -= bytes.length) > 0) return;
        const { done } = this.#cut;
        this.#cut = null;
        this.hangUp();
        done();
      });
    });
    await new Promise((resolve) => this.#line.listen(0, '127.0.0.1', resolve));
    this.address = `http://127.0.0.1:${this.#line.address().port}`;
  }

  hangUp() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Resolves when the line was broken, after so many more bytes from browsers. */
  breakAfter(bytes) {
    return new Promise((done) => {
      this.#cut = { bytes, done };
    });
  }

  /** How it ended. */
  async kill(signal) {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('exit', (code, by) => resolve(by ?? code)));
    child.kill(signal);
    return ended;
  }

  async stop() {
    await this.kill('SIGTERM');
    this.hangUp();
    this.#line?.close();
    rmSync(this.data, { recursive: true, force: true });
  }

  cli(...args) {
    return run(marquee, [...args, '--data', this.data], { maxBuffer: 1 << 24 });
  }

  async json(...args) {
    return JSON.parse((await this.cli(...args, '--json')).stdout);
  }

  /** Where `name` signs in, once. */
  async link(name) {
    const { stdout } = await this.cli('user', 'link', name);
    return this.address + new URL(/\S*\/link\/\S+/.exec(stdout)[0], this.address).pathname;
  }
}

export const screens = {
  desk: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

/** A page whose complaints are collected. */
export async function openPage(browser, screen, complaints) {
  const context = await browser.newContext(screens[screen]);
  const page = await context.newPage();
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && complaints.push(`${m.text()} ${m.location().url}`));
  page.on('pageerror', (e) => complaints.push(e.message));
  return page;
}
