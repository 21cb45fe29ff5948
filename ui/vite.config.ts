// SPDX-License-Identifier: GPL-3.0-or-later
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const server = process.env.MARQUEE_URL ?? 'http://127.0.0.1:8080';

// In development, what is no file is a page: the server does the same (docs/plan, table of routes).
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

export default defineConfig({
  plugins: [pages()],
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
