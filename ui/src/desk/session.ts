// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who sits at the desk, and what that lets them see.

import { createContext } from 'preact';
import { useContext, useEffect } from 'preact/hooks';
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

// Who waits for whom changes without an event of its own: asked for while something is at work.
export function useWhile(working: boolean, reload: () => void): void {
  useEffect(() => {
    if (!working) return;
    const timer = setInterval(reload, 3_000);
    return () => clearInterval(timer);
  }, [working]);
}
