// SPDX-License-Identifier: GPL-3.0-or-later
// What opens over the film: statistics, the list of keys, "report a problem", the next episode, the end.
import { useEffect, useState } from 'preact/hooks';
import type { Card } from '../../shared/api';
import { Button, Dialog, ErrorNote, Field, IconButton, LinkButton } from '../../shared/components/base';
import { clock, rate, US } from '../../shared/format';
import { Art } from '../art';
import { episodeMark } from '../facts';
import type { Statistics } from './engine';
import { t } from './strings';

export function StatisticsPanel({ look, place, play, onClose }: {
  look: () => Statistics;
  place: () => number;
  play: string;
  onClose: () => void;
}) {
  const [now, setNow] = useState(look);
  useEffect(() => {
    const ticking = setInterval(() => setNow(look()), 500);
    return () => clearInterval(ticking);
  }, [look]);
  const rows: [string, string][] = [
    [t('statRung'), now.rung],
    [t('statSize'), now.size],
    [t('statCodecs'), now.codecs],
    [t('statRate'), `${rate(now.streamRate)} / ${rate(now.bandwidth)}`],
    [t('statBuffer'), `${now.buffer.toFixed(1)} s`],
    [t('statFrames'), `${now.frames} (${now.dropped})`],
    [t('statStalls'), `${now.stalls}, ${(now.stallMs / 1000).toFixed(1)} s`],
    [t('statSwitches'), String(now.switches)],
    [t('statStart'), `${now.startupMs} ms`],
    [t('statPlace'), `${place().toFixed(3)} s`],
    [t('statManifest'), now.manifest],
    [t('statPlay'), play],
  ];
  return (
    <section class="statistics" aria-label={t('statistics')}>
      <IconButton icon="close" label={t('close')} onClick={onClose} />
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value || '–'}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function KeysDialog({ onClose }: { onClose: () => void }) {
  const keys: [string[], string][] = [
    [['Space', 'K'], t('keyToggle')],
    [['←', '→'], t('keySeek')],
    [['0', '…', '9'], t('keyJump')],
    [['↑', '↓'], t('keyVolume')],
    [['M'], t('keyMute')],
    [['C'], t('keyCaptions')],
    [['F'], t('keyFull')],
    [['<', '>'], t('keySpeed')],
    [['N'], t('keyNext')],
    [['I'], t('keyStats')],
    [['?'], t('keyHelp')],
  ];
  return (
    <Dialog title={t('keys')} onClose={onClose}>
      <dl class="keys">
        {keys.map(([caps, what]) => (
          <div key={what}>
            <dt>
              {caps.map((cap) => (
                <kbd key={cap}>{cap}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

const kinds = ['reportPicture', 'reportSound', 'reportCaptions', 'reportOther'] as const;

export function ProblemDialog({ name, seconds, onSend, onClose }: {
  name: string;
  seconds: number;
  onSend: (text: string) => Promise<void>;
  onClose: () => void;
}) {
  const [kind, setKind] = useState<(typeof kinds)[number]>('reportPicture');
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const send = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await onSend(text.trim() === '' ? t(kind) : `${t(kind)}: ${text.trim()}`);
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  };
  return (
    <Dialog title={t('reportTitle')} onClose={onClose}>
      <form class="stack" onSubmit={send}>
        <p class="quiet-text">{t('reportAt', { time: clock(seconds * US), name })}</p>
        {error !== null && <ErrorNote error={error} />}
        <fieldset class="chips">
          <legend>{t('reportWhat')}</legend>
          {kinds.map((one) => (
            <label key={one}>
              <input type="radio" name="kind" checked={kind === one} onChange={() => setKind(one)} />
              <span>{t(one)}</span>
            </label>
          ))}
        </fieldset>
        <Field label={t('reportText')} hint={t('reportTextHint')}>
          {(attributes) => (
            <textarea
              {...attributes}
              rows={3}
              maxLength={1000}
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          )}
        </Field>
        <div class="foot">
          <Button kind="quiet" onClick={onClose}>
            {t('cancel')}
          </Button>
          <Button type="submit" kind="primary" icon="flag" disabled={busy}>
            {t('reportSend')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

export function NextCard({ next, seconds, onPlay, onStay }: {
  next: Card;
  seconds: number;
  onPlay: () => void;
  onStay: () => void;
}) {
  return (
    <section class="next-up" aria-label={t('next')}>
      <span class="next-art">
        <Art card={next} eager />
      </span>
      <div class="next-text">
        <p class="why" role="timer">
          {t('nextIn', { n: seconds })}
        </p>
        <p class="next-name">{[episodeMark(next), next.name].filter(Boolean).join(' · ')}</p>
        <div class="next-buttons">
          <Button kind="primary" icon="play" onClick={onPlay}>
            {t('playNow')}
          </Button>
          <Button kind="quiet" onClick={onStay}>
            {t('stay')}
          </Button>
        </div>
      </div>
    </section>
  );
}

export function TheEnd({ title, next, onReplay, onNext }: {
  title: Card;
  next: Card | null;
  onReplay: () => void;
  onNext: () => void;
}) {
  return (
    <section class="the-end" aria-label={t('theEnd')}>
      <h2>{title.name}</h2>
      <div class="next-buttons">
        {next && (
          <Button kind="primary" size="large" icon="next" onClick={onNext}>
            {t('next')}
          </Button>
        )}
        <Button kind={next ? 'plain' : 'primary'} size="large" icon="refresh" onClick={onReplay}>
          {t('replay')}
        </Button>
        <LinkButton size="large" icon="info" href={`/title/${encodeURIComponent(title.series_id ?? title.id)}`}>
          {t('toTitle')}
        </LinkButton>
      </div>
    </section>
  );
}
