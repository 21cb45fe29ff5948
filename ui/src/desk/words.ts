// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one filter language of every table: `state:open kind:black "two words" -kind:silence`. The
// same words stand in the address, so that every state is a link; keys are the API's own.

export interface Words {
  readonly keys: readonly { key: string; value: string; not: boolean }[];
  readonly text: readonly { value: string; not: boolean }[];
}

export function wordsParse(query: string): Words {
  const keys: { key: string; value: string; not: boolean }[] = [];
  const text: { value: string; not: boolean }[] = [];
  const pattern = /(-?)(?:([a-z_]+):)?(?:"([^"]*)"?|(\S+))/gi;
  for (const m of query.matchAll(pattern)) {
    const value = m[3] ?? m[4] ?? '';
    const not = m[1] === '-';
    if (value === '') continue;
    if (m[2]) keys.push({ key: m[2].toLowerCase(), value, not });
    else text.push({ value: value.toLowerCase(), not });
  }
  return { keys, text };
}

export function wordsText(words: Words): string {
  const quote = (v: string): string => (/[\s"]/.test(v) ? `"${v.replaceAll('"', '')}"` : v);
  return [
    ...words.keys.map((w) => `${w.not ? '-' : ''}${w.key}:${quote(w.value)}`),
    ...words.text.map((w) => `${w.not ? '-' : ''}${quote(w.value)}`),
  ].join(' ');
}

export function wordsGet(query: string, key: string): string | null {
  return wordsParse(query).keys.find((w) => w.key === key && !w.not)?.value ?? null;
}

// Replaces what `key` says; null removes it.
export function wordsSet(query: string, key: string, value: string | null): string {
  const words = wordsParse(query);
  const keys = words.keys.filter((w) => w.key !== key);
  if (value !== null) keys.push({ key, value, not: false });
  return wordsText({ keys, text: words.text });
}

// A row stays when, for each key, one of the wanted values fits, none of the unwanted does, and
// every free word occurs in one of its texts. Values fit by prefix up to a dot, slash or space,
// so that `type:encode` finds encode.video.
export function wordsMatch(words: Words, fields: Record<string, string | null | undefined>): boolean {
  const wanted = new Map<string, boolean>();
  for (const w of words.keys) {
    const field = (fields[w.key] ?? '').toLowerCase();
    const value = w.value.toLowerCase();
    const fits =
      field === value || (field.startsWith(value) && /^[./ _-]/.test(field.slice(value.length) + ' ') && value !== '');
    if (w.not) {
      if (fits) return false;
    } else wanted.set(w.key, (wanted.get(w.key) ?? false) || fits);
  }
  for (const ok of wanted.values()) if (!ok) return false;
  if (words.text.length === 0) return true;
  const hay = Object.values(fields).join('\n').toLowerCase();
  return words.text.every((w) => hay.includes(w.value) !== w.not);
}
