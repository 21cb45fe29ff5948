// SPDX-License-Identifier: GPL-3.0-or-later
//
// Faults planted in a sound package: each must be told by checkPackage.
import { boxes, find } from './boxes.mjs';

const inText = (file, from, to) => (name, bytes) =>
  (name === file && bytes ? Buffer.from(bytes.toString().replace(from, to)) : bytes);

function patch(file, change) {
  return (name, bytes) => {
    if (name !== file || !bytes) return bytes;
    const copy = Buffer.from(bytes);
    return change(copy) ?? copy;
  };
}

// `video`, `audio`: ids of renditions of the package; the picture has three segments or more.
export function faultsOf({ video, audio, codecs }) {
  const list = `${video}/index.m3u8`, sound = `${audio}/index.m3u8`, second = `${video}/00002.m4s`;
  const top = (b) => boxes(b);
  return {
    'no EXT-X-MAP': inText(list, /#EXT-X-MAP.*\n/, ''),
    'no EXT-X-ENDLIST': inText(list, '#EXT-X-ENDLIST\n', ''),
    'no EXT-X-INDEPENDENT-SEGMENTS': inText(list, '#EXT-X-INDEPENDENT-SEGMENTS\n', ''),
    'no EXT-X-TARGETDURATION': inText(list, /#EXT-X-TARGETDURATION.*\n/, ''),
    'a live playlist': inText(list, '#EXT-X-PLAYLIST-TYPE:VOD\n', ''),
    'a segment twice': inText(list, '00003.m4s', '00002.m4s'),
    'a segment left out': inText(list, /#EXTINF:[^\n]*\n00002\.m4s\n/, ''),
    'a segment too long': inText(list, /#EXTINF:[\d.]+,\n00002/, '#EXTINF:99.000000,\n00002'),
    'a segment too short by 10 µs': inText(list, /#EXTINF:(\d+\.\d{4})\d\d,\n00002/, (_, d) => `#EXTINF:${(Number(d) - 0.00001).toFixed(6)},\n00002`),
    'a segment of sound of wrong length': inText(sound, /#EXTINF:[\d.]+,\n00002/, '#EXTINF:1.000000,\n00002'),
    'no #EXTM3U': inText('master.m3u8', '#EXTM3U\n', ''),
    'BANDWIDTH an average': inText('master.m3u8', /:BANDWIDTH=\d+,AVERAGE-BANDWIDTH=(\d+)/, (_, d) => `:BANDWIDTH=${Math.floor(d / 2)},AVERAGE-BANDWIDTH=${d}`),
    'no BANDWIDTH': inText('master.m3u8', /:BANDWIDTH=\d+,/, ':'),
    'wrong CODECS': inText('master.m3u8', codecs, 'avc1.42c00a'),
    'wrong RESOLUTION': inText('master.m3u8', /RESOLUTION=\d+/, 'RESOLUTION=64'),
    'wrong FRAME-RATE': inText('master.m3u8', /FRAME-RATE=[\d.]+/, 'FRAME-RATE=61.000'),
    'no group of sound': inText('master.m3u8', /AUDIO="[^"]+"/, 'AUDIO="none"'),
    'two defaults': inText('master.m3u8', /(#EXT-X-MEDIA:TYPE=AUDIO,[^\n]*\n)/, (m) => m + m.replace(/NAME="[^"]*"/, 'NAME="again"')),
    'wrong codecs in the MPD': inText('manifest.mpd', /codecs="[^"]+"/, 'codecs="avc1.42c00a"'),
    'a shifted timeline in the MPD': inText('manifest.mpd', /<S t="0" d="(\d+)"/, (_, d) => `<S t="0" d="${Number(d) + 1}"`),
    'no profiles in the MPD': inText('manifest.mpd', /profiles="[^"]*"/, ''),
    'a wrong duration in the MPD': inText('manifest.mpd', /mediaPresentationDuration="PT\d/, 'mediaPresentationDuration="PT9'),
    'broken XML': inText('manifest.mpd', '</Period>', ''),
    'a missing segment': (name, bytes) => (name === second ? null : bytes),
    'a missing initialisation segment': (name, bytes) => (name === `${video}/init.mp4` ? null : bytes),
    'a truncated segment': patch(second, (b) => b.subarray(0, b.length - 1)),
    'a segment begun late (tfdt)': patch(second, (b) => {
      const tfdt = find(top(b), 'moof/traf/tfdt');
      b.writeUInt32BE(b.readUInt32BE(tfdt.body + 8) + 1, tfdt.body + 8);
    }),
    'a sample too long (trun)': patch(second, (b) => {
      const tfhd = find(top(b), 'moof/traf/tfhd'), trun = find(top(b), 'moof/traf/trun');
      const flags = b.readUInt32BE(trun.body) & 0xffffff;
      const at = flags & 0x100 ? trun.body + (flags & 4 ? 16 : 12) : tfhd.body + 8;
      b.writeUInt32BE(b.readUInt32BE(at) + 1, at);
    }),
    'a wrong sequence number': patch(second, (b) => {
      const mfhd = find(top(b), 'moof/mfhd');
      b.writeUInt32BE(7, mfhd.body + 4);
    }),
    'no sync sample first': patch(second, (b) => {
      const trun = find(top(b), 'moof/traf/trun');
      b.writeUInt32BE(0x01010000, trun.body + 12);
    }),
    'moof before styp': patch(second, (b) => {
      const [styp, moof, mdat] = top(b);
      return Buffer.concat([b.subarray(moof.at, moof.end), b.subarray(styp.at, styp.end), b.subarray(mdat.at)]);
    }),
    'a wrong data offset': patch(second, (b) => {
      const trun = find(top(b), 'moof/traf/trun');
      b.writeUInt32BE(b.readUInt32BE(trun.body + 8) - 1, trun.body + 8);
    }),
    'no key frame where one is promised': patch(second, (b) => {
      const mdat = find(top(b), 'mdat');
      for (let at = mdat.body; at + 5 < mdat.end; at += 4 + b.readUInt32BE(at)) {
        if ((b[at + 4] & 31) === 5) b[at + 4] = (b[at + 4] & 0xe0) | 1;
      }
    }),
    'another profile in avcC': patch(`${video}/init.mp4`, (b) => {
      const at = b.indexOf('avcC');
      b[at + 5] = b[at + 5] === 77 ? 100 : 77;
    }),
  };
}
