// SPDX-License-Identifier: GPL-3.0-or-later
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError, session } from '../../shared/api';
import { Button, ErrorNote, Field, Note } from '../../shared/components/base';
import { t } from '../text';
import type { Session } from '../types';

export function SignIn({ onSignedIn }: { onSignedIn: (s: Session) => void }): JSX.Element {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    setError(null);
    try {
      onSignedIn((await session.signIn(name, password)) as Session);
    } catch (x) {
      setError(x);
      setBusy(false);
    }
  };
  const wrong = error instanceof ApiError && error.status === 401;
  return (
    <main class="alone">
      <form class="sign-in" onSubmit={(e) => void submit(e)}>
        <img src="/icon.svg" alt="" width="40" height="40" />
        <h1>{t('sign_in.title')}</h1>
        <p class="faint">{t('sign_in.hint')}</p>
        <Field label={t('sign_in.name')}>
          {(a) => <input {...a} value={name} required autofocus autocomplete="username" onInput={(e) => setName(e.currentTarget.value)} />}
        </Field>
        <Field label={t('sign_in.password')}>
          {(a) => <input {...a} type="password" value={password} required autocomplete="current-password" onInput={(e) => setPassword(e.currentTarget.value)} />}
        </Field>
        {wrong && <Note tone="error" what={t('sign_in.wrong')} hint={t('sign_in.wrong.hint')} />}
        {error !== null && !wrong && <ErrorNote error={error} />}
        <Button type="submit" kind="primary" disabled={busy}>
          {t('sign_in')}
        </Button>
      </form>
    </main>
  );
}
