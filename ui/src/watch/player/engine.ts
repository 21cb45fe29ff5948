// SPDX-License-Identifier: GPL-3.0-or-later
// shaka-player behind a small face: one film on one video element. Everything that the controls show
// comes through `onChange`; captions are handed over as cues and drawn by the page in the viewer's style.
import type shaka from 'shaka-player';
import { ApiError, type Qoe } from '../../shared/api';
import { rate as showRate } from '../../shared/format';
import { mediaSource } from './device';
import { loadLibrary } from './library';
import { offered, pictureCodec, qualities, since, type Counters, type Quality, type Rung } from './state';

export interface Caption {
  start: number;
  end: number;
  lines: CaptionSpan[];
  top: boolean;
}
export interface CaptionSpan {
  text: string;
  italic: boolean;
  bold: boolean;
}

const RETRY_MS = 2000;

type VideoRung = Rung & { codecs: string; track: shaka.extern.VideoTrack };

export interface Choice {
  key: string;
  label: string;
  language: string;
  active: boolean;
}

export interface Tracks {
  qualities: Quality<VideoRung>[];
  /** The rung on the screen; null before the first. */
  present: Quality<VideoRung> | null;
  /** Chosen by hand; null while the player adapts by itself. */
  fixed: string | null;
  audio: Choice[];
  captions: Choice[];
}

export const noTracks: Tracks = { qualities: [], present: null, fixed: null, audio: [], captions: [] };

export interface Statistics {
  codecs: string;
  size: string;
  rung: string;
  bandwidth: number;
  streamRate: number;
  buffer: number;
  frames: number;
  dropped: number;
  stalls: number;
  stallMs: number;
  startupMs: number;
  switches: number;
  manifest: string;
  version: string;
}

/** A caption displayer that only keeps cues: drawing is the page's. */
class Keeper implements shaka.extern.TextDisplayer {
  private cues: Caption[] = [];
  private visible = true;
  constructor(private readonly changed: () => void) {}

  append(cues: shaka.text.Cue[]): void {
    for (const cue of cues) {
      const lines = spans(cue);
      if (lines.length === 0) continue;
      const known = this.cues.some((one) => one.start === cue.startTime && one.end === cue.endTime && text(one.lines) === text(lines));
      if (!known) this.cues.push({ start: cue.startTime, end: cue.endTime, lines, top: onTop(cue) });
    }
    this.cues.sort((a, b) => a.start - b.start);
    this.changed();
  }
  remove(start: number, end: number): boolean {
    this.cues = this.cues.filter((cue) => cue.end <= start || cue.start >= end);
    this.changed();
    return true;
  }
  at(seconds: number): Caption[] {
    return this.visible ? this.cues.filter((cue) => cue.start <= seconds && seconds < cue.end) : [];
  }
  destroy(): Promise<void> {
    this.cues = [];
    return Promise.resolve();
  }
  isTextVisible(): boolean {
    return this.visible;
  }
  setTextVisibility(on: boolean): void {
    this.visible = on;
    this.changed();
  }
  configure(): void {}
  setTextLanguage(): void {}
  enableTextDisplayer(): void {}
}

const text = (lines: CaptionSpan[]) => lines.map((span) => span.text).join('');

function spans(cue: shaka.text.Cue): CaptionSpan[] {
  if (cue.nestedCues.length > 0) return cue.nestedCues.flatMap(spans);
  if (cue.lineBreak) return [{ text: '\n', italic: false, bold: false }];
  if (!cue.payload) return [];
  return [{ text: cue.payload, italic: cue.fontStyle === 'italic', bold: cue.fontWeight >= 600 }];
}

/** WebVTT's line setting in the upper half keeps a caption clear of what is written in the picture below. */
const onTop = (cue: shaka.text.Cue): boolean =>
  cue.line !== null && cue.lineInterpretation === 1 && cue.line < 50;

export interface EngineEvents {
  onTracks(tracks: Tracks): void;
  onCaptions(): void;
  onFatal(error: ApiError): void;
  /** The film stands because nothing arrives; null once it goes on. It is tried again all the time. */
  onStarved(error: ApiError | null): void;
}

export class Engine {
  private player: shaka.Player | null = null;
  private readonly keeper: Keeper;
  private readonly prepared: Promise<void>;
  private fixed: string | null = null;
  private tracks: Tracks = noTracks;
  private captionsOn = false;
  private stalls = 0;
  private stallMs = 0;
  private stallSince = 0;
  private switches = 0;
  private startupMs = 0;
  private closed = false;
  private loaded = false;
  private starving = false;
  private trouble: ApiError | null = null;
  private again = 0;
  private manifest = '';
  private told: Counters = { stalls: 0, stall_ms: 0, frames: 0, dropped: 0 };
  private startupTold = false;
  private fault = ''; // what went wrong, until it is told

  constructor(
    readonly video: HTMLVideoElement,
    private readonly events: EngineEvents,
  ) {
    this.keeper = new Keeper(() => events.onCaptions());
    // While the server is asked for the play.
    this.prepared = this.prepare();
    this.prepared.catch(() => {}); // load() says so
  }

  private async prepare(): Promise<void> {
    const { default: Library } = await loadLibrary();
    if (this.closed) return;
    Library.polyfill.installAll();
    const player = new Library.Player();
    this.player = player;
    player.configure({
      textDisplayFactory: (_player: shaka.Player) => this.keeper,
      // What is buffered is what a better link cannot mend: deep enough for a bad quarter of a minute, no deeper.
      streaming: { bufferingGoal: 16, bufferBehind: 60, rebufferingGoal: 0.5, retryParameters: { maxAttempts: 4, baseDelay: 400 } },
      manifest: { retryParameters: { maxAttempts: 3, baseDelay: 400 } },
      // A measurement weighs as long as it took: with the library's half-lives of 2 and 5 s, segments that a fast link
      // brings in 40 ms each would be believed after minutes.
      abr: { enabled: true, switchInterval: 4, advanced: { fastHalfLife: 0.4, slowHalfLife: 1.2 } },
    });
    player.addEventListener('error', (event) => this.failed((event as unknown as { detail: shaka.util.Error }).detail));
    player.addEventListener('buffering', (event) => this.buffering((event as unknown as { buffering: boolean }).buffering));
    for (const name of ['trackschanged', 'variantchanged', 'textchanged', 'texttrackvisibility', 'audiotrackschanged'])
      player.addEventListener(name, () => this.look());
    player.addEventListener('adaptation', () => {
      this.switches += 1;
      this.look();
    });
    player.addEventListener('segmentappended', () => this.settle(null));
    this.video.addEventListener('resize', this.look);
    await player.attach(this.video);
  }

  async load(
    play: { hls: string | null; dash: string | null },
    from: number,
    captionLanguage: string | null,
    guessBps: number,
  ): Promise<void> {
    const begun = performance.now();
    const url = mediaSource() ? (play.dash ?? play.hls) : (play.hls ?? play.dash);
    if (!url) throw new ApiError(0, 'no_media', 'This title has nothing to play.', 'It may still be in the making: try again later.');
    this.manifest = url.endsWith('.mpd') ? 'DASH' : 'HLS';
    await this.prepared;
    const player = this.player;
    if (this.closed || !player) return;
    player.configure('abr.defaultBandwidthEstimate', guessBps);
    try {
      await player.load(url, from > 0 ? from : null);
    } catch (error) {
      if (this.closed) return;
      throw this.explain(error as shaka.util.Error);
    }
    if (this.closed) return;
    this.loaded = true;
    const first = () => {
      this.startupMs = Math.round(performance.now() - begun);
    };
    if (this.video.readyState >= 2) first();
    else this.video.addEventListener('loadeddata', first, { once: true });
    this.look();
    if (captionLanguage !== null) this.chooseCaptions(this.tracks.captions.find((one) => one.language === captionLanguage)?.key ?? null);
    else this.chooseCaptions(null);
  }

  /** null: the player adapts by itself again. */
  chooseQuality(key: string | null): void {
    const player = this.player;
    if (!player) return;
    this.fixed = key;
    const chosen = this.tracks.qualities.find((quality) => quality.key === key);
    player.configure('abr.enabled', !chosen);
    // What is buffered ahead would hide the choice for half a minute: it is dropped but for a second.
    if (chosen) player.selectVideoTrack(chosen.track.track, true, 1);
    this.look();
  }

  chooseAudio(key: string): void {
    const track = this.player?.getAudioTracks().find((one) => audioKey(one) === key);
    if (track) this.player!.selectAudioTrack(track);
    this.look();
  }

  chooseCaptions(key: string | null): void {
    const player = this.player;
    if (!player) return;
    const track = player.getTextTracks().find((one) => String(one.id) === key) ?? null;
    this.captionsOn = track !== null;
    player.selectTextTrack(track);
    this.keeper.setTextVisibility(track !== null);
    this.look();
  }

  captionsAt(seconds: number): Caption[] {
    return this.captionsOn ? this.keeper.at(seconds) : [];
  }

  statistics(): Statistics {
    const stats = this.player?.getStats();
    const quality = this.video.getVideoPlaybackQuality?.();
    const present = this.tracks.present;
    return {
      codecs: stats?.currentCodecs ?? '',
      size: `${this.video.videoWidth} × ${this.video.videoHeight}`,
      rung: present ? `${present.label} · ${present.aside}` : '',
      bandwidth: stats?.estimatedBandwidth || 0,
      streamRate: stats?.streamBandwidth || 0,
      buffer: this.ahead(),
      frames: quality?.totalVideoFrames ?? 0,
      dropped: quality?.droppedVideoFrames ?? 0,
      stalls: this.stalls,
      stallMs: Math.round(this.stallMs),
      startupMs: this.startupMs,
      switches: this.switches,
      manifest: this.manifest,
      version: version(this.player),
    };
  }

  /** Counters since the last call, and how things stand now; the wait for the first picture is told once. */
  qoe(): Qoe {
    const now = this.statistics();
    const counters = { stalls: now.stalls, stall_ms: now.stallMs, frames: now.frames, dropped: now.dropped };
    const news: Qoe = {
      ...since(this.told, counters),
      bandwidth_bps: Math.round(now.bandwidth),
      height: this.video.videoHeight,
      rate_bps: Math.round(now.streamRate),
    };
    if (!this.startupTold && now.startupMs > 0) news.startup_ms = now.startupMs;
    this.startupTold ||= now.startupMs > 0;
    const codec = pictureCodec(now.codecs);
    if (codec) news.codec = codec;
    if (this.fault) news.error = this.fault;
    this.fault = '';
    this.told = counters;
    return news;
  }

  ahead(): number {
    const { buffered, currentTime } = this.video;
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= currentTime + 0.1 && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.again);
    this.video.removeEventListener('resize', this.look);
    const player = this.player;
    this.player = null;
    await player?.destroy();
  }

  private buffering(on: boolean): void {
    this.starving = on;
    this.events.onStarved(on ? this.trouble : null);
    // The wait before the first picture is startup, not a stall; so is the wait after a seek.
    if (on && this.startupMs > 0 && !this.video.seeking && !this.video.paused) {
      this.stalls += 1;
      this.stallSince = performance.now();
    } else if (!on && this.stallSince > 0) {
      this.stallMs += performance.now() - this.stallSince;
      this.stallSince = 0;
    }
  }

  private readonly look = (): void => {
    const player = this.player;
    if (!player) return;
    const rungs: VideoRung[] = player.getVideoTracks().map((track) => ({
      width: track.width ?? 0,
      height: track.height ?? 0,
      bandwidth: track.bandwidth,
      codecs: track.codecs ?? '',
      track,
    }));
    const list = qualities(rungs.filter((rung) => rung.height > 0), showRate);
    const active = rungs.find((rung) => rung.track.active);
    const streaming = active && list.find((quality) => same(quality.track, active) && quality.track.bandwidth === active.bandwidth);
    const audio = player.getAudioTracks();
    // One language at three rates is one choice: the rate adapts with the picture.
    const languages = new Map<string, Choice>();
    for (const track of audio) {
      const key = audioKey(track);
      const before = languages.get(key);
      languages.set(key, {
        key,
        label: track.label ?? '',
        language: track.language,
        active: track.active || (before?.active ?? false),
      });
    }
    this.tracks = {
      qualities: offered(list),
      present: this.onScreen(list) ?? streaming ?? null,
      fixed: list.some((quality) => quality.key === this.fixed) ? this.fixed : null,
      audio: [...languages.values()],
      captions: player.getTextTracks().map((track) => ({
        key: String(track.id),
        label: track.label ?? '',
        language: track.language,
        active: this.captionsOn && track.active,
      })),
    };
    this.events.onTracks(this.tracks);
  };

  /** What is fetched now may be on the screen only when the buffer has run through: the picture itself says its size. */
  private onScreen(list: Quality<VideoRung>[]): Quality<VideoRung> | null {
    const shown = { width: this.video.videoWidth, height: this.video.videoHeight };
    const fitting = list.filter((quality) => same(quality.track, shown));
    return fitting.find((quality) => quality.track.track.active) ?? fitting[0] ?? null;
  }

  private failed(error: shaka.util.Error): void {
    if (this.closed || error.severity !== 2) return;
    const said = this.explain(error);
    this.fault = said.code;
    if (this.loaded && said.code === 'not_arriving') this.settle(said);
    else this.events.onFatal(said);
  }

  /** What is buffered is watched to its end; meanwhile it is asked again and again for the rest. */
  private settle(trouble: ApiError | null): void {
    const news = trouble !== null || this.trouble !== null;
    this.trouble = trouble;
    clearTimeout(this.again);
    if (trouble) this.again = window.setTimeout(() => this.player?.retryStreaming(0), RETRY_MS);
    if (news) this.events.onStarved(this.starving ? trouble : null);
  }

  /** What to say for an error of the library's, by its category. */
  private explain(error: shaka.util.Error): ApiError {
    const code = `shaka_${error.code}`;
    if (error.category === 1) {
      const status = error.code === 1001 ? Number(error.data?.[1] ?? 0) : 0;
      if (status === 401 || status === 403 || status === 404 || status === 410)
        return new ApiError(status, 'grant_expired', 'The permission to play this ran out.', 'Play it again to go on where you were.');
      return new ApiError(status, this.loaded ? 'not_arriving' : 'not_come', 'The film does not arrive.', 'Check the connection, then try again: it goes on where you were.');
    }
    if (error.category === 4 && error.code === 4032)
      return new ApiError(0, 'no_format', 'This browser can play none of the film’s formats.', 'Update the browser, or use another one.');
    return new ApiError(0, code, 'The player had to stop.', `Try again: it goes on where you were. (Error ${error.code})`);
  }
}

const same = (a: { width: number; height: number }, b: { width: number; height: number }): boolean =>
  a.width === b.width && a.height === b.height;
const audioKey = (track: shaka.extern.AudioTrack): string => `${track.language}/${track.label ?? ''}/${track.roles.join('+')}`;
const version = (player: shaka.Player | null): string =>
  player ? ((player.constructor as unknown as { version?: string }).version ?? '') : '';
