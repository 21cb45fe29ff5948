// SPDX-License-Identifier: GPL-3.0-or-later
// Results grow as one types; the last ones stay until the next are there.
import { useEffect, useRef, useState } from 'preact/hooks';
import { titles } from '../shared/api';
import { Empty, ErrorNote, IconButton } from '../shared/components/base';
import { Icon } from '../shared/components/icons';
import { href, useQueryWord, type Place } from '../shared/router';
import { useAfter, useLoad, useSettled, useTitle } from '../shared/use';
import { CardGrid, GridSkeleton } from './card';
import { useScrollBack } from './home';
import { t } from './strings';

const SETTLE_MS = 140;

export function Search({ place }: { place: Place }) {
  useTitle(`${t('searchTitle')} · ${t('service')}`);
  const [word, setWord] = useQueryWord('q');
  const [text, setText] = useState(word);
  const field = useRef<HTMLInputElement>(null);
  // A link (a person's name) changes the address under the field.
  useEffect(() => {
    if (word !== text.trim()) setText(word);
  }, [word]);
  useEffect(() => {
    if (matchMedia('(hover: hover)').matches || word === '') field.current?.focus();
  }, []);
  const q = useSettled(word.trim(), SETTLE_MS);
  const { value, error, loading, reload } = useLoad(
    (signal) => (q === '' ? Promise.resolve(null) : titles.search(q, { signal })),
    [q],
  );
  const slow = useAfter(loading && !value && q !== '', 300);
  useScrollBack(place, value !== null);
  const type = (next: string) => {
    setText(next);
    setWord(next.trim());
  };
  const found = q === '' ? null : value;
  const people = (found?.people ?? []).map((person) => (typeof person === 'string' ? person : person.name));
  const nothing = found && found.titles.length === 0 && people.length === 0 && !found.tags?.length;
  return (
    <main id="content" class="page">
      <h1 class="visually-hidden">{t('searchTitle')}</h1>
      <form class="search-field" role="search" onSubmit={(event) => { event.preventDefault(); field.current?.blur(); }}>
        <Icon name="search" />
        <input
          ref={field}
          type="search"
          enterkeyhint="search"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder={t('searchField')}
          aria-label={t('searchField')}
          value={text}
          onInput={(event) => type(event.currentTarget.value)}
        />
        {text !== '' && (
          <IconButton icon="close" label={t('clear')} onClick={() => { type(''); field.current?.focus(); }} />
        )}
      </form>
      <p class="visually-hidden" role="status">
        {found ? t('searchFound', { n: found.titles.length }) : ''}
      </p>
      {error !== null && <ErrorNote error={error} retry={reload} retryLabel={t('tryAgain')} />}
      {slow && <GridSkeleton />}
      {q === '' && (
        <Empty icon="search" title={t('searchLead')}>
          <p>{t('searchLeadText')}</p>
        </Empty>
      )}
      {found && ((found.tags?.length ?? 0) > 0 || people.length > 0) && (
        <div class="search-words">
          {(found.tags?.length ?? 0) > 0 && (
            <section>
              <h2>{t('searchTags')}</h2>
              <ul class="tags">
                {found.tags!.map((tag) => (
                  <li key={tag}>
                    <a class="tag" href={`/browse/${encodeURIComponent(tag)}`}>
                      {tag}
                    </a>
                  </li>
                ))}
              </ul>
            </section>
          )}
          {people.length > 0 && (
            <section>
              <h2>{t('searchPeople')}</h2>
              <ul class="tags">
                {people.map((name) => (
                  <li key={name}>
                    <a class="tag" href={href('/search', { q: name })}>
                      {name}
                    </a>
                  </li>
                ))}
              </ul>
            </section>
          )}
        </div>
      )}
      {found && found.titles.length > 0 && <CardGrid cards={found.titles} label={t('searchTitle')} />}
      {nothing && (
        <Empty icon="search" title={t('searchNone', { q })}>
          <p>{t('searchNoneText')}</p>
        </Empty>
      )}
    </main>
  );
}
