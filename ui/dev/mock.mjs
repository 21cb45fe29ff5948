// SPDX-License-Identifier: GPL-3.0-or-later
// A small stand-in for `marquee serve`, for the viewers' pages: the API of docs/api.md with the demo films, the
// built pages with their Content-Security-Policy, and a real package to play. For development and for
// browser tests; nothing of it is shipped.
//
//   node dev/mock.mjs [--port 8099] [--films DIR]… [--dist DIR]
//   POST /mock {"empty":bool,"many":n,"streams":n,"slow_ms":n,"fail":"path","german":bool}  changes how it behaves; {"reset":true} undoes all
import { createReadStream, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { films, series } from './mock-films.mjs';
import { drawn, findFilm, pack, poster, thumbs } from './mock-media.mjs';

const types = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml',
  '.jpg': 'image/jpeg', '.vtt': 'text/vtt', '.mpd': 'application/dash+xml', '.m3u8': 'application/vnd.apple.mpegurl',
  '.m4s': 'video/iso.segment', '.mp4': 'video/mp4', '.json': 'application/json',
};
const CSP =
  "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

class Refusal extends Error {
  constructor(status, code, message, hint) {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}
const notFound = (what) => new Refusal(404, 'NOT_FOUND', `There is no ${what} here.`, 'It may have been withdrawn.');

const fresh = () => ({
  sessions: new Map(), plays: new Map(), serial: 0, problems: [], posted: [],
  positions: new Map([['sintel', 21_000_000], ['wanna', 131_000_000], ['blupi-2', 6_000_000]]),
  list: new Set(['birds', 'oa4']), ratings: new Map(),
  profiles: [
    { id: 'p1', name: 'Ada', avatar: 'amber', language: 'en', maturity: 18 },
    { id: 'p2', name: 'Grace', avatar: 'teal', language: 'en', maturity: 18 },
    { id: 'p3', name: 'The Little Ones', avatar: 'rose', language: 'en', maturity: 7 },
  ],
  how: { empty: false, many: 0, streams: 2, slow_ms: 0, fail: null, german: false },
});

export function startMock({ port = 0, folders = [], dist } = {}) {
  const temp = join(tmpdir(), 'marquee-mock');
  mkdirSync(temp, { recursive: true });
  let state = fresh();
  const everything = [...films, series, ...series.seasons[0].episodes];
  const byId = new Map(everything.map((title) => [title.id, title]));
  const sourceOf = (title) => findFilm(folders, title.file ?? series.seasons[0].episodes[0].file);

  const card = (title, why = null) => {
    const at = state.positions.get(title.id);
    return {
      id: title.id, kind: title.kind, name: title.name, year: title.year, duration_us: title.duration_us ?? null,
      poster: { url: `/art/${title.id}/poster.jpg`, width: 1280, height: 720, color: title.color },
      maturity: title.maturity ?? null, tags: title.tags ?? [], season: title.season ?? null, episode: title.episode ?? null,
      series_id: title.series_id ?? null,
      progress: at ? { position_us: at, duration_us: title.duration_us } : null,
      in_list: state.list.has(title.id), rating: state.ratings.get(title.id) ?? 0, why, quality: title.quality,
      synopsis: title.synopsis,
    };
  };
  const listed = () => (state.how.empty ? [] : [...films, series]);
  // Ten thousand titles for the pages that must stand them: the films over and over, under other names.
  const shelf = () =>
    state.how.many
      ? Array.from({ length: state.how.many }, (_, i) => ({ ...films[i % films.length], name: `${films[i % films.length].name} ${i + 1}`, shelf: i }))
      : listed();
  const like = (title) =>
    listed()
      .filter((other) => other.id !== title.id)
      .map((other) => [other.tags.filter((tag) => title.tags.includes(tag)), other])
      .sort((a, b) => b[0].length - a[0].length)
      .slice(0, 8)
      .map(([shared, other]) => card(other, shared.length ? `Also ${shared.join(', ')}` : null));
  const detail = (title) => ({
    ...card(title), synopsis: title.synopsis, credit: title.credit ?? null, licence: title.licence ?? null,
    licence_url: title.licence_url ?? null, source_url: title.source_url ?? null, people: title.people ?? [],
    seasons: (title.seasons ?? []).map((season) => ({
      number: season.number, name: season.name, episodes: season.episodes.map((episode) => card(episode)),
    })),
    more_like: like(title), audio: title.audio ?? [], captions: title.captions ?? [], published: '2026-03-01T10:00:00Z',
  });
  const home = () => {
    if (state.how.empty) return { billboard: null, rows: [] };
    const pick = (tag, why) => listed().filter((title) => title.tags.includes(tag)).map((title) => card(title, why));
    const going = [...state.positions.keys()].map((key) => byId.get(key)).filter(Boolean);
    const rows = [
      { id: 'continue', name: 'Continue watching', items: going.map((title) => card(title)) },
      { id: 'new', name: 'New here', items: listed().map((title) => card(title, 'Published this week')) },
      { id: 'list', name: 'My list', items: listed().filter((title) => state.list.has(title.id)).map((title) => card(title)) },
      { id: 'animation', name: 'Drawn and rendered', items: pick('Animation', 'Because you watched Sintel') },
      { id: 'nature', name: 'Feathers and weather', items: pick('Nature', 'Calm films in the evening') },
      { id: 'documentary', name: 'Things that happened', items: pick('Documentary', 'Popular this week') },
      { id: 'space', name: 'Leaving the ground', items: pick('Space', null) },
    ];
    return { billboard: card(byId.get('sintel'), 'Recently added'), rows: rows.filter((row) => row.items.length > 0) };
  };
  const search = (q) => {
    const words = q.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (text) => words.every((word) => text.toLowerCase().includes(word));
    const all = listed();
    const people = [...new Set(all.flatMap((title) => (title.people ?? []).map((person) => person.name)))];
    return {
      titles: all.filter((t) => fits([t.name, t.synopsis, ...t.tags, ...(t.people ?? []).map((p) => p.name)].join(' '))).map((t) => card(t)),
      people: people.filter(fits).map((name) => ({ name })),
      tags: [...new Set(all.flatMap((title) => title.tags))].filter(fits),
    };
  };
  const nextOf = (title) => {
    const episodes = series.seasons[0].episodes;
    const at = episodes.findIndex((episode) => episode.id === title.id);
    return at >= 0 && episodes[at + 1] ? card(episodes[at + 1]) : null;
  };

  const need = (key) => {
    const title = byId.get(key?.split('~')[0]);
    if (!title || state.how.empty) throw notFound('such title');
    return title;
  };
  const spoken = (profile) => (state.how.german ? { ...profile, language: 'de' } : profile);
  const routes = [
    ['GET', '/titles', ({ query }) => {
      const cards = shelf()
        .filter((t) => !query.get('tag') || t.tags.includes(query.get('tag')))
        .map((t) => ({ ...card(t), id: t.shelf === undefined ? t.id : `${t.id}~${t.shelf}` }));
      const from = query.get('after') ? cards.findIndex((one) => one.id === query.get('after')) + 1 : 0;
      return { titles: cards.slice(from, from + Number(query.get('limit') ?? 100)) };
    }],
    ['GET', '/titles/:id', ({ id }) => detail(need(id))],
    ['GET', '/home', home],
    ['GET', '/search', ({ query }) => search(query.get('q') ?? '')],
    ['GET', '/list', () => ({ titles: listed().filter((t) => state.list.has(t.id)).map((t) => card(t)) })],
    ['PUT', '/list/:id', ({ id }) => void state.list.add(need(id).id)],
    ['DELETE', '/list/:id', ({ id }) => void state.list.delete(id)],
    ['PUT', '/titles/:id/rating', ({ id, body }) => void state.ratings.set(need(id).id, body.value)],
    ['GET', '/profiles', () => ({ profiles: state.profiles.map(spoken) })],
    ['POST', '/profiles', ({ body }) => {
      if (!body.name?.trim()) throw new Refusal(422, 'INVALID', 'A profile needs a name.', 'Type one.');
      const profile = { id: `p${Date.now()}`, language: 'en', maturity: 18, ...body };
      state.profiles.push(profile);
      return profile;
    }],
    ['PATCH', '/profiles/:id', ({ id, body }) => {
      const profile = state.profiles.find((one) => one.id === id);
      if (!profile) throw notFound('such profile');
      return Object.assign(profile, body);
    }],
    ['DELETE', '/profiles/:id', ({ id }) => void (state.profiles = state.profiles.filter((one) => one.id !== id))],
    ['PUT', '/session/profile', ({ body, session }) => {
      const profile = state.profiles.find((one) => one.id === body.profile_id);
      session.profile = profile ? spoken(profile) : null;
      return session;
    }],
    ['POST', '/plays', ({ body }) => {
      const title = need(body.title_id);
      state.posted.push(body);
      if (state.plays.size >= state.how.streams) {
        throw new Refusal(409, 'STREAMS_USED', 'Your plan plays on two screens at once, and both are busy.', 'Stop one of the others, then try again.');
      }
      const film = title.kind === 'series' ? series.seasons[0].episodes[0] : title;
      const id = `play-${(state.serial += 1)}`;
      state.plays.set(id, film.id);
      return {
        id, hls: `/media/grant/${film.id}/master.m3u8`, dash: `/media/grant/${film.id}/manifest.mpd`,
        thumbnails: `/art/${film.id}/thumbs/thumbs.vtt`, position_us: state.positions.get(film.id) ?? 0,
        duration_us: film.duration_us, next: nextOf(film), heartbeat_s: 5, title: card(film),
      };
    }],
    ['PUT', '/plays/:id', ({ id, body }) => {
      const title = byId.get(state.plays.get(id));
      if (!title) throw notFound('such play');
      if (body.position_us > 0.95 * title.duration_us) state.positions.delete(title.id);
      else state.positions.set(title.id, body.position_us);
    }],
    ['DELETE', '/plays/:id', ({ id }) => void state.plays.delete(id)],
    ['POST', '/plays/:id/problem', ({ id, body }) => void state.problems.push({ title: state.plays.get(id), ...body })],
  ].map(([method, path, run]) => ({
    method, run, pattern: new RegExp(`^/api/v1${path.replace(/:id/, '([^/]+)')}$`),
  }));

  const json = (response, status, value, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
    response.end(value === undefined || value === null ? '' : JSON.stringify(value));
  };
  const sendFile = (request, response, path, cache) => {
    const size = statSync(path).size;
    const headers = { 'content-type': types[extname(path)] ?? 'application/octet-stream', 'cache-control': cache, 'accept-ranges': 'bytes' };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    if (!range) {
      response.writeHead(200, { ...headers, 'content-length': size });
      return void createReadStream(path).pipe(response);
    }
    const start = Number(range[1]);
    const end = Math.min(size - 1, range[2] ? Number(range[2]) : size - 1);
    response.writeHead(206, { ...headers, 'content-length': end - start + 1, 'content-range': `bytes ${start}-${end}/${size}` });
    createReadStream(path, { start, end }).pipe(response);
  };
  const sessionOf = (request) =>
    state.sessions.get(/marquee_session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '');
  const signIn = (response, name) => {
    const token = `s${(state.serial += 1)}-${Date.now()}`;
    const session = { token, user: { id: 'u1', name, role: name === 'operator' ? 'operator' : 'viewer' }, profile: null, plan: { id: 'home', name: 'Home', max_height: 1080, streams: state.how.streams } };
    state.sessions.set(token, session);
    response.setHeader('set-cookie', `marquee_session=${token}; HttpOnly; SameSite=Lax; Path=/`);
    return session;
  };

  const api = async (request, response, url, body) => {
    if (state.how.slow_ms) await new Promise((resolve) => setTimeout(resolve, state.how.slow_ms));
    if (state.how.fail && url.pathname.startsWith(state.how.fail)) {
      throw new Refusal(503, 'BUSY', 'The service is being restarted.', 'Wait a moment, then try again.');
    }
    if (url.pathname === '/api/v1/session' && request.method === 'POST') {
      if (body.password !== 'demo') throw new Refusal(401, 'UNKNOWN_USER', 'That name and password do not belong together.', 'Check both and try again.');
      return json(response, 200, signIn(response, body.name));
    }
    const session = sessionOf(request);
    if (!session && url.pathname === '/api/v1/session') return json(response, 200, null);
    if (!session) throw new Refusal(401, 'UNKNOWN_USER', 'You are not signed in.', 'Sign in to go on.');
    if (url.pathname === '/api/v1/session') {
      if (request.method === 'DELETE') {
        state.sessions.delete(session.token);
        return json(response, 204, null);
      }
      return json(response, 200, session);
    }
    for (const route of routes) {
      const hit = request.method === route.method && route.pattern.exec(url.pathname);
      if (!hit) continue;
      const value = route.run({ id: hit[1] && decodeURIComponent(hit[1]), query: url.searchParams, body, session });
      return json(response, value === undefined ? 204 : 200, value);
    }
    throw notFound('such route');
  };

  const art = async (request, response, url) => {
    const [, , id, ...rest] = url.pathname.split('/');
    const title = byId.get(id);
    if (!title) throw notFound('such picture');
    const source = sourceOf(title);
    const shape = title.kind === 'series' ? series.seasons[0].episodes[3] : title;
    if (rest[0] === 'poster.jpg') {
      const path = await poster(temp, title.kind === 'series' ? sourceOf(shape) : source, { ...shape, id: title.id });
      if (path) return sendFile(request, response, path, 'max-age=3600');
      response.writeHead(200, { 'content-type': types['.svg'], 'cache-control': 'max-age=3600' });
      return response.end(drawn(title));
    }
    const dir = await thumbs(temp, source, { ...shape, id: title.id });
    const file = join(dir, normalize(`/${rest.slice(1).join('/')}`));
    if (!existsSync(file)) throw notFound('such picture');
    sendFile(request, response, file, 'max-age=3600');
  };

  const captionsXml = (language) =>
    `<AdaptationSet id="9${language === 'en' ? 0 : 1}" contentType="text" mimeType="text/vtt" lang="${language}"><Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/><Representation id="captions-${language}" bandwidth="256"><BaseURL>captions/${language}.vtt</BaseURL></Representation></AdaptationSet>`;
  const media = async (request, response, url) => {
    const [, , , id, ...rest] = url.pathname.split('/');
    const title = byId.get(id);
    if (!title) throw notFound('such film');
    if (state.how.fail && url.pathname.startsWith(state.how.fail)) throw new Refusal(503, 'BUSY', 'busy', null);
    const dir = await pack(temp, sourceOf(title), title);
    const file = join(dir, normalize(`/${rest.join('/')}`));
    if (!existsSync(file)) throw notFound('such file');
    if (rest[0] !== 'manifest.mpd') return sendFile(request, response, file, 'max-age=3600');
    const text = readFileSync(file, 'utf8').replace('</Period>', `${captionsXml('en')}${captionsXml('de')}</Period>`);
    response.writeHead(200, { 'content-type': types['.mpd'] });
    response.end(text);
  };

  const page = (request, response, url) => {
    const direct = join(dist, normalize(url.pathname));
    const file = extname(url.pathname) ? direct : join(dist, /^\/desk(\/|$)/.test(url.pathname) ? 'desk/index.html' : 'index.html');
    if (!existsSync(file) || !statSync(file).isFile()) throw notFound('such page');
    response.setHeader('content-security-policy', CSP);
    response.setHeader('x-content-type-options', 'nosniff');
    sendFile(request, response, file, url.pathname.startsWith('/assets/') ? 'max-age=31536000, immutable' : 'no-cache');
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://mock');
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      try {
        const text = Buffer.concat(chunks).toString();
        const body = text ? JSON.parse(text) : {};
        if (url.pathname === '/mock') {
          if (body.reset) state = { ...fresh(), sessions: state.sessions, serial: state.serial };
          else Object.assign(state.how, body);
          return json(response, 200, { how: state.how, plays: [...state.plays], positions: [...state.positions], problems: state.problems, posted: state.posted });
        }
        if (url.pathname.startsWith('/link/')) {
          signIn(response, 'viewer');
          response.writeHead(303, { location: '/' });
          return response.end();
        }
        if (url.pathname.startsWith('/api/')) return await api(request, response, url, body);
        if (url.pathname.startsWith('/art/')) return await art(request, response, url);
        if (url.pathname.startsWith('/media/')) return await media(request, response, url);
        return page(request, response, url);
      } catch (error) {
        if (response.headersSent) return response.destroy();
        const known = error instanceof Refusal;
        if (!known) console.error(error);
        json(response, known ? error.status : 500, {
          error: { code: error.code ?? 'internal', message: error.message, hint: error.hint ?? null },
        });
      }
    });
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      const url = `http://127.0.0.1:${server.address().port}`;
      resolve({ url, stop: () => new Promise((done) => { server.closeAllConnections?.(); server.close(done); }) });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const all = (name) => args.flatMap((arg, i) => (arg === name ? [args[i + 1]] : []));
  const shared = process.env.MARQUEE_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));
  const { url } = await startMock({
    port: Number(all('--port')[0] ?? 8099),
    folders: [...all('--films'), join(shared, 'data/media/clips')],
    dist: all('--dist')[0] ?? fileURLToPath(new URL('../dist', import.meta.url)),
  });
  console.log(`${url}  (name: any, password: demo; ${url}/link/x signs in)`);
}
