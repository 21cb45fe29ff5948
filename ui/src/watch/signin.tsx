// SPDX-License-Identifier: GPL-3.0-or-later
import { useRef, useState } from 'preact/hooks';
import { ErrorNote, Button, Field, Note } from '../shared/components/base';
import type { Place } from '../shared/router';
import { useTitle } from '../shared/use';
import { Logo } from './logo';
import { signIn } from './session';
import { t } from './strings';

export function SignIn({ place }: { place: Place }) {
  useTitle(`${t('signInTitle')} · ${t('service')}`);
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [shown, setShown] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const linkIsOver = place.query.get('link') === 'used';
  const passwordField = useRef<HTMLInputElement>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (name.trim() === '' || password === '') return;
    setBusy(true);
    setError(null);
    try {
      await signIn(name.trim(), password);
    } catch (reason) {
      setError(reason);
      setBusy(false);
      passwordField.current?.select();
    }
  };
  return (
    <main class="gate" id="content">
      <div class="gate-lights" aria-hidden="true" />
      <form class="gate-card" onSubmit={submit} noValidate>
        <Logo class="gate-logo" />
        <div>
          <h1>{t('signInTitle')}</h1>
          <p class="lead">{t('signInLead')}</p>
        </div>
        {linkIsOver && error === null && <Note tone="warning" what={t('linkUsed')} hint={t('linkUsedHint')} />}
        {error !== null && <ErrorNote error={error} />}
        <Field label={t('name')} wrong={tried && name.trim() === '' ? t('nameMissing') : null}>
          {(attributes) => (
            <input
              {...attributes}
              name="username"
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              autofocus
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label={t('password')} wrong={tried && password === '' ? t('passwordMissing') : null}>
          {(attributes) => (
            <span class="with-eye">
              <input
                {...attributes}
                ref={passwordField}
                name="password"
                type={shown ? 'text' : 'password'}
                autocomplete="current-password"
                value={password}
                onInput={(event) => setPassword(event.currentTarget.value)}
              />
              <button type="button" class="eye" aria-pressed={shown} onClick={() => setShown(!shown)}>
                {shown ? t('hidePassword') : t('showPassword')}
              </button>
            </span>
          )}
        </Field>
        <Button type="submit" kind="primary" size="large" disabled={busy}>
          {busy ? t('signingIn') : t('signIn')}
        </Button>
      </form>
    </main>
  );
}
