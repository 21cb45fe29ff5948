// SPDX-License-Identifier: GPL-3.0-or-later
//
// One exact frame. Decoding it takes the server a moment: until it comes, the grid's nearest still
// stands in, dimmed and said to be so.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { IconButton } from '../shared/components/base';
import { count } from '../shared/format';
import { api } from './api';
import { t } from './text';
import { clockText, pictureStream, shotAt, type FilmClock } from './time';
import type { Report } from './types';

const SETTLE_MS = 140; // while one holds an arrow key, only where it comes to rest is decoded

export interface ViewerProps {
  delivery: string;
  report: Report;
  clock: FilmClock;
  frame: number;
  onFrame: (frame: number) => void;
  onStep: (finding: 1 | -1) => void;
}

export function Viewer({ delivery, report, clock, frame, onFrame, onStep }: ViewerProps): JSX.Element {
  const [shown, setShown] = useState<{ frame: number; url: string } | null>(null);
  const [failed, setFailed] = useState<number | null>(null);
  const [text, setText] = useState<string | null>(null);
  const before = useRef(frame);
  const alive = useRef(true);
  useEffect(() => () => void (alive.current = false), []);

  useEffect(() => {
    let mine = true;
    setFailed(null);
    const timer = setTimeout(() => {
      const url = api.frameUrl(delivery, frame);
      const img = new Image();
      img.onload = () => {
        if (!mine || !alive.current) return;
        setShown({ frame, url });
        // The next one in the direction of travel, for the next key; one, for each costs the server a decode.
        const ahead = frame + (before.current > frame ? -1 : 1);
        before.current = frame;
        if (ahead >= 0 && ahead < clock.frames) new Image().src = api.frameUrl(delivery, ahead);
      };
      img.onerror = () => mine && setFailed(frame);
      img.src = url;
    }, SETTLE_MS);
    return () => {
      mine = false;
      clearTimeout(timer);
    };
  }, [delivery, frame]);

  const picture = pictureStream(report);
  const turned = picture?.rotation === 90 || picture?.rotation === 270;
  const sar = picture?.sar && picture.sar[0] > 0 ? picture.sar[0] / picture.sar[1] : 1;
  const wide = (picture?.width ?? 16) * sar;
  const high = picture?.height ?? 9;
  const aspect = turned ? high / wide : wide / high;

  const exact = shown?.frame === frame;
  const stills = report.stills;
  const still = stills && stills.count > 0 ? api.stillUrl(delivery, Math.max(0, Math.min(stills.count - 1, Math.round(clock.us(frame) / stills.every_us)))) : null;
  const shot = shotAt(report.shots, frame);
  const last = Math.max(0, clock.frames - 1);
  const go = (n: number): void => onFrame(Math.max(0, Math.min(last, n)));

  return (
    <figure class="viewer">
      <div class="screen" data-frame={frame} data-exact={exact} style={{ aspectRatio: String(aspect) }}>
        {exact ? (
          <img src={shown.url} alt={t('viewer.alt', { frame })} />
        ) : still && failed === null ? (
          <img class="near" src={still} alt="" onError={(e) => (e.currentTarget.hidden = true)} onLoad={(e) => (e.currentTarget.hidden = false)} />
        ) : null}
        {failed !== null && <p class="none">{t('viewer.failed', { frame: failed })}</p>}
        {!exact && failed === null && <span class="note-near">{t('viewer.near')}</span>}
      </div>
      <figcaption>
        <div class="transport">
          <IconButton icon="first" label={t('viewer.finding.previous')} onClick={() => onStep(-1)} />
          <IconButton icon="chevronLeft" label={t('viewer.previous')} disabled={frame <= 0} onClick={() => go(frame - 1)} />
          <label>
            <span class="visually-hidden">{t('viewer.frame')}</span>
            <input
              class="num"
              inputMode="numeric"
              size={7}
              value={text ?? String(frame)}
              onFocus={(e) => e.currentTarget.select()}
              onInput={(e) => setText(e.currentTarget.value)}
              onBlur={() => setText(null)}
              onKeyDown={(e) => {
                if (e.key === 'Enter') {
                  const n = Number((text ?? '').replace(/\D/g, ''));
                  if (text !== null && Number.isFinite(n)) go(n);
                  setText(null);
                  e.currentTarget.blur();
                } else if (e.key === 'Escape') {
                  setText(null);
                  e.currentTarget.blur();
                }
              }}
            />
            <span class="faint num">/ {count(clock.frames)}</span>
          </label>
          <IconButton icon="chevronRight" label={t('viewer.next')} disabled={frame >= last} onClick={() => go(frame + 1)} />
          <IconButton icon="last" label={t('viewer.finding.next')} onClick={() => onStep(1)} />
        </div>
        <dl class="numbers">
          <div>
            <dt>{t('viewer.timecode')}</dt>
            <dd class="num" data-timecode>
              {clock.timeCode(frame)}
            </dd>
          </div>
          <div>
            <dt>{t('viewer.time')}</dt>
            <dd class="num">{clockText(clock.us(frame))}</dd>
          </div>
          <div>
            <dt>{t('viewer.pts')}</dt>
            <dd class="num" data-pts title={t('viewer.pts.base', { base: `${clock.base[0]}/${clock.base[1]}` })}>
              {clock.exact(frame) ? '' : '≈ '}
              {clock.pts(frame)}
            </dd>
          </div>
          <div>
            <dt>{t('viewer.shot')}</dt>
            <dd class="num">{shot < 0 ? '–' : `${shot + 1} / ${report.shots.length}`}</dd>
          </div>
        </dl>
      </figcaption>
    </figure>
  );
}
