// SPDX-License-Identifier: GPL-3.0-or-later
//
// Is a published folder what it says? Playlists by hls-parser (strict) and by RFC 8216, the MPD by
// its XML schema, every segment box by box, and all of them against each other.
//
//   node package_check.mjs FOLDER
//
// checkPackage returns what is wrong as texts, none when all is well.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as hls from 'hls-parser';
import { readInit, readSegment } from './boxes.mjs';

const shared = process.env.MARQUEE_SHARED ??
  path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../shared');
const schema = path.join(shared, 'data/dash/DASH-MPD.xsd');

export const hasSchema = () => fs.existsSync(schema);

hls.setOptions({ strictMode: true, silent: true });

function attributes(line) {
  const result = {};
  for (const [, name, quoted, plain] of line.slice(line.indexOf(':') + 1).matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^,]*))/g)) {
    result[name] = quoted ?? plain;
  }
  return result;
}

// The first sample of a picture's segment must not depend on others, by its own bytes.
function startsClosed(codec, bytes, sample) {
  const data = bytes.subarray(sample.at, sample.at + sample.size);
  if (codec === 'avc1') {
    for (let at = 0; at + 5 <= data.length;) {
      const type = data[at + 4] & 31;
      if (type === 5) return true;
      if (type === 1) return false;
      at += 4 + data.readUInt32BE(at);
    }
    return false;
  }
  return codec !== 'av01' || ((data[0] >> 3) & 15) === 1; // a sequence header leads a key frame
}

function parameterSetsInside(codec, bytes, samples) {
  if (codec !== 'avc1') return false;
  return samples.some((s) => {
    for (let at = s.at; at + 5 <= s.at + s.size; at += 4 + bytes.readUInt32BE(at)) {
      if ([7, 8].includes(bytes[at + 4] & 31)) return true;
    }
    return false;
  });
}

// Media playlist text → {target, map, segments: [{uri, duration}]}; problems are told to `bad`.
function readMediaPlaylist(name, text, bad, isText) {
  try {
    const parsed = hls.parse(text);
    if (parsed.isMasterPlaylist) bad(name, 'a master playlist where a media playlist belongs');
  } catch (error) {
    bad(name, `hls-parser: ${error.message.split('\n')[0]}`);
  }
  const lines = text.split('\n');
  const tag = (t) => lines.filter((l) => l === t || l.startsWith(`${t}:`));
  const only = (t) => {
    if (tag(t).length !== 1) bad(name, `${tag(t).length} times ${t}`);
    return tag(t)[0]?.slice(t.length + 1) ?? '';
  };
  if (lines[0] !== '#EXTM3U') bad(name, 'does not begin with #EXTM3U');
  if (Number(only('#EXT-X-VERSION')) < 6) bad(name, 'a version below 6');
  if (only('#EXT-X-PLAYLIST-TYPE') !== 'VOD') bad(name, 'not of type VOD');
  only('#EXT-X-INDEPENDENT-SEGMENTS');
  only('#EXT-X-ENDLIST');
  if (lines.filter((l) => l).at(-1) !== '#EXT-X-ENDLIST') bad(name, 'does not end with #EXT-X-ENDLIST');
  const target = Number(only('#EXT-X-TARGETDURATION'));
  const map = isText ? null : attributes(`:${only('#EXT-X-MAP')}`).URI;
  if (!isText && !map) bad(name, 'no EXT-X-MAP with a URI');
  const segments = [];
  lines.forEach((line, i) => {
    if (!line.startsWith('#EXTINF:')) return;
    const duration = Number(line.slice(8).split(',')[0]);
    const uri = lines[i + 1];
    if (!(duration > 0)) bad(name, `EXTINF ${line}`);
    if (Math.round(duration) > target) bad(name, `a segment of ${duration} s over the target of ${target} s`);
    if (!uri || uri.startsWith('#')) bad(name, `no URI behind ${line}`);
    if (segments.some((s) => s.uri === uri)) bad(name, `${uri} twice`);
    segments.push({ uri, duration });
  });
  if (segments.length === 0) bad(name, 'no segment');
  const last = segments.at(-1);
  if (segments.length > 1 && last.duration < target / 4) bad(name, `a runt of ${last.duration} s at the end`);
  return { target, map, segments };
}

// RFC 8216bis section 4.4.6.2: the highest rate of a run of 0.5 to 1.5 target durations.
function peakRate(list, target) {
  let peak = 0;
  for (let i = 0; i < list.length; i++) {
    let bytes = 0, duration = 0;
    for (let k = i; k < list.length && duration <= target * 1.5; k++) {
      bytes += list[k].bytes;
      duration += list[k].duration;
      if (duration >= target * 0.5 && duration <= target * 1.5) peak = Math.max(peak, (bytes * 8) / duration);
    }
  }
  return peak || Math.max(...list.map((s) => (s.bytes * 8) / s.duration));
}

// Reads all files of a rendition; returns what the manifests must agree with.
function checkTrack(name, read, bad, expectedFrames) {
  const text = read(name);
  if (!text) {
    bad(name, 'is missing');
    return null;
  }
  const list = readMediaPlaylist(name, text.toString(), bad, false);
  const folder = path.posix.dirname(name);
  const initBytes = list.map ? read(`${folder}/${list.map}`) : null;
  if (!initBytes) {
    bad(name, `no initialisation segment ${list.map}`);
    return null;
  }
  let init;
  try {
    init = readInit(initBytes);
  } catch (error) {
    bad(`${folder}/${list.map}`, error.message);
    return null;
  }
  const track = { ...init, target: list.target, segments: [], frames: 0, seen: [] };
  let due = null, shown = 0;
  list.segments.forEach((entry, i) => {
    const file = `${folder}/${entry.uri}`;
    const bytes = read(file);
    if (!bytes) {
      bad(file, 'is missing');
      return;
    }
    try {
      const s = readSegment(bytes);
      if (s.samples.length === 0) bad(file, 'no sample');
      if (s.sequence !== i + 1) bad(file, `sequence number ${s.sequence} of segment ${i + 1}`);
      if (s.tfdt !== (due ?? 0)) bad(file, `tfdt ${s.tfdt}, the segment before ended at ${due ?? 0}`);
      if (!s.samples[0].sync) bad(file, 'does not begin with a sync sample');
      if (init.kind === 'video' && !startsClosed(init.entry, bytes, s.samples[0])) bad(file, 'does not begin with a key frame');
      if (parameterSetsInside(init.entry, bytes, s.samples)) bad(file, 'parameter sets inside of an avc1 track');
      const priming = init.kind === 'audio' && i === 0 ? init.edit : 0;
      const duration = s.end - s.tfdt - priming;
      const start = Math.min(...s.samples.map((x) => x.pts)) - init.edit + priming;
      if (start !== shown) bad(file, `first shown at ${start}, the segment before ended at ${shown}`);
      const times = s.samples.map((x) => x.pts - init.edit).sort((a, b) => a - b);
      if (times.some((t, k) => k > 0 && t === times[k - 1])) bad(file, 'two samples at one time');
      if (init.kind === 'video' && times.at(-1) >= shown + duration) bad(file, 'a picture behind the end of its segment');
      if (Math.abs(duration / init.timescale - entry.duration) > 0.0000015) bad(name, `EXTINF ${entry.duration} for ${duration / init.timescale} s`);
      shown += duration;
      due = s.end;
      track.frames += s.samples.length;
      track.segments.push({ bytes: bytes.length, duration: duration / init.timescale, ticks: duration });
      if (init.kind === 'video') track.seen.push(...times);
    } catch (error) {
      bad(file, error.message);
    }
  });
  track.duration = shown / init.timescale;
  track.peak = track.segments.length > 0 ? peakRate(track.segments, list.target) : 0;
  track.average = (track.segments.reduce((a, s) => a + s.bytes, 0) * 8) / track.duration;
  if (init.kind === 'video' && expectedFrames && track.frames !== expectedFrames) bad(name, `${track.frames} of ${expectedFrames} frames`);
  return track;
}

function checkMaster(read, bad, tracks) {
  const name = 'master.m3u8';
  const bytes = read(name);
  if (!bytes) {
    bad(name, 'is missing');
    return;
  }
  const text = bytes.toString();
  try {
    const parsed = hls.parse(text);
    if (!parsed.isMasterPlaylist) bad(name, 'not a master playlist');
  } catch (error) {
    bad(name, `hls-parser: ${error.message.split('\n')[0]}`);
  }
  const lines = text.split('\n');
  if (!lines.includes('#EXT-X-INDEPENDENT-SEGMENTS')) bad(name, 'no EXT-X-INDEPENDENT-SEGMENTS');
  const media = lines.filter((l) => l.startsWith('#EXT-X-MEDIA:')).map(attributes);
  for (const [i, m] of media.entries()) {
    const others = media.filter((o, k) => k !== i && o.TYPE === m.TYPE && o['GROUP-ID'] === m['GROUP-ID']);
    if (others.some((o) => o.NAME === m.NAME)) bad(name, `two of ${m.TYPE} ${m['GROUP-ID']} are called ${m.NAME}`);
    if (m.DEFAULT === 'YES' && others.some((o) => o.DEFAULT === 'YES')) bad(name, `two defaults in ${m['GROUP-ID']}`);
    if (m.DEFAULT === 'YES' && m.AUTOSELECT !== 'YES') bad(name, `a default of ${m['GROUP-ID']} without AUTOSELECT`);
    if (m.TYPE === 'AUDIO') tracks.want(m.URI);
    else if (m.URI) tracks.wantText(m.URI);
  }
  const targets = new Set();
  lines.forEach((line, i) => {
    if (!line.startsWith('#EXT-X-STREAM-INF:')) return;
    const a = attributes(line);
    const uri = lines[i + 1];
    const track = tracks.want(uri);
    if (!track) return;
    targets.add(track.target);
    const sounds = media.filter((m) => m.TYPE === 'AUDIO' && m['GROUP-ID'] === a.AUDIO);
    if (a.AUDIO && sounds.length === 0) bad(name, `${uri}: no group ${a.AUDIO}`);
    if (a.SUBTITLES && !media.some((m) => m.TYPE === 'SUBTITLES' && m['GROUP-ID'] === a.SUBTITLES)) bad(name, `${uri}: no group ${a.SUBTITLES}`);
    const soundTracks = sounds.map((m) => tracks.want(m.URI)).filter(Boolean);
    soundTracks.forEach((t) => targets.add(t.target));
    const codecs = new Set([track.codecs, ...soundTracks.map((t) => t.codecs)]);
    const told = new Set((a.CODECS ?? '').split(','));
    if (codecs.size !== told.size || [...codecs].some((c) => !told.has(c))) bad(name, `${uri}: CODECS ${a.CODECS}, the files are ${[...codecs]}`);
    if (track.kind === 'video') {
      const width = Math.round((track.width * track.sar[0]) / track.sar[1]);
      const [w, h] = (a.RESOLUTION ?? '0x0').split('x').map(Number);
      if (Math.abs(w - width) > 1 || h !== track.height) bad(name, `${uri}: RESOLUTION ${a.RESOLUTION}, the picture is ${width}x${track.height}`);
      const rate = track.frames / track.duration;
      if (!a['FRAME-RATE'] || Math.abs(Number(a['FRAME-RATE']) - rate) > rate * 0.001 + 0.001) bad(name, `${uri}: FRAME-RATE ${a['FRAME-RATE']}, the picture has ${rate}`);
    }
    const peak = track.peak + Math.max(0, ...soundTracks.map((t) => t.peak));
    const average = track.average + Math.max(0, ...soundTracks.map((t) => t.average));
    if (Number(a.BANDWIDTH) < peak - 2) bad(name, `${uri}: BANDWIDTH ${a.BANDWIDTH} below the peak of ${Math.ceil(peak)}`);
    if (Number(a.BANDWIDTH) > Math.max(peak, average) * 1.01 + 8) bad(name, `${uri}: BANDWIDTH ${a.BANDWIDTH} above the peak of ${Math.ceil(peak)}`);
    if (Math.abs(Number(a['AVERAGE-BANDWIDTH']) - average) > average * 0.001 + 8) bad(name, `${uri}: AVERAGE-BANDWIDTH ${a['AVERAGE-BANDWIDTH']} for ${Math.round(average)}`);
  });
  if (targets.size > 1) bad(name, `target durations ${[...targets]} in one presentation`);
  if (targets.size === 0) bad(name, 'no variant');
}

// Enough of an XML reader for our own manifest: elements with attributes, nothing mixed.
function elements(xml) {
  const root = { name: '', attributes: {}, children: [] };
  const stack = [root];
  for (const [, close, name, rest, self] of xml.replace(/<\?[^>]*\?>/g, '').matchAll(/<(\/?)([A-Za-z]+)((?:\s+[\w:]+="[^"]*")*)\s*(\/?)>/g)) {
    if (close) {
      stack.pop();
      continue;
    }
    const element = { name, attributes: Object.fromEntries([...rest.matchAll(/([\w:]+)="([^"]*)"/g)].map((m) => [m[1], m[2]])), children: [] };
    stack.at(-1).children.push(element);
    if (!self) stack.push(element);
  }
  return root;
}

function checkDash(read, bad, tracks) {
  const name = 'manifest.mpd';
  const bytes = read(name);
  if (!bytes) {
    bad(name, 'is missing');
    return;
  }
  try {
    const against = hasSchema() ? ['--schema', schema] : [];
    execFileSync('xmllint', ['--nonet', '--noout', ...against, '-'], { input: bytes, stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (error) {
    bad(name, `xmllint: ${String(error.stderr).split('\n')[0]}`);
  }
  const all = (e, n) => e.children.flatMap((c) => [...(c.name === n ? [c] : []), ...all(c, n)]);
  const mpd = elements(bytes.toString());
  const root = mpd.children[0];
  const longest = Math.max(...tracks.known().map((t) => t.duration));
  const told = Number((root?.attributes.mediaPresentationDuration ?? '').match(/^PT([\d.]+)S$/)?.[1]);
  if (!(Math.abs(told - longest) < 0.0001)) bad(name, `a duration of ${told} s for ${longest} s`);
  for (const set of all(mpd, 'AdaptationSet')) {
    if (!['video', 'audio'].includes(set.attributes.contentType)) continue;
    if (set.attributes.startWithSAP !== '1') bad(name, 'a set without startWithSAP');
    for (const r of all(set, 'Representation')) {
      const id = r.attributes.id;
      const track = tracks.want(`${id}/index.m3u8`);
      if (!track) continue;
      const template = all(r, 'SegmentTemplate')[0] ?? set.children.find((c) => c.name === 'SegmentTemplate');
      const scale = Number(template?.attributes.timescale);
      const ticks = all(template ?? { children: [] }, 'S').flatMap((s) => Array(1 + Number(s.attributes.r ?? 0)).fill(Number(s.attributes.d)));
      if (scale !== track.timescale || ticks.join() !== track.segments.map((s) => s.ticks).join()) bad(name, `${id}: a timeline that is not the one of its segments`);
      if (r.attributes.codecs !== track.codecs) bad(name, `${id}: codecs ${r.attributes.codecs}, the files are ${track.codecs}`);
      if (track.kind === 'video' && (Number(r.attributes.width) !== track.width || Number(r.attributes.height) !== track.height)) bad(name, `${id}: not the size of its picture`);
      if (Number(r.attributes.bandwidth) < track.peak - 2) bad(name, `${id}: a bandwidth below the peak`);
      for (const [i] of track.segments.entries()) {
        const uri = template.attributes.media.replace('$RepresentationID$', id).replace('$Number%05d$', String(i + Number(template.attributes.startNumber)).padStart(5, '0'));
        if (!read(uri)) bad(name, `${uri} is missing`);
      }
    }
  }
  for (const set of all(mpd, 'AdaptationSet').filter((s) => s.attributes.contentType === 'image')) {
    const media = all(set, 'SegmentTemplate')[0].attributes;
    const id = all(set, 'Representation')[0].attributes.id;
    const sheets = all(set, 'S').reduce((n, s) => n + 1 + Number(s.attributes.r ?? 0), 0);
    if (sheets === 0) bad(name, 'an image set without sheets');
    for (let n = Number(media.startNumber), end = n + sheets; n < end; n++) {
      const uri = media.media.replace('$RepresentationID$', id).replace('$Number$', n);
      if (!read(uri)) bad(name, `${uri} is missing`);
    }
  }
}

function checkText(uri, read, bad) {
  const list = read(uri);
  if (!list) {
    bad(uri, 'is missing');
    return;
  }
  for (const s of readMediaPlaylist(uri, list.toString(), bad, true).segments) {
    const file = path.posix.join(path.posix.dirname(uri), s.uri);
    const text = read(file)?.toString();
    if (!text) {
      bad(file, 'is missing');
      continue;
    }
    if (!text.startsWith('WEBVTT\n')) bad(file, 'does not begin with WEBVTT');
    const times = [...text.matchAll(/^(\d+):(\d\d):(\d\d\.\d{3}) --> (\d+):(\d\d):(\d\d\.\d{3})/gm)]
      .map((m) => [m[1] * 3600 + m[2] * 60 + Number(m[3]), m[4] * 3600 + m[5] * 60 + Number(m[6])]);
    if (times.length === 0) bad(file, 'no cue');
    times.forEach(([a, b], i) => {
      if (b <= a) bad(file, `a cue from ${a} to ${b}`);
      if (i > 0 && a < times[i - 1][0]) bad(file, `a cue at ${a} behind one at ${times[i - 1][0]}`);
    });
  }
}

function checkHashes(read, bad) {
  const bytes = read('package.json');
  if (!bytes) return;
  for (const f of JSON.parse(bytes).files ?? []) {
    const content = read(f.path);
    if (!content) bad('package.json', `${f.path} is missing`);
    else if (content.length !== f.bytes || createHash('sha256').update(content).digest('hex') !== f.hash) bad('package.json', `${f.path} is not what is listed`);
  }
}

// `folder` of a package. `frames`: of the picture; 0 unknown. `edit`: (name, bytes|null) => bytes|null, to plant
// faults. Pictures of one film must agree on their times.
export function checkPackage(folder, { frames = 0, edit } = {}) {
  const problems = [];
  const bad = (where, what) => problems.push(`${where}: ${what}`);
  const cache = new Map();
  const read = (name) => {
    if (!cache.has(name)) {
      const file = path.join(folder, name);
      const bytes = fs.existsSync(file) ? fs.readFileSync(file) : null;
      cache.set(name, edit ? edit(name, bytes) : bytes);
    }
    return cache.get(name);
  };
  const found = new Map(), texts = new Set();
  const tracks = {
    want(uri) {
      if (!found.has(uri)) found.set(uri, checkTrack(uri, read, bad, frames));
      return found.get(uri);
    },
    wantText(uri) {
      if (!texts.has(uri)) {
        texts.add(uri);
        checkText(uri, read, bad);
      }
    },
    known: () => [...found.values()].filter(Boolean),
  };
  checkMaster(read, bad, tracks);
  checkDash(read, bad, tracks);
  const pictures = tracks.known().filter((t) => t.kind === 'video');
  for (const t of pictures) {
    const times = (x) => x.seen.map((v) => v / x.timescale).join();
    if (times(t) !== times(pictures[0])) bad(t.codecs, 'its pictures are shown at other times than those of the first rendition');
  }
  if (!edit) checkHashes(read, bad);
  return problems;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkPackage(process.argv[2]);
  problems.forEach((p) => console.log(p));
  console.log(problems.length === 0 ? 'sound' : `${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
