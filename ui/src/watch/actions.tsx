// SPDX-License-Identifier: GPL-3.0-or-later
// My list and ratings: shown at once, told to the server behind it, taken back if the server refuses.
import { titles, type Card } from '../shared/api';
import { Button, IconButton } from '../shared/components/base';
import { toast } from '../shared/components/toasts';
import { describe } from '../shared/errors';
import { Changes } from '../shared/use';
import { t } from './strings';

/** What was changed on this visit, whatever an older answer still says. */
const listed = new Map<string, boolean>();
const rated = new Map<string, -1 | 0 | 1>();
const marks = new Changes();

export function forgetMarks(): void {
  listed.clear();
  rated.clear();
}

const explain = (error: unknown) => {
  const { what, hint } = describe(error);
  toast(`${what} ${hint ?? ''}`);
};

async function setListed(card: Card, value: boolean): Promise<void> {
  const before = listed.get(card.id) ?? card.in_list ?? false;
  listed.set(card.id, value);
  marks.tell();
  try {
    await (value ? titles.addToList(card.id) : titles.removeFromList(card.id));
    toast({ text: value ? t('added') : t('removed'), action: { label: t('undo'), run: () => void setListed(card, before) } });
  } catch (error) {
    listed.set(card.id, before);
    marks.tell();
    explain(error);
  }
}

async function setRated(card: Card, value: -1 | 0 | 1): Promise<void> {
  const before = rated.get(card.id) ?? card.rating ?? 0;
  rated.set(card.id, value);
  marks.tell();
  try {
    await titles.rate(card.id, value);
    toast(value === 0 ? t('rateGone') : t('rated'));
  } catch (error) {
    rated.set(card.id, before);
    marks.tell();
    explain(error);
  }
}

export function useMarks(card: Card) {
  marks.use();
  const inList = listed.get(card.id) ?? card.in_list ?? false;
  const rating = rated.get(card.id) ?? card.rating ?? 0;
  return {
    inList,
    rating,
    toggleList: () => void setListed(card, !inList),
    rate: (value: -1 | 1) => void setRated(card, rating === value ? 0 : value),
  };
}

export function MarkButtons({ card, words = false, focusable = true }: {
  card: Card;
  words?: boolean;
  focusable?: boolean;
}) {
  const { inList, rating, toggleList, rate } = useMarks(card);
  const tabIndex = focusable ? 0 : -1;
  return (
    <>
      {words ? (
        <Button size="large" icon={inList ? 'check' : 'plus'} aria-pressed={inList} onClick={toggleList} tabIndex={tabIndex}>
          {inList ? t('inList') : t('navList')}
        </Button>
      ) : (
        <IconButton
          icon={inList ? 'check' : 'plus'}
          label={inList ? t('removeFromList') : t('addToList')}
          aria-pressed={inList}
          class="ring"
          onClick={toggleList}
          tabIndex={tabIndex}
        />
      )}
      <IconButton
        icon="up"
        label={t('rateUp')}
        aria-pressed={rating === 1}
        class="ring"
        onClick={() => rate(1)}
        tabIndex={tabIndex}
      />
      <IconButton
        icon="down"
        label={t('rateDown')}
        aria-pressed={rating === -1}
        class="ring"
        onClick={() => rate(-1)}
        tabIndex={tabIndex}
      />
    </>
  );
}
