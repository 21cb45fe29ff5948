// SPDX-License-Identifier: GPL-3.0-or-later
import { describe, expect, it } from 'vitest';
import { choiceOf, matchOf, questionOf, toggled, toggledBy, type Choice } from './question';

const choice: Choice = { name: 'http.requests', where: [['status', '500'], ['status', '503'], ['method', 'GET']], how: 'sum', by: ['route'] };

describe('a question', () => {
  it('is put together and read back', () => {
    expect(questionOf(choice)).toBe('name,http.requests,:eq,status,(,500,503,),:in,:and,method,GET,:eq,:and,:sum,(,route,),:by');
    expect(choiceOf(questionOf(choice))).toEqual(choice);
    const plain: Choice = { name: 'sps', where: [], how: 'max', by: [] };
    expect(questionOf(plain)).toBe('name,sps,:eq,:max');
    expect(choiceOf('name,sps,:eq,:max')).toEqual(plain);
  });
  it('of another form is left to who wrote it', () => {
    for (const other of ['', 'name', 'name,sps,:eq', 'name,sps,:eq,:sum,:dup,1w,:offset', 'nf.app,www,:eq,:sum', 'name,a,:eq,k,(,b', 'name,sps,:re,:sum', 'name,sps,:eq,:sum,(,a,),:by,5,:add'])
      expect(choiceOf(other)).toBeNull();
  });
  it('changes by one tag at a time', () => {
    expect(toggled(choice, 'status', '500').where).toEqual([['status', '503'], ['method', 'GET']]);
    expect(toggled(choice, 'host', 'a').where).toContainEqual(['host', 'a']);
    expect(toggledBy(toggledBy(choice, 'route'), 'host').by).toEqual(['host']);
  });
  it('asks for other values of a key as if none were chosen of it', () => {
    expect(matchOf(choice, 'status')).toBe('name,http.requests,:eq,method,(,GET,),:in,:and');
  });
});
