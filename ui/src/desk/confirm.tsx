// SPDX-License-Identifier: GPL-3.0-or-later
//
// Asks before what cannot simply be taken back, and says by name what it will hit.

import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button, Dialog, ErrorNote } from '../shared/components/base';
import { t } from './text';

export function Confirm({
  title,
  children,
  act,
  danger,
  ready = true,
  onAct,
  onClose,
}: {
  title: string;
  children: ComponentChildren;
  act: string;
  danger?: boolean;
  ready?: boolean;
  onAct: () => Promise<void>;
  onClose: () => void;
}): JSX.Element {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const run = async (e: Event): Promise<void> => {
    e.preventDefault();
    if (busy || !ready) return;
    setBusy(true);
    setError(null);
    try {
      await onAct();
      onClose();
    } catch (x) {
      setError(x);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form class="confirm" onSubmit={(e) => void run(e)}>
        {children}
        {error !== null && <ErrorNote error={error} />}
        <div class="foot">
          <Button kind="quiet" onClick={onClose}>
            {t('keep')}
          </Button>
          <Button type="submit" kind={danger ? 'danger' : 'primary'} disabled={busy || !ready}>
            {act}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
