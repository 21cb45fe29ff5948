// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reads ISO base media files (ISO/IEC 14496-12) by eyes of their own, so that what the program
// wrote is not judged by the program. Throws on what is not well-formed.

const containers = new Set(['moov', 'trak', 'edts', 'mdia', 'minf', 'dinf', 'stbl', 'mvex', 'moof', 'traf']);

export function boxes(bytes, start = 0, end = bytes.length) {
  const list = [];
  for (let at = start; at < end;) {
    if (end - at < 8) throw new Error(`${end - at} bytes behind the last box`);
    const size = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (size < 8 || size > end - at) throw new Error(`box ${type} of ${size} bytes where ${end - at} are left`);
    const box = { type, at, size, body: at + 8, end: at + size };
    if (containers.has(type)) box.children = boxes(bytes, box.body, box.end);
    list.push(box);
    at += size;
  }
  return list;
}

export function find(list, path) {
  let found = null;
  for (const type of path.split('/')) {
    found = list.find((b) => b.type === type) ?? null;
    list = found?.children ?? [];
  }
  return found;
}

function need(list, path) {
  const box = find(list, path);
  if (!box) throw new Error(`no ${path}`);
  return box;
}

const hex2 = (n) => n.toString(16).padStart(2, '0');
const dec2 = (n) => String(n).padStart(2, '0');

// AV1 codecs parameter string (AV1 in ISOBMFF section 5) from av1C and the colours of colr.
function av1Codecs(c, colr) {
  const profile = c[1] >> 5, level = c[1] & 31, tier = c[2] >> 7 ? 'H' : 'M';
  const high = (c[2] >> 6) & 1, twelve = (c[2] >> 5) & 1, mono = (c[2] >> 4) & 1;
  const depth = twelve ? 12 : high ? 10 : 8;
  const sub = `${(c[2] >> 3) & 1}${(c[2] >> 2) & 1}${c[2] & 3}`;
  const short = `av01.${profile}.${dec2(level)}${tier}.${dec2(depth)}`;
  const colours = colr ?? { primaries: 2, transfer: 2, matrix: 2, full: 0 };
  const isDefault = !mono && sub === '110' && colours.primaries === 1 && colours.transfer === 1 && colours.matrix === 1 && !colours.full;
  return isDefault ? short : `${short}.${mono}.${sub}.${dec2(colours.primaries)}.${dec2(colours.transfer)}.${dec2(colours.matrix)}.${colours.full}`;
}

// The object type of the AudioSpecificConfig inside esds (ISO/IEC 14496-1 section 7.2.6).
function aacCodecs(body) {
  let at = 4;
  const descriptor = () => {
    const tag = body[at++];
    let len = 0, byte;
    do { byte = body[at++]; len = (len << 7) | (byte & 127); } while (byte & 128);
    return { tag, len };
  };
  const es = descriptor();
  if (es.tag !== 3) throw new Error('esds without an ES descriptor');
  const flags = body[at + 2];
  at += 3 + (flags & 128 ? 2 : 0);
  if (descriptor().tag !== 4) throw new Error('esds without a decoder configuration');
  const object = body[at];
  at += 13;
  if (descriptor().tag !== 5) throw new Error('esds without an AudioSpecificConfig');
  let type = body[at] >> 3;
  if (type === 31) type = 32 + (((body[at] & 7) << 3) | (body[at + 1] >> 5));
  return `mp4a.${object.toString(16)}.${type}`;
}

function readEntry(bytes, entry) {
  const isVideo = ['avc1', 'av01'].includes(entry.type);
  const inner = boxes(bytes, entry.body + (isVideo ? 78 : 28), entry.end);
  const body = (type) => {
    const box = need(inner, type);
    return bytes.subarray(box.body, box.end);
  };
  const result = { entry: entry.type };
  if (isVideo) {
    result.width = bytes.readUInt16BE(entry.body + 24);
    result.height = bytes.readUInt16BE(entry.body + 26);
    const pasp = find(inner, 'pasp');
    result.sar = pasp ? [bytes.readUInt32BE(pasp.body), bytes.readUInt32BE(pasp.body + 4)] : [1, 1];
  } else {
    result.channels = bytes.readUInt16BE(entry.body + 16);
    result.rate = bytes.readUInt32BE(entry.body + 24) >>> 16;
  }
  const colr = find(inner, 'colr');
  const colours = colr ? { primaries: bytes.readUInt16BE(colr.body + 4), transfer: bytes.readUInt16BE(colr.body + 6), matrix: bytes.readUInt16BE(colr.body + 8), full: bytes[colr.body + 10] >> 7 } : null;
  if (entry.type === 'avc1') {
    const c = body('avcC');
    result.codecs = `avc1.${hex2(c[1])}${hex2(c[2])}${hex2(c[3])}`;
  } else if (entry.type === 'av01') {
    result.codecs = av1Codecs(body('av1C'), colours);
  } else if (entry.type === 'mp4a') {
    result.codecs = aacCodecs(body('esds'));
  } else if (entry.type === 'Opus') {
    body('dOps');
    result.codecs = 'opus';
  } else {
    throw new Error(`sample entry ${entry.type}`);
  }
  return result;
}

export function readInit(bytes) {
  const top = boxes(bytes);
  if (top.map((b) => b.type).join() !== 'ftyp,moov') throw new Error(`boxes ${top.map((b) => b.type).join()} instead of ftyp, moov`);
  const mdhd = need(top, 'moov/trak/mdia/mdhd');
  const stsd = need(top, 'moov/trak/mdia/minf/stbl/stsd');
  if (bytes.readUInt32BE(stsd.body + 4) !== 1) throw new Error('more than one sample entry');
  for (const table of ['stts', 'stsc', 'stco']) {
    if (bytes.readUInt32BE(need(top, `moov/trak/mdia/minf/stbl/${table}`).body + 4) !== 0) throw new Error(`samples in ${table} of an initialisation segment`);
  }
  const hdlr = need(top, 'moov/trak/mdia/hdlr');
  const elst = find(top, 'moov/trak/edts/elst');
  let edit = 0;
  if (elst) {
    if (bytes[elst.body] !== 0 || bytes.readUInt32BE(elst.body + 4) !== 1) throw new Error('an edit list of other than one entry');
    edit = bytes.readInt32BE(elst.body + 12);
    if (edit < 0) throw new Error('an empty edit');
  }
  need(top, 'moov/mvex/trex');
  const entry = boxes(bytes, stsd.body + 8, stsd.end)[0];
  return {
    timescale: bytes.readUInt32BE(mdhd.body + 12),
    kind: { vide: 'video', soun: 'audio' }[bytes.toString('latin1', hdlr.body + 8, hdlr.body + 12)],
    edit,
    ...readEntry(bytes, entry),
  };
}

// One segment of one fragment: styp, moof, mdat in this order and nothing else.
export function readSegment(bytes) {
  const top = boxes(bytes);
  const order = top.map((b) => b.type).join();
  if (order !== 'styp,moof,mdat') throw new Error(`boxes ${order} instead of styp, moof, mdat`);
  const [, moof, mdat] = top;
  const traf = moof.children.filter((b) => b.type === 'traf');
  if (traf.length !== 1) throw new Error(`${traf.length} track fragments`);
  const mfhd = need(moof.children, 'mfhd');
  const tfhd = need(traf[0].children, 'tfhd');
  const tfdt = need(traf[0].children, 'tfdt');
  const truns = traf[0].children.filter((b) => b.type === 'trun');
  if (truns.length !== 1) throw new Error(`${truns.length} runs`);
  const trun = truns[0];
  const tf = bytes.readUInt32BE(tfhd.body) & 0xffffff;
  if (!(tf & 0x020000)) throw new Error('tfhd without default-base-is-moof');
  let at = tfhd.body + 8;
  const take = () => { at += 4; return bytes.readUInt32BE(at - 4); };
  if (tf & 1) at += 8;
  if (tf & 2) at += 4;
  const defaults = { duration: tf & 8 ? take() : 0, size: tf & 16 ? take() : 0, flags: tf & 32 ? take() : 0 };
  const version = bytes[trun.body], flags = bytes.readUInt32BE(trun.body) & 0xffffff;
  const count = bytes.readUInt32BE(trun.body + 4);
  at = trun.body + 8;
  if (!(flags & 1)) throw new Error('trun without a data offset');
  const offset = take();
  if (moof.at + offset !== mdat.body) throw new Error('the samples do not begin where mdat does');
  const first = flags & 4 ? take() : null;
  let dts = bytes[tfdt.body] === 1 ? Number(bytes.readBigUInt64BE(tfdt.body + 4)) : bytes.readUInt32BE(tfdt.body + 4);
  const samples = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const duration = flags & 0x100 ? take() : defaults.duration;
    const size = flags & 0x200 ? take() : defaults.size;
    const f = flags & 0x400 ? take() : i === 0 && first !== null ? first : defaults.flags;
    let cts = 0;
    if (flags & 0x800) {
      cts = version === 0 ? bytes.readUInt32BE(at) : bytes.readInt32BE(at);
      at += 4;
    }
    samples.push({ dts, pts: dts + cts, duration, size, sync: !(f & 0x10000), at: mdat.body + total });
    dts += duration;
    total += size;
  }
  if (at !== trun.end) throw new Error('trun is longer than its samples');
  if (total !== mdat.end - mdat.body) throw new Error(`samples of ${total} bytes in an mdat of ${mdat.end - mdat.body}`);
  return { sequence: bytes.readUInt32BE(mfhd.body + 4), tfdt: samples[0]?.dts ?? 0, end: dts, samples };
}
