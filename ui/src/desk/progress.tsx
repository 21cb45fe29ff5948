// SPDX-License-Identifier: GPL-3.0-or-later
import type { JSX } from 'preact';
import { elapsed } from '../shared/format';
import { t } from './text';

export function ProgressBar({ ratio, label, tone = 'info', quiet }: { ratio: number; label: string; tone?: 'info' | 'ok' | 'error' | 'idle'; quiet?: boolean }): JSX.Element {
  const ppm = Math.max(0, Math.min(1, ratio));
  return (
    <span
      class={`progress ${tone} ${quiet ? 'quiet' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(ppm * 100)}
    >
      <i style={{ transform: `scaleX(${ppm})` }} />
    </span>
  );
}

// "Waiting, 10 films before it"; null where it does not wait. What was told a moment ago shows that it works again.
export function waitingText(of: { waits_behind?: number | null }, told: { at: number } | null): string | null {
  const n = of.waits_behind;
  if (n === null || n === undefined || (told !== null && Date.now() - told.at < 4_000)) return null;
  return n === 0 ? t('waiting') : t('waiting.behind', { n });
}

export function remainingText(us: number | null | undefined): string {
  if (us === null || us === undefined || us < 0) return '';
  // Whole seconds: a remaining time that shows tenths only flickers.
  const s = Math.max(1, Math.round(us / 1_000_000));
  return t('remaining', { time: s < 10 ? `${s} s` : elapsed(s * 1_000_000) });
}
