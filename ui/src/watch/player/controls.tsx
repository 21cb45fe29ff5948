// SPDX-License-Identifier: GPL-3.0-or-later
import type { Play } from '../../shared/api';
import { IconButton } from '../../shared/components/base';
import { Icon } from '../../shared/components/icons';
import { MenuButton, type MenuGroup } from '../../shared/components/menu';
import { clock, language, US } from '../../shared/format';
import type { Choice, Tracks } from './engine';
import { SeekBar } from './seekbar';
import { SEEK_S, speeds } from './state';
import { t } from './strings';
import type { VideoState } from './video';

export interface Commands {
  toggle: () => void;
  seekBy: (seconds: number) => void;
  seekTo: (seconds: number) => void;
  scrub: (scrubbing: boolean) => void;
  mute: () => void;
  volume: (value: number) => void;
  fullscreen: () => void;
  speed: (value: number) => void;
  quality: (key: string | null) => void;
  audio: (key: string) => void;
  captions: (key: string | null) => void;
  captionStyle: () => void;
  statistics: () => void;
  report: () => void;
  keys: () => void;
  next: () => void;
  menu: (open: boolean) => void;
}

const trackName = (choice: Choice): string => choice.label || language(choice.language) || t('audioUnknown');

export function Controls({ play, video, speed: now, duration, tracks, full, commands: go }: {
  play: Play | null;
  video: VideoState;
  speed: number;
  duration: number;
  tracks: Tracks;
  full: boolean;
  commands: Commands;
}) {
  const captions: MenuGroup[] = [
    {
      heading: t('captions'),
      items: [
        {
          key: 'off',
          label: t('captionsOff'),
          checked: !tracks.captions.some((one) => one.active),
          onChoose: () => go.captions(null),
        },
        ...tracks.captions.map((one) => ({
          key: one.key,
          label: trackName(one),
          checked: one.active,
          onChoose: () => go.captions(one.key),
        })),
      ],
    },
    { heading: t('captionStyle'), items: [{ key: 'style', label: t('captionStyleOpen'), onChoose: go.captionStyle }] },
  ];
  const audio: MenuGroup[] = [
    {
      heading: t('audio'),
      items: tracks.audio.map((one) => ({
        key: one.key,
        label: trackName(one),
        checked: one.active,
        onChoose: () => go.audio(one.key),
      })),
    },
  ];
  const present = tracks.present?.label ?? '';
  const auto = tracks.fixed === null;
  const twins = new Set(
    tracks.qualities.map((one) => one.label).filter((label, i, all) => all.indexOf(label) !== i),
  );
  const quality: MenuGroup[] = [
    {
      heading: t('quality'),
      items: [
        {
          key: 'auto',
          label: auto && present ? t('autoWith', { rung: present }) : t('auto'),
          checked: auto,
          onChoose: () => go.quality(null),
        },
        ...tracks.qualities.map((one) => ({
          key: one.key,
          label: twins.has(one.label) ? `${one.label} · ${one.aside}` : one.label,
          aside: twins.has(one.label) ? undefined : one.aside,
          checked: tracks.fixed === one.key,
          onChoose: () => go.quality(one.key),
        })),
      ],
    },
  ];
  const more: MenuGroup[] = [
    {
      heading: t('speed'),
      items: speeds.map((speed) => ({
        key: String(speed),
        label: speed === 1 ? t('usualSpeed') : `${speed} ×`,
        checked: Math.abs(now - speed) < 0.01,
        onChoose: () => go.speed(speed),
      })),
    },
    {
      heading: t('more'),
      items: [
        { key: 'report', label: t('report'), onChoose: go.report },
        { key: 'statistics', label: t('statistics'), aside: 'I', onChoose: go.statistics },
        { key: 'keys', label: t('keys'), aside: '?', onChoose: go.keys },
      ],
    },
  ];
  const playLabel = video.ended ? t('replay') : video.paused ? t('play') : t('pause');
  const playIcon = video.ended ? 'refresh' : video.paused ? 'play' : 'pause';
  return (
    <>
      <div class="middle">
        <IconButton icon="back10" label={t('backBy', { n: SEEK_S })} onClick={() => go.seekBy(-SEEK_S)} />
        <IconButton icon={playIcon} label={playLabel} class="big" onClick={go.toggle} />
        <IconButton icon="ahead10" label={t('aheadBy', { n: SEEK_S })} onClick={() => go.seekBy(SEEK_S)} />
      </div>
      <div class="lower">
        <SeekBar
          time={video.time}
          duration={duration}
          buffered={video.buffered}
          thumbsUrl={play?.thumbnails ?? null}
          busy={!video.started || video.waiting || video.seeking}
          onSeek={go.seekTo}
          onScrub={go.scrub}
        />
        <div class="tools">
          <IconButton icon={playIcon} label={playLabel} class="wide-only" onClick={go.toggle} />
          <IconButton icon="back10" label={t('backBy', { n: SEEK_S })} class="wide-only" onClick={() => go.seekBy(-SEEK_S)} />
          <IconButton icon="ahead10" label={t('aheadBy', { n: SEEK_S })} class="wide-only" onClick={() => go.seekBy(SEEK_S)} />
          <span class="volume wide-only">
            <IconButton icon={video.muted ? 'muted' : 'volume'} label={video.muted ? t('unmute') : t('mute')} onClick={go.mute} />
            <input
              type="range"
              min="0"
              max="1"
              step="0.05"
              aria-label={t('volume')}
              aria-valuetext={`${Math.round((video.muted ? 0 : video.volume) * 100)} %`}
              value={String(video.muted ? 0 : video.volume)}
              style={{ '--part': `${(video.muted ? 0 : video.volume) * 100}%` }}
              onInput={(event) => go.volume(Number(event.currentTarget.value))}
            />
          </span>
          <span class="times">
            {clock(video.time * US)}
            <span class="quiet-text"> / {clock(duration * US)}</span>
          </span>
          <span class="gap" />
          {play?.next && <IconButton icon="next" label={t('next')} onClick={go.next} />}
          {tracks.captions.length > 0 && (
            <MenuButton
              label={t('captions')}
              class={`icon-button ${tracks.captions.some((one) => one.active) ? 'on' : ''}`}
              menuClass="over"
              groups={captions}
              onOpen={go.menu}
            >
              <Icon name="captions" />
            </MenuButton>
          )}
          {tracks.audio.length > 1 && (
            <MenuButton label={t('audio')} class="icon-button" menuClass="over" groups={audio} onOpen={go.menu}>
              <Icon name="audio" />
            </MenuButton>
          )}
          {tracks.qualities.length > 0 && (
            <MenuButton
              label={`${t('quality')}: ${auto ? `${t('auto')} ${present}`.trim() : present}`}
              class="button quiet quality"
              menuClass="over"
              groups={quality}
              onOpen={go.menu}
            >
              <Icon name="settings" />
              <span class="quality-words">
                <span>{auto ? t('auto') : present}</span> {auto && <small>{present}</small>}
              </span>
            </MenuButton>
          )}
          <MenuButton label={t('more')} class="icon-button" menuClass="over" groups={more} onOpen={go.menu}>
            <Icon name="more" />
          </MenuButton>
          <IconButton icon={full ? 'windowed' : 'fullscreen'} label={full ? t('windowed') : t('fullscreen')} onClick={go.fullscreen} />
        </div>
      </div>
    </>
  );
}
