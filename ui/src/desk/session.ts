// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who sits at the desk, and what that lets them see.

import { createContext } from 'preact';
import { useContext, useEffect } from 'preact/hooks';
import { liveStart, liveStop } from './live';
import type { Role, Session } from './types';

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const s = useContext(SessionContext);
  if (!s) throw new Error('no session');
  return s;
}

export const mayOperate = (role: Role): boolean => role === 'operator' || role === 'admin';
export const mayDeliver = (role: Role): boolean => mayOperate(role) || role === 'partner';

export function useMayOperate(): boolean {
  return mayOperate(useSession().user.role);
}

// A partner may follow one delivery or request of theirs; operators follow everything already.
export function useFollow(subject: string): void {
  const operate = useMayOperate();
  useEffect(() => {
    if (operate) return;
    liveStart(subject);
    return liveStop;
  }, [operate, subject]);
}

// Where a partner's list has no stream to tell its changes, it is asked for now and then.
export function usePoll(reload: () => void): void {
  const operate = useMayOperate();
  useEffect(() => {
    if (operate) return;
    const timer = setInterval(reload, 15_000);
    return () => clearInterval(timer);
  }, [operate]);
}
