// SPDX-License-Identifier: GPL-3.0-or-later
//
// Living with a finding: for a stated reason, until a stated day; and taking that back.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button, Dialog, ErrorNote, Field } from '../shared/components/base';
import { api } from './api';
import { toastError, toastUndo } from './notes';
import { resourceStale } from './resource';
import { kindWord } from './state';
import { t } from './text';
import type { Finding } from './types';

const DAYS = [7, 30, 90, 365];
const dayText = (days: number): string => {
  const d = new Date(Date.now() + days * 86_400_000);
  const pad = (n: number): string => String(n).padStart(2, '0');
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
};
// A day ends at its end, wherever one sits.
const endOfDay = (day: string): string => new Date(`${day}T23:59:59`).toISOString().replace(/\.\d+Z$/, 'Z');

function refresh(): void {
  resourceStale('findings');
  resourceStale('delivery/');
  resourceStale('history/');
}

export function Waive({ findings, onClose }: { findings: readonly Finding[]; onClose: () => void }): JSX.Element {
  const [why, setWhy] = useState('');
  const [until, setUntil] = useState(dayText(30));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const some = findings.filter((f) => f.id !== undefined && f.state !== 'waived');
  const kinds = [...new Set(some.map((f) => kindWord(f.kind)))].join(', ');
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    const done: string[] = [];
    try {
      for (const f of some) {
        await api.waive(f.id!, why.trim(), endOfDay(until));
        done.push(f.id!);
      }
      onClose();
      toastUndo(t('waive.done', { n: done.length, kinds }), async () => {
        for (const id of done) await api.reopen(id);
        refresh();
      });
    } catch (x) {
      setError(x);
      setBusy(false);
    }
    refresh();
  };
  return (
    <Dialog title={t('waive.title', { n: some.length, kinds })} onClose={onClose}>
      <form class="confirm" onSubmit={(e) => void submit(e)}>
        <p class="faint">{t('waive.text')}</p>
        <Field label={t('waive.why')}>
          {(a) => <textarea {...a} rows={3} required minLength={3} maxLength={500} autofocus value={why} onInput={(e) => setWhy(e.currentTarget.value)} placeholder={t('waive.why.example')} />}
        </Field>
        <Field label={t('waive.until')}>
          {(a) => <input {...a} type="date" required min={dayText(1)} value={until} onInput={(e) => setUntil(e.currentTarget.value)} />}
        </Field>
        <div class="chips">
          {DAYS.map((d) => (
            <button key={d} type="button" class={`chip ${until === dayText(d) ? 'on' : ''}`} aria-pressed={until === dayText(d)} onClick={() => setUntil(dayText(d))}>
              {t('waive.days', { n: d })}
            </button>
          ))}
        </div>
        {error !== null && <ErrorNote error={error} />}
        <div class="foot">
          <Button kind="quiet" onClick={onClose}>
            {t('keep')}
          </Button>
          <Button type="submit" kind="primary" disabled={busy}>
            {t('waive')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

export async function reopen(f: Finding): Promise<void> {
  if (f.id === undefined) return;
  try {
    await api.reopen(f.id);
    refresh();
    const { id, waived_why, waived_until } = f;
    toastUndo(t('reopen.done', { kind: kindWord(f.kind) }), async () => {
      await api.waive(id, waived_why ?? t('reopen.undo'), waived_until ?? endOfDay(dayText(30)));
      refresh();
    });
  } catch (e) {
    toastError(e);
  }
}
