// SPDX-License-Identifier: GPL-3.0-or-later
import type { Card } from '../shared/api';
import { length } from '../shared/format';
import { Art } from './art';
import { episodeMark, Watched } from './facts';
import { previewOf } from './preview';
import { t } from './strings';

export function CardLink({ card, goOn = false, wait = false, eager = false }: {
  card: Card;
  /** In "continue watching" a card leads back into the film. */
  goOn?: boolean;
  wait?: boolean;
  eager?: boolean;
}) {
  const key = encodeURIComponent(card.kind === 'episode' && !goOn ? (card.series_id ?? card.id) : card.id);
  const meta = [
    episodeMark(card),
    card.year ? String(card.year) : null,
    card.kind === 'series' ? t('kindSeries') : card.duration_us ? length(card.duration_us) : null,
  ].filter(Boolean);
  return (
    <a
      class="card"
      href={goOn ? `/play/${key}` : `/title/${key}`}
      {...previewOf(card)}
    >
      <span class="card-art">
        <Art card={card} wait={wait} eager={eager} />
        <Watched card={card} />
        {goOn && (
          <span class="card-play" aria-hidden="true">
            <svg viewBox="0 0 24 24">
              <path d="M8 5v14l11-7z" />
            </svg>
          </span>
        )}
      </span>
      <span class="card-name">
        {goOn && <span class="visually-hidden">{t('resume')}: </span>}
        {card.name}
      </span>
      <span class="card-meta">{meta.join(' · ')}</span>
    </a>
  );
}

export function CardGrid({ cards, label }: { cards: Card[]; label: string }) {
  return (
    <ul class="grid" aria-label={label}>
      {cards.map((card, i) => (
        <li key={card.id}>
          <CardLink card={card} eager={i < 8} />
        </li>
      ))}
    </ul>
  );
}

export function GridSkeleton({ count = 12 }: { count?: number }) {
  return (
    <ul class="grid" aria-hidden="true">
      {Array.from({ length: count }, (_, i) => (
        <li key={i}>
          <span class="card">
            <span class="card-art skeleton" />
            <span class="skeleton line" />
            <span class="skeleton line short" />
          </span>
        </li>
      ))}
    </ul>
  );
}
