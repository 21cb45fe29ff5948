// SPDX-License-Identifier: GPL-3.0-or-later
// Who is signed in, and whose profile: one value for the whole face.
import { session as api, whenSignedOut, type Profile, type Session } from '../shared/api';
import { sayErrorsBy } from '../shared/errors';
import { chooseLanguage } from '../shared/i18n';
import { Changes, forgetKept } from '../shared/use';
import { explain } from './errors';

export type Who =
  | { state: 'asking' }
  | { state: 'out' }
  | { state: 'failed'; error: unknown }
  | { state: 'in'; session: Session };

let who: Who = { state: 'asking' };
const changes = new Changes();

function become(next: Who): void {
  who = next;
  if (next.state === 'in') chooseLanguage(next.session.profile?.language);
  document.documentElement.lang = (next.state === 'in' && next.session.profile?.language) || 'en';
  changes.tell();
}

export function useWho(): Who {
  changes.use();
  return who;
}

export const profileKey = (): string => (who.state === 'in' ? (who.session.profile?.id ?? '') : '');
export const mayWatch = (session: Session): boolean =>
  session.user.role === 'viewer' || mayOperate(session);
export const mayOperate = (session: Session): boolean =>
  session.user.role === 'operator' || session.user.role === 'admin';

export async function findOut(): Promise<void> {
  try {
    const session = await api.get();
    become(session ? { state: 'in', session } : { state: 'out' });
  } catch (error) {
    become({ state: 'failed', error });
  }
}

export async function signIn(name: string, password: string): Promise<void> {
  const session = await api.signIn(name, password);
  forgetKept();
  become({ state: 'in', session });
}

export async function signOut(): Promise<void> {
  await api.signOut().catch(() => {}); // a session that is gone already is what was asked for
  forgetKept();
  become({ state: 'out' });
}

export async function choose(profile: Profile): Promise<void> {
  await api.choose(profile.id);
  if (who.state !== 'in') return;
  forgetKept();
  become({ state: 'in', session: { ...who.session, profile } });
}

/** Back to the question who is watching, without telling the server: nobody is chosen until somebody is. */
export function leaveProfile(): void {
  if (who.state === 'in') become({ state: 'in', session: { ...who.session, profile: null } });
}

/** Where somebody was going who signs in at /signin: a page of this face, or home. */
export function destination(query: URLSearchParams): string {
  const to = query.get('to') ?? '';
  return /^\/(?![/\\])/.test(to) && !to.startsWith('/signin') ? to : '/';
}

export function startSession(): void {
  sayErrorsBy(explain);
  whenSignedOut(() => {
    if (who.state === 'in') {
      forgetKept();
      become({ state: 'out' });
    }
  });
  void findOut();
}
