// SPDX-License-Identifier: GPL-3.0-or-later
import { afterEach, expect, it } from 'vitest';
import { catalogue, chooseLanguage } from './i18n';

const t = catalogue(
  { hello: 'Hello {name}', films: { one: '{n} film', other: '{n} films' }, only: 'English only' },
  { de: { hello: 'Hallo {name}', films: { one: '{n} Film', other: '{n} Filme' } } },
);

afterEach(() => chooseLanguage('en'));

it('fills names and plurals', () => {
  chooseLanguage('en');
  expect(t('hello', { name: 'Ada' })).toBe('Hello Ada');
  expect(t('films', { n: 1 })).toBe('1 film');
  expect(t('films', { n: 0 })).toBe('0 films');
  expect(t('hello')).toBe('Hello {name}');
});

it('falls back from region to language to English', () => {
  chooseLanguage('de-AT');
  expect(t('films', { n: 2 })).toBe('2 Filme');
  expect(t('only')).toBe('English only');
});
