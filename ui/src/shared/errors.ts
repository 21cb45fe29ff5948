// SPDX-License-Identifier: GPL-3.0-or-later
// What is said of an error. A face may have words of its own for the server's codes; without them it is the server's text.
import { ApiError } from './api';
import { t } from './strings';

export interface Said {
  what: string;
  hint: string | null;
}

let words: (error: ApiError) => Said | null = () => null;

export function sayErrorsBy(explain: (error: ApiError) => Said | null): void {
  words = explain;
}

export function describe(error: unknown): Said {
  if (error instanceof ApiError) return words(error) ?? { what: error.message, hint: error.hint };
  return { what: t('unexpected'), hint: String((error as Error)?.message ?? error) };
}
