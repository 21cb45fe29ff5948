// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures and packages for the mock server, made by ffmpeg into a temporary folder on first use. Films that
// are not at hand are replaced by a drawn poster and ffmpeg's own test picture.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ff = (...args) => run('ffmpeg', ['-nostdin', '-v', 'error', '-y', '-threads', '2', ...args], { maxBuffer: 1 << 24 });

export const findFilm = (folders, file) => {
  const blupi = /^blupi\/(\d+)\.mkv$/.exec(file);
  for (const folder of folders) {
    const path = join(folder, file);
    if (existsSync(path)) return path;
    const movies = join(folder, '..', 'x/usr/share/planetblupi/movie');
    if (blupi && existsSync(movies)) {
      const all = readdirSync(movies).filter((name) => /^play/.test(name)).sort();
      if (all[Number(blupi[1])]) return join(movies, all[Number(blupi[1])]);
    }
  }
  return null;
};

const once = new Map();
const single = (key, make) => {
  if (!once.has(key)) once.set(key, make());
  return once.get(key);
};

/** poster.jpg at a third of the film; null where there is no film. */
export const poster = (temp, source, title) =>
  single(`poster ${title.id}`, async () => {
    if (!source) return null;
    const out = join(temp, `${title.id}.poster.jpg`);
    if (existsSync(out)) return out;
    // Some containers cannot be sought in, and some lengths here are only what was printed on the tin.
    const at = Math.min((title.duration_us / 1e6) * (title.id === 'sintel' ? 0.47 : 0.35), title.kind === 'film' ? 25 : 3);
    await ff('-i', source, '-ss', at.toFixed(2), '-frames:v', '1', '-vf', 'scale=min(1280\\,iw):-2', '-q:v', '4', out);
    return existsSync(out) ? out : null;
  });

const stamp = (s) => new Date(Math.round(s * 1000)).toISOString().slice(11, 23);

/** thumbs/: sprites of 5 × 5 pictures and the WebVTT that says which is where. */
export const thumbs = (temp, source, title) =>
  single(`thumbs ${title.id}`, async () => {
    const dir = join(temp, `${title.id}.thumbs`);
    if (existsSync(join(dir, 'thumbs.vtt'))) return dir;
    mkdirSync(dir, { recursive: true });
    const seconds = title.duration_us / 1e6;
    const every = seconds / Math.ceil(Math.max(5, Math.min(50, seconds / 2)));
    const input = source ? ['-i', source] : ['-f', 'lavfi', '-i', `testsrc2=s=320x180:d=${seconds}`];
    await ff(...input, '-t', String(seconds), '-an', '-vf',
      `fps=${1 / every},scale=240:135:force_original_aspect_ratio=decrease,pad=240:136:-1:-1,tile=5x5`,
      '-start_number', '0', '-q:v', '6', join(dir, 'sprite-%d.jpg'));
    let vtt = 'WEBVTT\n';
    for (let i = 0; i * every < seconds - 0.01; i += 1) {
      const cell = i % 25;
      vtt += `\n${stamp(i * every)} --> ${stamp(Math.min(seconds, (i + 1) * every))}\n`;
      vtt += `sprite-${Math.floor(i / 25)}.jpg#xywh=${(cell % 5) * 240},${Math.floor(cell / 5) * 136},240,136\n`;
    }
    writeFileSync(join(dir, 'thumbs.vtt'), vtt);
    return dir;
  });

const lines = {
  en: ['This blade has a dark past.', 'It has shed much innocent blood.', 'You’re a fool for traveling alone,\nso completely unprepared.', 'You’re lucky your blood’s still flowing.', 'Thank you.'],
  de: ['Diese Klinge hat eine dunkle Vergangenheit.', 'Sie hat viel unschuldiges Blut vergossen.', 'Du bist ein Narr, allein zu reisen,\nganz ohne Vorbereitung.', 'Du hast Glück, dass dein Blut noch fließt.', 'Danke.'],
};

/** A real HLS and DASH package: three H.264 rungs, two languages of sound. */
export const pack = (temp, source, title) =>
  single(`pack ${title.id}`, async () => {
    const dir = join(temp, `${title.id}.package`);
    if (existsSync(join(dir, 'done'))) return dir;
    mkdirSync(join(dir, 'captions'), { recursive: true });
    const seconds = Math.min(60, title.duration_us / 1e6);
    const picture = source
      ? ['-i', source]
      : ['-f', 'lavfi', '-i', `testsrc2=s=1280x720:r=24:d=${seconds}`];
    const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '48', '-keyint_min', '48', '-sc_threshold', '0'];
    const fit = (w, h) => `scale=${w}:${h}:force_original_aspect_ratio=decrease,pad=${w}:${h}:-1:-1,setsar=1,fps=24`;
    const graph = [
      `[0:v]split=3[a][b][c];[a]${fit(1280, 720)}[v0];[b]${fit(640, 360)}[v1];[c]${fit(320, 180)}[v2]`,
      ...(source ? [] : []),
    ].join(';');
    const base = [...picture, '-f', 'lavfi', '-i', `sine=f=330:d=${seconds}`, '-t', String(seconds), '-filter_complex', graph];
    const maps = ['-map', '[v0]', '-map', '[v1]', '-map', '[v2]'];
    const rates = ['-b:v:0', '2500k', '-b:v:1', '900k', '-b:v:2', '300k'];
    await ff(...base, ...maps, '-map', source && title.id === 'sintel' ? '0:a' : '1:a', '-map', '1:a', ...h264, ...rates,
      '-c:a', 'aac', '-b:a', '96k', '-ac', '2', '-ar', '48000',
      '-metadata:s:a:0', 'language=en', '-metadata:s:a:1', 'language=de',
      '-f', 'dash', '-seg_duration', '2', '-use_template', '1', '-use_timeline', '1', '-hls_playlist', '1',
      '-adaptation_sets', 'id=0,streams=0,1,2 id=1,streams=3 id=2,streams=4',
      '-init_seg_name', 'init-$RepresentationID$.mp4', '-media_seg_name', 'seg-$RepresentationID$-$Number%05d$.m4s',
      join(dir, 'manifest.mpd'));
    for (const [language, texts] of Object.entries(lines)) {
      let vtt = 'WEBVTT\n';
      const step = Math.max(2, seconds / 14);
      for (let i = 0; (i + 1) * step <= seconds; i += 1) {
        vtt += `\n${stamp(i * step + 0.2)} --> ${stamp((i + 1) * step - 0.2)}\n${texts[i % texts.length]}\n`;
      }
      writeFileSync(join(dir, 'captions', `${language}.vtt`), vtt);
    }
    writeFileSync(join(dir, 'done'), '');
    return dir;
  });

const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** A drawn poster: hills in the title's colour. The same title always looks the same. */
export const drawn = (title) => {
  let seed = 7;
  for (const c of title.id) seed = (seed * 31 + c.charCodeAt(0)) >>> 0;
  const next = () => (seed = (seed * 1664525 + 1013904223) >>> 0) / 2 ** 32;
  const hills = [0, 1, 2, 3].map((k) => {
    let d = `M0 720V${420 + k * 70}`;
    for (let x = 160; x <= 1280; x += 160) d += `Q${x - 80} ${380 + k * 80 - next() * 190} ${x} ${430 + k * 70 - next() * 50}`;
    return `<path d="${d}V720Z" fill="#000" fill-opacity="${0.16 + k * 0.14}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1280 720" width="1280" height="720"><title>${escape(title.name)}</title><defs><linearGradient id="s" x2="0" y2="1"><stop offset="0" stop-color="${escape(title.color)}"/><stop offset="1" stop-color="#e8b27a"/></linearGradient></defs><rect width="1280" height="720" fill="url(#s)"/><circle cx="${300 + next() * 700}" cy="${180 + next() * 160}" r="${50 + next() * 60}" fill="#ffe9c4" fill-opacity=".8"/>${hills.join('')}</svg>`;
};
