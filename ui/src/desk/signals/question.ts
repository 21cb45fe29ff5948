// SPDX-License-Identifier: GPL-3.0-or-later
//
// A question in Atlas' stack language, put together from what was chosen in the explorer, and read back where it is one
// of those, so that an address alone brings the choice back.

export const HOWS = ['sum', 'avg', 'max', 'min', 'count'] as const;
export type How = (typeof HOWS)[number];

export interface Choice {
  readonly name: string;
  readonly where: readonly (readonly [key: string, value: string])[]; // values of one key are alternatives
  readonly how: How;
  readonly by: readonly string[];
}

// Keys in the order of their first choice; several values of a key as one list.
function groups(where: Choice['where']): [string, string[]][] {
  const all = new Map<string, string[]>();
  for (const [key, value] of where) all.set(key, [...(all.get(key) ?? []), value]);
  return [...all];
}

export function questionOf(choice: Choice): string {
  const words = ['name', choice.name, ':eq'];
  for (const [key, values] of groups(choice.where)) {
    if (values.length === 1) words.push(key, values[0]!, ':eq', ':and');
    else words.push(key, '(', ...values, ')', ':in', ':and');
  }
  words.push(`:${choice.how}`);
  if (choice.by.length > 0) words.push('(', ...choice.by, ')', ':by');
  return words.join(',');
}

// Null for a question that somebody wrote another way.
export function choiceOf(question: string): Choice | null {
  const words = question.split(',').map((w) => w.trim());
  let at = 0;
  const take = (word: string): boolean => words[at] === word && ++at > 0;
  const list = (): string[] | null => {
    if (!take('(')) return null;
    const end = words.indexOf(')', at);
    if (end < 0) return null;
    const inside = words.slice(at, end);
    at = end + 1;
    return inside;
  };
  if (!take('name')) return null;
  const name = words[at++];
  if (!name || !take(':eq')) return null;
  const where: [string, string][] = [];
  while (words[at] !== undefined && !words[at]!.startsWith(':')) {
    const key = words[at++]!;
    const values = words[at] === '(' ? list() : null;
    if (values) {
      if (!take(':in')) return null;
      where.push(...values.map((v): [string, string] => [key, v]));
    } else {
      const value = words[at++];
      if (value === undefined || !take(':eq')) return null;
      where.push([key, value]);
    }
    if (!take(':and')) return null;
  }
  const how = HOWS.find((h) => take(`:${h}`)) ?? null;
  if (how === null) return null;
  const by = words[at] === '(' ? list() : [];
  if (by === null || (by.length > 0 && !take(':by')) || at !== words.length) return null;
  return { name, where, how, by };
}

// Which series a choice of tags may still hold: for asking what other values there are.
export function matchOf(choice: Pick<Choice, 'name' | 'where'>, but: string | null): string {
  const words = ['name', choice.name, ':eq'];
  for (const [key, values] of groups(choice.where)) if (key !== but) words.push(key, '(', ...values, ')', ':in', ':and');
  return words.join(',');
}

export function toggled(choice: Choice, key: string, value: string): Choice {
  const has = choice.where.some(([k, v]) => k === key && v === value);
  return { ...choice, where: has ? choice.where.filter(([k, v]) => k !== key || v !== value) : [...choice.where, [key, value]] };
}

export function toggledBy(choice: Choice, key: string): Choice {
  return { ...choice, by: choice.by.includes(key) ? choice.by.filter((k) => k !== key) : [...choice.by, key] };
}
