// SPDX-License-Identifier: GPL-3.0-or-later
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const server = process.env.MARQUEE_URL ?? 'http://127.0.0.1:8080';

// In development, what is no file is a page: the server does the same (docs/api.md, pages).
const pages = (): Plugin => ({
  name: 'marquee-pages',
  configureServer(vite) {
    vite.middlewares.use((request, _response, next) => {
      const url = request.url ?? '/';
      if (/^\/desk(\/[^.?]*)?(\?|$)/.test(url)) request.url = '/desk/index.html';
      next();
    });
  },
});

// Beside each text lie its .br and .gz, made once here, so that the server compresses nothing while it serves.
const variants = (): Plugin => ({
  name: 'marquee-variants',
  apply: 'build',
  closeBundle() {
    const dist = here('./dist');
    for (const name of readdirSync(dist, { recursive: true }) as string[]) {
      if (!/\.(js|css|html|svg)$/.test(name)) continue;
      const path = join(dist, name);
      const bytes = readFileSync(path);
      writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
      writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }));
    }
  },
});

export default defineConfig({
  plugins: [pages(), variants()],
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2020',
    cssCodeSplit: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the pages' policy allows no data: scripts or fonts
    chunkSizeWarningLimit: 1000, // the player; what comes before it has a test of its own
    rollupOptions: { input: { watch: here('./index.html'), desk: here('./desk/index.html') } },
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ['/api', '/media', '/art', '/link', '/healthz'].map((path) => [path, { target: server }]),
    ),
  },
  test: { include: ['src/**/*.test.{ts,tsx}'] },
} as Parameters<typeof defineConfig>[0]);
