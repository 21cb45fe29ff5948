// SPDX-License-Identifier: GPL-3.0-or-later
// A real-looking inspection report out of a real film, by ffmpeg: brightness, motion, shots, peaks and stills are
// measured; the faults are planted.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const WIDTH = 32;
const HEIGHT = 18;
const EVERY_US = 1_000_000;

const source = (film) => (film ? ['-i', film] : ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=24:duration=20', '-f', 'lavfi', '-i', 'sine=frequency=330:duration=20']);
const ffmpeg = (...args) => execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], { maxBuffer: 1 << 28 });

export function filmReport(film, folder) {
  mkdirSync(folder, { recursive: true });
  const kept = join(folder, 'report.json');
  if (existsSync(kept)) return JSON.parse(readFileSync(kept, 'utf8'));
  ffmpeg(...source(film), '-map', '0:v:0', '-vf', 'fps=1:round=up,scale=160:-2', '-q:v', '5', '-start_number', '0', join(folder, 'still-%d.jpg'));
  const grey = ffmpeg(...source(film), '-map', '0:v:0', '-vf', `scale=${WIDTH}:${HEIGHT},format=gray`, '-f', 'rawvideo', '-fps_mode', 'passthrough', 'pipe:1');
  const pixels = WIDTH * HEIGHT;
  const frames = Math.floor(grey.length / pixels);
  const luma = [];
  const motion = [];
  const shots = [];
  let start = 0;
  for (let f = 0; f < frames; f += 1) {
    let sum = 0;
    let diff = 0;
    for (let p = 0; p < pixels; p += 1) {
      const v = grey[f * pixels + p];
      sum += v;
      if (f > 0) diff += Math.abs(v - grey[(f - 1) * pixels + p]);
    }
    luma.push(Math.round(sum / pixels));
    motion.push(Number((diff / pixels).toFixed(2)));
    if (diff / pixels > 28 && f - start > 8) {
      shots.push({ start_frame: start, end_frame: f });
      start = f;
    }
  }
  shots.push({ start_frame: start, end_frame: frames });
  const pcm = ffmpeg(...source(film), '-map', '0:a:0?', ...(film ? [] : ['-map', '1:a:0']), '-ac', '1', '-ar', '8000', '-f', 's16le', 'pipe:1');
  const block = Math.max(1, Math.ceil(pcm.length / 2 / 4000));
  const peaks = [];
  for (let i = 0; i < pcm.length / 2; i += block) {
    let top = 0;
    for (let k = i; k < Math.min(i + block, pcm.length / 2); k += 1) top = Math.max(top, Math.abs(pcm.readInt16LE(k * 2)));
    peaks.push(Math.round((top / 32768) * 1000)); // thousandths of full scale
  }
  let count = 0;
  while (existsSync(join(folder, `still-${count}.jpg`))) count += 1;
  const size = film ? [1280, 720] : [640, 360];
  const report = {
    schema: 1, verdict: 'refuse', frames, scan: 'progressive', vfr: false, start_pts: 0, end_pts: frames,
    source: { container: 'mov,mp4,m4a,3gp,3g2,mj2', bytes: 7_516_000, duration_us: Math.round((frames * 1e6) / 24) },
    streams: [
      { index: 0, kind: 'video', codec: 'h264', profile: 'High', language: 'und', title: '', is_default: true, is_attached_picture: false, time_base: [1, 24], start_pts: 0, duration_pts: frames, width: size[0], height: size[1], sar: [1, 1], rotation: 0, pixel_format: 'yuv420p', bit_depth: 8, primaries: 'bt709', transfer: 'bt709', matrix: 'bt709', range: 'tv', field_order: 'progressive', frame_rate: [24, 1], hdr: 'sdr' },
      { index: 1, kind: 'audio', codec: 'aac', profile: 'LC', language: 'en', title: '', is_default: true, is_attached_picture: false, time_base: [1, 48000], start_pts: 0, duration_pts: frames * 2000, sample_rate: 48000, channels: 2, layout: 'stereo' },
    ],
    findings: [],
    loudness: [{ stream: 1, integrated_lufs: -19.4, true_peak_dbtp: -0.6, range_lu: 14.2 }],
    shots,
    crop: { left: 0, top: Math.round(size[1] * 0.119), width: size[0], height: Math.round((size[1] * 0.762) / 2) * 2 },
    series: { luma, motion, step_frames: 1, audio: [{ stream: 1, peaks, step_us: Math.round((block * 1e6) / 8000) }] },
    poster_frame: Math.min(frames - 1, 415),
    stills: { every_us: EVERY_US, count, width: 160, height: 90 },
    why: [],
  };
  const add = (kind, severity, from, to, evidence) =>
    report.findings.push({ kind, severity, stream: 0, start_frame: from, end_frame: to, start_pts: from, end_pts: to, time_base: [1, 24], evidence });
  // What the pictures really hold.
  let dark = -1;
  for (let f = 0; f <= frames; f += 1) {
    const is = f < frames && luma[f] < 18;
    if (is && dark < 0) dark = f;
    if (!is && dark >= 0) {
      if (f - dark >= 12) add('black', 'warning', dark, f, { luma_mean: Math.min(...luma.slice(dark, f)), seconds: Number(((f - dark) / 24).toFixed(2)) });
      dark = -1;
    }
  }
  let still = -1;
  for (let f = 1; f <= frames; f += 1) {
    const is = f < frames && motion[f] < 0.02 && luma[f] >= 18;
    if (is && still < 0) still = f;
    if (!is && still >= 0) {
      if (f - still >= 20) add('frozen', 'info', still, f, { difference: 0.01 });
      still = -1;
    }
  }
  // What is planted.
  const at = (share) => Math.floor(frames * share);
  add('decode_error', 'error', at(0.62), at(0.62) + 7, { packets: 3, message: 'error while decoding MB 41 12, bytestream -7' });
  add('duplicated', 'warning', at(0.35), at(0.35) + 4, { repeats: 4 });
  report.findings.push({ kind: 'clipping', severity: 'warning', stream: 1, start_frame: null, end_frame: null, start_pts: at(0.81) * 2000, end_pts: at(0.82) * 2000, time_base: [1, 48000], evidence: { samples: 318, peak_dbfs: 0 } });
  report.findings.push({ kind: 'silence', severity: 'info', stream: 1, start_frame: null, end_frame: null, start_pts: 0, end_pts: 48000, time_base: [1, 48000], evidence: { level_dbfs: -91.3 } });
  add('letterbox', 'info', 0, frames, { active: '1280×548+0+86' });
  report.findings.sort((a, b) => (a.start_frame ?? a.start_pts / 2000) - (b.start_frame ?? b.start_pts / 2000));
  report.why = report.findings
    .map((f, finding) => ({ f, finding }))
    .filter(({ f }) => f.severity !== 'info')
    .map(({ f, finding }) => ({ finding, verdict: f.severity === 'error' ? 'refuse' : f.kind === 'black' ? 'review' : 'accept', rule: f.kind === 'black' ? 2 : null, waived: null, text: f.severity === 'error' ? 'Damaged data may not be published.' : f.kind === 'black' ? 'Black of more than half a second wants a look.' : 'Told, and accepted.' }));
  writeFileSync(kept, JSON.stringify(report));
  return report;
}

// Exactly this frame, decoded once and kept.
export function filmFrame(film, folder, frame) {
  const path = join(folder, `frame-${frame}.jpg`);
  if (!existsSync(path))
    ffmpeg(...source(film), '-map', '0:v:0', '-vf', `select=eq(n\\,${frame})`, '-frames:v', '1', '-q:v', '3', path);
  return readFileSync(path);
}

export const filmStill = (folder, n) => readFileSync(join(folder, `still-${n}.jpg`));
