// SPDX-License-Identifier: GPL-3.0-or-later
//
// What stands in a page's place while it loads, and what its failures say.

import type { JSX } from 'preact';
import { ApiError } from '../shared/api';
import { ErrorNote, LinkButton, Note } from '../shared/components/base';
import { toast } from '../shared/components/toasts';
import { useAfter } from '../shared/use';
import type { Resource } from './resource';
import { t } from './text';

// Quick answers show no skeleton at all.
export function Skeletons({ rows = 10, shape = 'rows' }: { rows?: number; shape?: 'rows' | 'page' }): JSX.Element {
  const late = useAfter(true, 200);
  return (
    <div class={`skeletons ${shape}`} role="status" aria-label={t('loading')}>
      {late && Array.from({ length: rows }, (_, i) => <span key={i} class="skeleton" />)}
    </div>
  );
}

type Failing = Pick<Resource<unknown>, 'error' | 'reload'>;

// A resource's failure with what can be done about it; nothing while all is well.
export function Failure({ of }: { of: Failing }): JSX.Element | null {
  if (!of.error) return null;
  if (of.error instanceof ApiError && of.error.status === 404)
    return (
      <Note tone="warning" what={t('error.gone')} hint={t('error.gone.hint')}>
        <LinkButton size="small" kind="outline" href="/desk/">
          {t('error.gone.go')}
        </LinkButton>
      </Note>
    );
  if (of.error instanceof ApiError && of.error.status === 403)
    return <Note tone="warning" what={t('error.forbidden')} hint={of.error.hint ?? t('error.forbidden.hint')} />;
  return <ErrorNote error={of.error} retry={of.reload} retryLabel={t('retry')} />;
}

export function toastError(error: unknown): void {
  const e = error instanceof Error ? error : new Error(String(error));
  const hint = e instanceof ApiError && e.hint ? ` ${e.hint}` : '';
  toast(t('error.toast', { what: e.message }) + hint);
}

// Says what was done and offers the way back; the way back says so, too.
export function toastUndo(text: string, undo: () => Promise<unknown>): void {
  toast({
    text,
    action: {
      label: t('undo'),
      run: () => {
        undo().then(() => toast(t('undone')), toastError);
      },
    },
  });
}
