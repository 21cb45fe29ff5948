// SPDX-License-Identifier: GPL-3.0-or-later
// String catalogues. A message is a text with {names}, or, where a number decides, its plural forms
// (CLDR categories through Intl.PluralRules; the number is {n}). English is complete and types the
// keys; another language may have gaps, which English fills.

export type Message = string | ({ other: string } & Partial<Record<Intl.LDMLPluralRule, string>>);
export type Catalogue = Record<string, Message>;
export type Values = Record<string, string | number>;

export type Translate<K extends string> = (key: K, values?: Values) => string;

export function fill(message: Message, values: Values, locale: string): string {
  let text: string;
  if (typeof message === 'string') text = message;
  else {
    const form = new Intl.PluralRules(locale).select(Number(values.n ?? 0));
    text = message[form] ?? message.other;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name: string) =>
    name in values ? String(values[name]) : whole,
  );
}

let chosen: string = typeof navigator === 'undefined' ? 'en' : navigator.language;

/** The language of a profile wins over the browser's. */
export function chooseLanguage(tag: string | null | undefined): void {
  chosen = tag || (typeof navigator === 'undefined' ? 'en' : navigator.language);
}

export const language = (): string => chosen;

export function catalogue<C extends Catalogue>(
  english: C,
  others: Record<string, Partial<Record<keyof C, Message>>> = {},
): Translate<keyof C & string> {
  return (key, values = {}) => {
    const base = chosen.split('-')[0]!;
    const other = others[chosen]?.[key] ?? others[base]?.[key];
    return other === undefined ? fill(english[key]!, values, 'en') : fill(other, values, base);
  };
}
