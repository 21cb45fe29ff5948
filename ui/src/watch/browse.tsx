// SPDX-License-Identifier: GPL-3.0-or-later
// Everything, a tag's titles, and my list: the same grid, filled as one scrolls.
import { useEffect, useRef, useState } from 'preact/hooks';
import { titles, type Card } from '../shared/api';
import { Empty, ErrorNote, LinkButton } from '../shared/components/base';
import type { Place } from '../shared/router';
import { useAfter, useLoad, useTitle } from '../shared/use';
import { CardGrid, GridSkeleton } from './card';
import { useScrollBack } from './home';
import { profileKey } from './session';
import { t } from './strings';

const PAGE = 60;

// What was loaded, so that coming back finds the same page at the same place.
const loaded = new Map<string, { cards: Card[]; whole: boolean }>();

export function Browse({ place, tag }: { place: Place; tag: string | null }) {
  const heading = tag ?? t('allTitle');
  useTitle(`${heading} · ${t('service')}`);
  const key = `${profileKey()}/${tag ?? ''}`;
  const [state, setState] = useState(loaded.get(key) ?? null);
  const [error, setError] = useState<unknown>(null);
  const [round, setRound] = useState(0);
  const busy = useRef(false);
  const end = useRef<HTMLDivElement>(null);
  const slow = useAfter(state === null && error === null, 300);
  useScrollBack(place, state !== null);

  const more = async (before: { cards: Card[]; whole: boolean } | null, signal: AbortSignal) => {
    if (busy.current || before?.whole) return;
    busy.current = true;
    try {
      const after = before?.cards.at(-1)?.id;
      const { titles: page } = await titles.list({ ...(tag ? { tag } : {}), limit: PAGE, ...(after ? { after } : {}) }, { signal });
      const have = new Set(before?.cards.map((card) => card.id));
      const fresh = page.filter((card) => !have.has(card.id));
      const next = { cards: [...(before?.cards ?? []), ...fresh], whole: page.length < PAGE || fresh.length === 0 };
      loaded.set(key, next);
      setState(next);
      setError(null);
    } catch (reason) {
      if (!signal.aborted) setError(reason);
    } finally {
      busy.current = false;
    }
  };
  useEffect(() => {
    const stop = new AbortController();
    const have = loaded.get(key) ?? null;
    setState(have);
    if (!have) void more(null, stop.signal);
    return () => {
      stop.abort();
      busy.current = false;
    };
  }, [key, round]);
  useEffect(() => {
    if (!state || state.whole) return;
    const stop = new AbortController();
    const sight = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) void more(state, stop.signal);
      },
      { rootMargin: '1200px 0px' },
    );
    sight.observe(end.current!);
    return () => {
      sight.disconnect();
      stop.abort();
      busy.current = false;
    };
  }, [state]);
  return (
    <main id="content" class="page">
      <header class="page-head">
        {tag && <p class="kicker">{t('tagKicker')}</p>}
        <h1>{heading}</h1>
        {state?.whole && <p class="quiet-text">{t('count', { n: state.cards.length })}</p>}
      </header>
      {error !== null && <ErrorNote error={error} retry={() => setRound((n) => n + 1)} retryLabel={t('tryAgain')} />}
      {slow && <GridSkeleton />}
      {state && state.cards.length > 0 && <CardGrid cards={state.cards} label={heading} />}
      {state && state.cards.length === 0 && (
        <Empty icon="film" title={tag ? t('emptyTag') : t('emptyHome')}>
          <LinkButton href="/">{t('goHome')}</LinkButton>
        </Empty>
      )}
      <div ref={end} class="grid-end" role="status">
        {state && !state.whole ? <span class="visually-hidden">{t('loadingMore')}</span> : null}
      </div>
    </main>
  );
}

export function MyList({ place }: { place: Place }) {
  useTitle(`${t('navList')} · ${t('service')}`);
  const { value, error, loading, reload } = useLoad((signal) => titles.myList({ signal }), [profileKey()], `list/${profileKey()}`);
  const slow = useAfter(loading && !value, 300);
  useScrollBack(place, value !== null);
  return (
    <main id="content" class="page">
      <header class="page-head">
        <h1>{t('navList')}</h1>
        {value && value.length > 0 && <p class="quiet-text">{t('count', { n: value.length })}</p>}
      </header>
      {error !== null && <ErrorNote error={error} retry={reload} retryLabel={t('tryAgain')} />}
      {slow && <GridSkeleton />}
      {value && value.length > 0 && <CardGrid cards={value} label={t('navList')} />}
      {value?.length === 0 && (
        <Empty icon="plus" title={t('emptyList')}>
          <p>{t('emptyListText')}</p>
          <LinkButton href="/" kind="primary">
            {t('lookAround')}
          </LinkButton>
        </Empty>
      )}
    </main>
  );
}
