// SPDX-License-Identifier: GPL-3.0-or-later
//
// A page for the players, their scripts, and a film beside them on one origin: from a folder, or
// handed through from a running server.
//
//   node server.mjs --folder DIR [--host ADDRESS]    prints its origin, and serves until it is killed
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const modules = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'node_modules');

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.mpd': 'application/dash+xml',
  '.m4s': 'video/iso.segment',
  '.mp4': 'video/mp4',
  '.vtt': 'text/vtt',
  '.jpg': 'image/jpeg',
};

const scripts = {
  '/hls.js': 'hls.js/dist/hls.min.js',
  '/shaka.js': 'shaka-player/dist/shaka-player.compiled.js',
};

const page = `<!doctype html><meta charset=utf-8><title>play</title>
<video id=v muted playsinline width=640 height=360></video>
<script src=/hls.js></script><script src=/shaka.js></script>`;

function sendFile(file, response) {
  fs.readFile(file, (error, bytes) => {
    if (error) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': types[path.extname(file)] ?? 'application/octet-stream',
      'content-length': bytes.length,
    });
    response.end(bytes);
  });
}

async function handThrough(target, response, headers) {
  try {
    const answer = await fetch(target, { headers });
    response.writeHead(answer.status, {
      'content-type': answer.headers.get('content-type') ?? 'application/octet-stream',
    });
    response.end(Buffer.from(await answer.arrayBuffer()));
  } catch (error) {
    response.writeHead(502).end(String(error));
  }
}

// `folder`: of a package; or `url`: where a package's files are below (ends in "/"); `headers`: to
// send with each request to it (a bearer token). `edit`: (name, bytes) => bytes, to plant faults.
export async function servePackage({ folder, url, headers = {}, edit, host = '127.0.0.1' }) {
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, 'http://x').pathname);
    if (name === '/') {
      response.writeHead(200, { 'content-type': types['.html'] }).end(page);
    } else if (scripts[name]) {
      sendFile(path.join(modules, scripts[name]), response);
    } else if (name.startsWith('/film/') && url) {
      handThrough(new URL(name.slice('/film/'.length), url), response, headers);
    } else if (name.startsWith('/film/') && !name.includes('..')) {
      const file = path.join(folder, name.slice('/film/'.length));
      if (edit && fs.existsSync(file)) {
        response.writeHead(200, { 'content-type': types[path.extname(file)] ?? 'text/plain' });
        response.end(edit(name.slice('/film/'.length), fs.readFileSync(file)));
      } else {
        sendFile(file, response);
      }
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, host, done));
  return {
    origin: `http://${host}:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { folder: { type: 'string' }, host: { type: 'string', default: '127.0.0.1' } } });
  console.log((await servePackage(values)).origin);
}
