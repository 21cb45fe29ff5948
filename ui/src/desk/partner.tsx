// SPDX-License-Identifier: GPL-3.0-or-later
//
// Partners stand in rows by their ids, with their names to who operates.

import { api } from './api';
import { useResource } from './resource';
import { useSession } from './session';
import { t } from './text';

export function usePartnerName(): (of: { partner: string | null; partner_name?: string | null }) => string | null {
  const { user } = useSession();
  const partners = useResource(user.role === 'admin' ? 'partners' : null, api.partners);
  return (of) => {
    // To a partner all is their own.
    if (of.partner === null || user.role === 'partner') return null;
    return of.partner_name ?? partners.value?.find((p) => p.id === of.partner)?.name ?? t('partner.of', { id: of.partner.slice(-8) });
  };
}
