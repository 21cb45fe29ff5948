// SPDX-License-Identifier: GPL-3.0-or-later
// The short line under a title: year, length, age, quality.
import type { Card } from '../shared/api';
import { clock, length } from '../shared/format';
import { t } from './strings';

export const episodeMark = (card: Card): string | null =>
  card.kind === 'episode' && card.season != null && card.episode != null
    ? t('episodeMark', { season: card.season, episode: card.episode })
    : null;

/** null: nobody has said an age, and profiles with a limit do not see the title. */
export function maturityText(maturity: Card['maturity']): string | null {
  if (maturity === undefined || maturity === '') return null;
  if (maturity === null) return t('maturityNone');
  const age = Number(maturity);
  if (Number.isNaN(age)) return String(maturity);
  return age === 0 ? t('maturityZero') : t('maturity', { n: age });
}

/** Why a card is here: the server's own reasons in the viewer's language. */
export const whyOf = (why: string): string => (why === 'Recently added' ? t('rowRecent') : why);

export function Facts({ card, extra = [] }: { card: Card; extra?: (string | null)[] }) {
  const parts = [
    episodeMark(card),
    card.year ? String(card.year) : null,
    card.kind === 'series' ? t('kindSeries') : null,
    card.duration_us ? length(card.duration_us) : null,
    ...extra,
  ].filter((part): part is string => part !== null);
  const age = maturityText(card.maturity);
  return (
    <p class="facts">
      {parts.map((part) => (
        <span key={part}>{part}</span>
      ))}
      {age && <span class="badge">{age}</span>}
      {card.quality && <span class="badge">{card.quality}</span>}
    </p>
  );
}

export const watchedRatio = (card: Card): number | null => {
  const progress = card.progress;
  if (!progress || progress.duration_us <= 0 || progress.position_us <= 0) return null;
  return Math.min(1, progress.position_us / progress.duration_us);
};

export function Watched({ card }: { card: Card }) {
  const ratio = watchedRatio(card);
  if (ratio === null) return null;
  const left = clock(card.progress!.duration_us - card.progress!.position_us);
  return (
    <span class="watched" role="img" aria-label={t('left', { time: left })}>
      <span style={{ width: `${(ratio * 100).toFixed(1)}%` }} />
    </span>
  );
}
