// SPDX-License-Identifier: GPL-3.0-or-later
import { useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { ApiError, titles, type Card, type Detail, type Track } from '../shared/api';
import { Empty, ErrorNote, IconButton, LinkButton, Skeleton } from '../shared/components/base';
import { Icon } from '../shared/components/icons';
import { clock, language, length } from '../shared/format';
import { back, href, type Place } from '../shared/router';
import { useAfter, useLoad, useTitle } from '../shared/use';
import { MarkButtons } from './actions';
import { Art } from './art';
import { CardGrid } from './card';
import { Facts, Watched } from './facts';
import { Hero } from './hero';
import { useScrollBack } from './home';
import { profileKey } from './session';
import { t } from './strings';

/** What Play plays: the film itself; of a series the episode one is in, else the first. */
export function playable(detail: Detail): Card {
  const episodes = (detail.seasons ?? []).flatMap((season) => season.episodes);
  if (detail.kind !== 'series' || episodes.length === 0) return detail;
  return episodes.find((episode) => episode.progress) ?? episodes[0]!;
}

export function TitlePage({ place, id }: { place: Place; id: string }) {
  const { value, error, loading, reload } = useLoad(
    (signal) => titles.get(id, { signal }),
    [id, profileKey()],
    `title/${profileKey()}/${id}`,
  );
  const slow = useAfter(loading && !value, 300);
  useTitle(value ? `${value.name} · ${t('service')}` : t('service'));
  useScrollBack(place, value !== null);
  if (!value && error instanceof ApiError && error.status === 404) {
    return (
      <main id="content">
        <Empty icon="film" title={t('titleGone')}>
          <p>{t('titleGoneText')}</p>
          <LinkButton href="/">{t('goHome')}</LinkButton>
        </Empty>
      </main>
    );
  }
  return (
    <main id="content" aria-busy={loading && !value}>
      <IconButton icon="arrowLeft" label={t('back')} class="title-back" onClick={() => back('/')} />
      {!value && error !== null && (
        <div class="page-note">
          <ErrorNote error={error} retry={reload} retryLabel={t('tryAgain')} />
        </div>
      )}
      {slow && (
        <div class="hero title" aria-hidden="true">
          <div class="hero-text">
            <Skeleton width="min(420px, 70%)" height="44px" />
            <Skeleton width="220px" height="16px" />
            <Skeleton width="min(480px, 80%)" height="64px" />
          </div>
        </div>
      )}
      {value && <Body detail={value} />}
    </main>
  );
}

function Body({ detail }: { detail: Detail }) {
  const target = playable(detail);
  const key = encodeURIComponent(target.id);
  const episodes = (detail.seasons ?? []).reduce((n, season) => n + season.episodes.length, 0);
  const extra = detail.kind === 'series' && episodes > 0 ? [t('episodes', { n: episodes })] : [];
  return (
    <>
      <Hero card={detail} size="title">
        <h1 class="hero-name">{detail.name}</h1>
        <Facts card={detail} extra={extra} />
        <p class="hero-synopsis">{detail.synopsis || t('synopsisNone')}</p>
        {target.progress && (
          <p class="hero-left">
            <Watched card={target} />
            <span class="quiet-text">
              {t('left', { time: clock(target.progress.duration_us - target.progress.position_us) })}
            </span>
          </p>
        )}
        <div class="hero-buttons">
          <LinkButton href={`/play/${key}`} kind="primary" size="large" icon="play">
            {target === detail
              ? target.progress
                ? t('resumeAt', { time: clock(target.progress.position_us) })
                : t('play')
              : t(target.progress ? 'resumeName' : 'playName', {
                  name: t('episodeMark', { season: target.season ?? 1, episode: target.episode ?? 1 }),
                })}
          </LinkButton>
          {target.progress && (
            <LinkButton href={href(`/play/${key}`, { from: 0 })} size="large" icon="refresh">
              {t('startOver')}
            </LinkButton>
          )}
          <span class="hero-marks">
            <MarkButtons card={detail} />
          </span>
        </div>
      </Hero>
      <div class="title-body">
        {detail.seasons && detail.seasons.some((season) => season.episodes.length > 0) && <Episodes detail={detail} />}
        <Particulars detail={detail} />
        {detail.more_like && detail.more_like.length > 0 && (
          <section aria-labelledby="more-like" class="more-like">
            <h2 id="more-like">{t('moreLike')}</h2>
            <CardGrid cards={detail.more_like} label={t('moreLike')} />
          </section>
        )}
      </div>
    </>
  );
}

function Episodes({ detail }: { detail: Detail }) {
  const seasons = (detail.seasons ?? []).filter((season) => season.episodes.length > 0);
  const going = seasons.findIndex((season) => season.episodes.some((episode) => episode.progress));
  const [chosen, setChosen] = useState(Math.max(0, going));
  const season = seasons[chosen] ?? seasons[0]!;
  return (
    <section aria-labelledby="episodes" class="episodes">
      <header>
        <h2 id="episodes">{t('episodesHeading')}</h2>
        {seasons.length > 1 ? (
          <select
            class="input season"
            aria-label={t('seasonChoice')}
            value={String(chosen)}
            onChange={(event) => setChosen(Number(event.currentTarget.value))}
          >
            {seasons.map((one, i) => (
              <option key={one.number} value={String(i)}>
                {one.name || t('season', { n: one.number })}
              </option>
            ))}
          </select>
        ) : (
          <span class="quiet-text">{season.name || t('season', { n: season.number })}</span>
        )}
      </header>
      <ol class="episode-list">
        {season.episodes.map((episode) => (
          <li key={episode.id}>
            <a class="episode" href={`/play/${encodeURIComponent(episode.id)}`}>
              <span class="episode-number" aria-hidden="true">
                {episode.episode}
              </span>
              <span class="card-art">
                <Art card={episode} />
                <Watched card={episode} />
                <span class="card-play" aria-hidden="true">
                  <svg viewBox="0 0 24 24">
                    <path d="M8 5v14l11-7z" />
                  </svg>
                </span>
              </span>
              <span class="episode-text">
                <span class="episode-name">
                  <span class="visually-hidden">{episode.episode}. </span>
                  {episode.name}
                  {episode.duration_us ? <span class="quiet-text">{length(episode.duration_us)}</span> : null}
                </span>
                {episode.synopsis && <span class="episode-synopsis">{episode.synopsis}</span>}
              </span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}

const trackNames = (tracks: Track[] | undefined): string | null => {
  const names = (tracks ?? []).map((track) => track.title || language(track.language)).filter(Boolean);
  return names.length > 0 ? [...new Set(names)].join(', ') : null;
};

/** Only what can be followed safely: the text is the partner's. */
const safeUrl = (url: string | null | undefined): string | null =>
  url && /^https?:\/\//i.test(url) ? url : null;

function Outward({ url, children }: { url: string | null; children: ComponentChildren }) {
  if (!url) return <>{children}</>;
  return (
    <a class="outward" href={url} target="_blank" rel="noopener noreferrer">
      {children}
      <Icon name="link" />
    </a>
  );
}

function Particulars({ detail }: { detail: Detail }) {
  const audio = trackNames(detail.audio);
  const captions = trackNames(detail.captions);
  const facts: [string, ComponentChildren][] = [];
  if (detail.people?.length) {
    facts.push([
      t('cast'),
      <ul class="people">
        {detail.people.map((person) => (
          <li key={`${person.name}/${person.role ?? ''}`}>
            <a href={href('/search', { q: person.name })}>{person.name}</a>
            {person.role && <span class="quiet-text"> {person.role}</span>}
          </li>
        ))}
      </ul>,
    ]);
  }
  if (detail.tags?.length) {
    facts.push([
      t('tags'),
      <ul class="tags">
        {detail.tags.map((tag) => (
          <li key={tag}>
            <a class="tag" href={`/browse/${encodeURIComponent(tag)}`}>
              {tag}
            </a>
          </li>
        ))}
      </ul>,
    ]);
  }
  if (audio) facts.push([t('audio'), audio]);
  if (captions) facts.push([t('captions'), captions]);
  const source = safeUrl(detail.source_url);
  if (detail.credit) facts.push([t('credit'), detail.credit]);
  if (detail.licence)
    facts.push([t('licence'), <Outward url={safeUrl(detail.licence_url)}>{detail.licence}</Outward>]);
  if (source) facts.push([t('source'), <Outward url={source}>{new URL(source).hostname}</Outward>]);
  if (facts.length === 0) return null;
  return (
    <section class="particulars" aria-label={t('about', { name: detail.name })}>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
