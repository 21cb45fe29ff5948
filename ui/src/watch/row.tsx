// SPDX-License-Identifier: GPL-3.0-or-later
// A row of cards. It scrolls by what is wholly in sight, remembers where it was, and asks for pictures one
// screenful ahead of the eye.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Row as RowData } from '../shared/api';
import { IconButton } from '../shared/components/base';
import { CardLink } from './card';
import { hidePreview } from './preview';
import { profileKey } from './session';
import { t } from './strings';

const places = new Map<string, number>();

/** Rows of the service's own are named in the viewer's language; others, by tags, as they come. */
const names = { continue: 'rowContinue', list: 'navList', recent: 'rowRecent', series: 'rowSeries', films: 'rowFilms' } as const;
const nameOf = (row: RowData): string => (row.id in names ? t(names[row.id as keyof typeof names]) : row.name);

export function Row({ row, eager }: { row: RowData; eager: boolean }) {
  const scroller = useRef<HTMLUListElement>(null);
  const place = `${profileKey()}/${row.id}`;
  const [near, setNear] = useState(eager);
  const [ahead, setAhead] = useState(0); // cards that may load their pictures
  const [ends, setEnds] = useState({ before: false, after: false });

  const look = () => {
    const list = scroller.current;
    if (!list) return;
    const first = list.firstElementChild as HTMLElement | null;
    const pitch = first ? first.offsetWidth + parseFloat(getComputedStyle(list).columnGap || '0') : 1;
    setAhead((before) => Math.max(before, Math.ceil((list.scrollLeft + 2 * list.clientWidth) / Math.max(1, pitch))));
    setEnds({
      before: list.scrollLeft > 8,
      after: list.scrollLeft + list.clientWidth < list.scrollWidth - 8,
    });
    places.set(place, list.scrollLeft);
  };
  useLayoutEffect(() => {
    const list = scroller.current!;
    list.scrollLeft = places.get(place) ?? 0;
    look();
  }, [row.id, row.items.length]);
  useEffect(() => {
    const list = scroller.current!;
    const size = new ResizeObserver(look);
    size.observe(list);
    const sight = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) setNear(true);
      },
      { rootMargin: '600px 0px' },
    );
    sight.observe(list);
    return () => {
      size.disconnect();
      sight.disconnect();
    };
  }, []);

  const name = nameOf(row);
  const page = (direction: -1 | 1) => {
    const list = scroller.current!;
    const first = list.firstElementChild as HTMLElement;
    const pitch = first.offsetWidth + parseFloat(getComputedStyle(list).columnGap || '0');
    const whole = Math.max(1, Math.floor(list.clientWidth / pitch));
    hidePreview();
    list.scrollBy({ left: direction * whole * pitch, behavior: 'smooth' });
  };
  // Arrow keys walk along the row, as a remote control does.
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const links = [...scroller.current!.querySelectorAll<HTMLElement>('.card')];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const to = links[at + (event.key === 'ArrowRight' ? 1 : -1)];
    if (at < 0 || !to) return;
    event.preventDefault();
    to.focus();
    to.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'smooth' });
  };
  return (
    <section class="row" aria-labelledby={`row-${row.id}`}>
      <h2 id={`row-${row.id}`}>{name}</h2>
      <div class="row-frame">
        {ends.before && (
          <IconButton icon="chevronLeft" label={t('scrollBack', { row: name })} class="row-arrow before" onClick={() => page(-1)} />
        )}
        <ul
          ref={scroller}
          class="row-list"
          onScroll={() => {
            look();
            hidePreview();
          }}
          onKeyDown={onKeyDown}
        >
          {row.items.map((card, i) => (
            <li key={card.id}>
              <CardLink card={card} goOn={row.id === 'continue'} wait={!near || i >= ahead} eager={eager && i < 6} />
            </li>
          ))}
        </ul>
        {ends.after && (
          <IconButton icon="chevronRight" label={t('scrollAhead', { row: name })} class="row-arrow after" onClick={() => page(1)} />
        )}
      </div>
    </section>
  );
}

export function RowSkeleton() {
  return (
    <div class="row" aria-hidden="true">
      <span class="skeleton heading" />
      <div class="row-frame">
        <ul class="row-list">
          {[0, 1, 2, 3, 4, 5].map((i) => (
            <li key={i}>
              <span class="card">
                <span class="card-art skeleton" />
                <span class="skeleton line" />
                <span class="skeleton line short" />
              </span>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
