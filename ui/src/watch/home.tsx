// SPDX-License-Identifier: GPL-3.0-or-later
import { useEffect, useLayoutEffect } from 'preact/hooks';
import { titles, type Card } from '../shared/api';
import { Empty, ErrorNote, LinkButton, Skeleton } from '../shared/components/base';
import { clock } from '../shared/format';
import { scrollOf, type Place } from '../shared/router';
import { useAfter, useLoad, useTitle } from '../shared/use';
import { MarkButtons } from './actions';
import { Facts, whyOf } from './facts';
import { Hero } from './hero';
import { Row, RowSkeleton } from './row';
import { profileKey } from './session';
import { t } from './strings';

const EMPTY_LOOK_MS = 8000;
const AWAY_MS = 120_000;

export function useScrollBack(place: Place, ready: boolean): void {
  useLayoutEffect(() => {
    if (ready) window.scrollTo(0, scrollOf(place));
  }, [ready, place.key]);
}

export function Home({ place, operator }: { place: Place; operator: boolean }) {
  useTitle(t('service'));
  const { value, error, loading, reload } = useLoad(
    (signal) => titles.home({ signal }),
    [profileKey()],
    `home/${profileKey()}`,
  );
  const slow = useAfter(loading && !value, 300);
  useScrollBack(place, value !== null);
  const rows = value?.rows.filter((row) => row.items.length > 0) ?? [];
  const empty = value !== null && !value.billboard && rows.length === 0;
  // An empty service fills by itself; a page that was away for a while catches up when one comes back to it.
  useEffect(() => {
    let since = Date.now();
    const look = () => {
      if (document.visibilityState === 'visible' && Date.now() - since > AWAY_MS) {
        since = Date.now();
        reload();
      }
    };
    document.addEventListener('visibilitychange', look);
    const ticking = empty ? setInterval(reload, EMPTY_LOOK_MS) : 0;
    return () => {
      clearInterval(ticking);
      document.removeEventListener('visibilitychange', look);
    };
  }, [empty]);
  return (
    <main id="content" class="home" aria-busy={loading && !value}>
      <h1 class="visually-hidden">{t('homeTitle')}</h1>
      {error !== null && !value && (
        <div class="page-note">
          <ErrorNote error={error} retry={reload} retryLabel={t('tryAgain')} />
        </div>
      )}
      {slow && <HomeSkeleton />}
      {empty && (
        <Empty icon="film" title={t('emptyHome')}>
          <p>{t('emptyHomeText')}</p>
          {operator && (
            <LinkButton href="/desk/" kind="primary" icon="upload">
              {t('emptyHomeDesk')}
            </LinkButton>
          )}
        </Empty>
      )}
      {value?.billboard && <Billboard card={value.billboard} />}
      <div class={`rows ${value?.billboard ? 'under-billboard' : ''}`}>
        {rows.map((row, i) => (
          <Row key={row.id} row={row} eager={i < 2} />
        ))}
      </div>
    </main>
  );
}

/** The first sentence, or what fits of it. */
const oneLine = (text: string): string => {
  const end = /[.!?…](?:\s|$)/.exec(text);
  return end ? text.slice(0, end.index + 1) : text;
};

function Billboard({ card }: { card: Card }) {
  const key = encodeURIComponent(card.id);
  return (
    <Hero card={card} size="billboard">
      {card.why && <p class="why">{whyOf(card.why)}</p>}
      <h2 class="hero-name">{card.name}</h2>
      <Facts card={card} />
      {card.synopsis && <p class="hero-line">{oneLine(card.synopsis)}</p>}
      <div class="hero-buttons">
        <LinkButton href={`/play/${key}`} kind="primary" size="large" icon="play">
          {card.progress ? t('resumeAt', { time: clock(card.progress.position_us) }) : t('play')}
        </LinkButton>
        <LinkButton href={`/title/${key}`} size="large" icon="info" aria-label={t('moreAbout', { name: card.name })}>
          {t('more')}
        </LinkButton>
        <span class="hero-marks">
          <MarkButtons card={card} />
        </span>
      </div>
    </Hero>
  );
}

function HomeSkeleton() {
  return (
    <>
      <span class="visually-hidden" role="status">
        {t('loading')}
      </span>
      <div class="hero billboard" aria-hidden="true">
        <div class="hero-text">
          <Skeleton width="min(420px, 70%)" height="44px" />
          <Skeleton width="220px" height="16px" />
          <Skeleton width="min(480px, 80%)" height="16px" />
          <Skeleton width="260px" height="48px" />
        </div>
      </div>
      <div class="rows under-billboard">
        <RowSkeleton />
        <RowSkeleton />
      </div>
    </>
  );
}
