// SPDX-License-Identifier: GPL-3.0-or-later
import { useState } from 'preact/hooks';
import { profiles as api, type Profile } from '../shared/api';
import { Button, Dialog, ErrorNote, Field, Skeleton } from '../shared/components/base';
import { Icon } from '../shared/components/icons';
import { navigate } from '../shared/router';
import { useAfter, useLoad, useTitle } from '../shared/use';
import { Avatar, avatarNames, avatarOf, freeAvatar } from './avatar';
import { Logo } from './logo';
import { choose } from './session';
import { t } from './strings';

const languages = [
  ['en', 'English'],
  ['de', 'Deutsch'],
] as const;
const ages = [0, 6, 12, 16] as const;
const EVERYTHING = 18;

export function Profiles({ editing: startEditing }: { editing: boolean }) {
  useTitle(`${t('whoWatches')} · ${t('service')}`);
  const { value, error, loading, reload, set } = useLoad((signal) => api.list({ signal }), []);
  const [editing, setEditing] = useState(startEditing);
  const [open, setOpen] = useState<Profile | 'new' | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const slow = useAfter(loading && !value, 300);

  const enter = async (profile: Profile) => {
    if (editing) return setOpen(profile);
    try {
      await choose(profile);
      // Whoever came by a deep link goes on to it.
      if (location.pathname === '/profiles') navigate('/', { replace: true });
    } catch (reason) {
      setFailed(reason);
    }
  };
  const change = (edit: (list: Profile[]) => Profile[]) => {
    set(edit);
    setOpen(null);
  };
  const none = value?.length === 0;
  return (
    <main class="gate" id="content">
      <div class="gate-lights" aria-hidden="true" />
      <div class="who">
        <Logo class="gate-logo" />
        <h1>{t('whoWatches')}</h1>
        {none && <p class="lead">{t('firstProfile')}</p>}
        {(error !== null || failed !== null) && <ErrorNote error={error ?? failed} retry={reload} />}
        <ul class="faces">
          {slow && [0, 1, 2].map((i) => <li key={i}><Skeleton class="face-shape" /></li>)}
          {value?.map((profile) => (
            <li key={profile.id}>
              <button
                type="button"
                class="face"
                onClick={() => void enter(profile)}
                aria-label={editing ? t('editProfileOf', { name: profile.name }) : undefined}
              >
                <span class="face-picture">
                  <Avatar name={profile.avatar ?? profile.name} />
                  {editing && <Icon name="edit" />}
                </span>
                <span class="face-name">{profile.name}</span>
              </button>
            </li>
          ))}
          {value && value.length < 8 && (
            <li>
              <button type="button" class="face" onClick={() => setOpen('new')}>
                <span class="face-picture new">
                  <Icon name="plus" />
                </span>
                <span class="face-name">{t('newProfile')}</span>
              </button>
            </li>
          )}
        </ul>
        {value && !none && (
          <Button kind="outline" icon={editing ? 'check' : 'edit'} onClick={() => setEditing(!editing)}>
            {editing ? t('done') : t('manageProfiles')}
          </Button>
        )}
      </div>
      {open && (
        <ProfileDialog
          profile={open === 'new' ? null : open}
          others={value ?? []}
          onClose={() => setOpen(null)}
          onSaved={(saved) =>
            change((list) =>
              list.some((one) => one.id === saved.id)
                ? list.map((one) => (one.id === saved.id ? saved : one))
                : [...list, saved],
            )
          }
          onRemoved={(gone) => change((list) => list.filter((one) => one.id !== gone))}
        />
      )}
    </main>
  );
}

function ProfileDialog({ profile, others, onClose, onSaved, onRemoved }: {
  profile: Profile | null;
  others: Profile[];
  onClose: () => void;
  onSaved: (profile: Profile) => void;
  onRemoved: (id: string) => void;
}) {
  const [name, setName] = useState(profile?.name ?? '');
  const [avatar, setAvatar] = useState<string>(() => (profile ? avatarOf(profile.avatar ?? profile.name) : freeAvatar(others)));
  const [language, setLanguage] = useState(profile?.language ?? 'en');
  const [maturity, setMaturity] = useState(Number(profile?.maturity ?? EVERYTHING));
  const [tried, setTried] = useState(false);
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const run = async (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  };
  const save = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (name.trim() === '') return;
    const fields = { name: name.trim(), avatar, language, maturity };
    void run(async () => {
      const saved = profile ? await api.change(profile.id, fields) : await api.create(fields);
      onSaved({ ...(profile ?? { id: '' }), ...fields, ...(saved ?? {}) });
    });
  };
  return (
    <Dialog title={profile ? t('editProfile') : t('newProfile')} onClose={onClose}>
      <form class="stack" onSubmit={save} noValidate>
        {error !== null && <ErrorNote error={error} />}
        <Field label={t('profileName')} wrong={tried && name.trim() === '' ? t('profileNameMissing') : null}>
          {(attributes) => (
            <input
              {...attributes}
              value={name}
              maxLength={40}
              autocomplete="off"
              autofocus
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <fieldset class="pictures">
          <legend>{t('profilePicture')}</legend>
          {avatarNames.map((key) => (
            <label key={key} title={key}>
              <input type="radio" name="avatar" value={key} checked={avatar === key} onChange={() => setAvatar(key)} />
              <Avatar name={key} />
              <span class="visually-hidden">{key}</span>
            </label>
          ))}
        </fieldset>
        <div class="pair">
          <Field label={t('profileLanguage')}>
            {(attributes) => (
              <select {...attributes} value={language} onChange={(event) => setLanguage(event.currentTarget.value)}>
                {languages.map(([key, label]) => (
                  <option key={key} value={key}>
                    {label}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label={t('profileMaturity')} hint={maturity < EVERYTHING ? t('maturityHint') : null}>
            {(attributes) => (
              <select {...attributes} value={String(maturity)} onChange={(event) => setMaturity(Number(event.currentTarget.value))}>
                {ages.map((age) => (
                  <option key={age} value={String(age)}>
                    {age === 0 ? t('maturityKids') : t('maturityUpTo', { n: age })}
                  </option>
                ))}
                <option value={String(EVERYTHING)}>{t('maturityAll')}</option>
              </select>
            )}
          </Field>
        </div>
        {sure && profile && (
          <div class="note warning" role="alertdialog" aria-label={t('removeProfile')}>
            <Icon name="warning" />
            <div>
              <p class="what">{t('removeProfileSure', { name: profile.name })}</p>
              <div class="actions">
                <Button
                  kind="danger"
                  size="small"
                  disabled={busy}
                  onClick={() =>
                    void run(async () => {
                      await api.remove(profile.id);
                      onRemoved(profile.id);
                    })
                  }
                >
                  {t('remove')}
                </Button>
                <Button kind="quiet" size="small" onClick={() => setSure(false)}>
                  {t('cancel')}
                </Button>
              </div>
            </div>
          </div>
        )}
        <div class="foot">
          {profile && !sure && (
            <Button kind="quiet" icon="trash" class="push" onClick={() => setSure(true)}>
              {t('removeProfile')}
            </Button>
          )}
          <Button kind="quiet" onClick={onClose}>
            {t('cancel')}
          </Button>
          <Button type="submit" kind="primary" disabled={busy}>
            {profile ? t('save') : t('create')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
