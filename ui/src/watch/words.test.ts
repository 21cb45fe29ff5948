// SPDX-License-Identifier: GPL-3.0-or-later
// @ts-expect-error The pages know nothing of Node; this test runs there.
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiError } from '../shared/api';
import { chooseLanguage } from '../shared/i18n';
import { freeAvatar, avatarNames } from './avatar';
import { explain } from './errors';
import { maturityText } from './facts';
import { destination } from './session';
import { english } from './strings';
import { german } from './strings.de';

afterEach(() => chooseLanguage('en'));

describe('errors', () => {
  const names = [...String(readFileSync(new URL('../../../src/base/err.h', import.meta.url), 'utf8')).matchAll(/^ {4}X\((\w+), (\d+),/gm)];
  it('have words of their own for every code of the server, in both languages', () => {
    expect(names.length).toBeGreaterThan(15);
    for (const [, code, status] of [...names, [, 'STREAMS_USED', '409'], [, 'grant_expired', '403'], [, 'shaka_3016', '0']]) {
      const error = new ApiError(Number(status), code!, 'raw words of the server', null);
      chooseLanguage('en');
      const said = explain(error)!;
      chooseLanguage('de');
      const gesagt = explain(error)!;
      expect(said.what).toMatch(/^[A-Z].*\.$/);
      expect(said.hint).toMatch(/^[A-Z].*[.)]$/);
      expect(gesagt.what).toMatch(/^[A-ZÄÖÜ].*\.$/);
      expect(gesagt.what).not.toBe(said.what);
      expect(gesagt.hint).not.toBe(said.hint);
    }
    chooseLanguage('en');
    expect(explain(new ApiError(409, 'STREAMS_USED', 'x', null))!.hint).toBe('Stop one of the others, then try again.');
    expect(explain(new ApiError(502, 'http_502', 'x', null))!.what).toBe('The service is busy just now.');
  });
});

it('German has no gaps but the service’s name', () => {
  expect(Object.keys(english).filter((key) => !(key in german))).toEqual(['service']);
});

it('says an age, and that there is none', () => {
  expect(maturityText(0)).toBe('All ages');
  expect(maturityText(12)).toBe('Age 12');
  expect(maturityText(null)).toBe('Unrated');
  expect(maturityText(undefined)).toBe(null);
});

it('gives a new profile a face that nobody has', () => {
  const taken = avatarNames.slice(0, 7).map((avatar) => ({ name: 'x', avatar }));
  for (let i = 0; i < 20; i += 1) expect(freeAvatar(taken)).toBe(avatarNames[7]);
  expect(avatarNames).toContain(freeAvatar(avatarNames.map((avatar) => ({ name: 'x', avatar }))));
  // Who has none is drawn by name, and that face is taken too.
  expect(freeAvatar([...avatarNames.slice(0, 6).map((avatar) => ({ name: '', avatar })), { name: 'sand', avatar: null }])).toBe('slate');
});

it('leads after signing in where one was going, never elsewhere', () => {
  const to = (text: string) => destination(new URLSearchParams(text));
  expect(to('to=/title/x')).toBe('/title/x');
  for (const odd of ['', 'link=used', 'to=//evil.example', 'to=/%5Cevil.example', 'to=https://evil.example', 'to=/signin?to=/x']) expect(to(odd)).toBe('/');
});
