// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who may do what, who delivers, what members pay for: for administrators.

import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button, Dialog, ErrorNote, Field } from '../../shared/components/base';
import { toast } from '../../shared/components/toasts';
import { useQueryWord } from '../../shared/router';
import { dateTime } from '../../shared/format';
import { api } from '../api';
import { Confirm } from '../confirm';
import { Failure, Skeletons } from '../notes';
import { useResource, type Resource } from '../resource';
import { t, type TextKey } from '../text';
import type { Partner, Plan, Role, User } from '../types';

const tabs = ['users', 'partners', 'plans'] as const;
type Tab = (typeof tabs)[number];
const roles: readonly Role[] = ['viewer', 'operator', 'admin', 'partner', 'agent'];

export function PeoplePage(): JSX.Element {
  const [word, setWord] = useQueryWord('show');
  const tab: Tab = tabs.find((x) => x === word) ?? 'users';
  const users = useResource('users', api.users);
  const partners = useResource('partners', api.partners);
  const plans = useResource('plans', api.plans);
  const [adding, setAdding] = useState(false);
  const [asking, setAsking] = useState<{ what: 'edit' | 'link' | 'remove'; user: User } | null>(null);
  const of: Record<Tab, Pick<Resource<unknown>, 'error' | 'reload' | 'loading'>> = { users, partners, plans };
  return (
    <div class="page">
      <header class="head">
        <h1>{t('people')}</h1>
        {tab !== 'plans' && (
          <Button kind="primary" size="small" icon="plus" onClick={() => setAdding(true)}>
            {t(`people.add.${tab}`)}
          </Button>
        )}
      </header>
      <div class="tabs" role="tablist" aria-label={t('people')}>
        {tabs.map((x) => (
          <button key={x} type="button" role="tab" aria-selected={x === tab} onClick={() => setWord(x === 'users' ? '' : x)}>
            {t(`people.${x}`)}
          </button>
        ))}
      </div>
      <Failure of={of[tab]} />
      {of[tab].loading && <Skeletons rows={5} />}
      {tab === 'users' && users.value && (
        <Rows head={[t('people.name'), t('people.role'), t('people.plan'), t('people.partner'), t('people.actions')]} none={t('people.users.none')}>
          {users.value.map((u) => (
            <tr key={u.id}>
              <td>{u.name}</td>
              <td>{t(`role.${u.role}` as TextKey)}</td>
              <td>{u.role === 'viewer' ? (plans.value?.find((p) => p.id === u.plan)?.name ?? u.plan) : <span class="faint">–</span>}</td>
              <td>{u.partner ? (partners.value?.find((p) => p.id === u.partner)?.name ?? u.partner) : <span class="faint">–</span>}</td>
              <td class="row-acts">
                {(['edit', 'link', 'remove'] as const).map((what) => (
                  <Button key={what} size="small" kind="outline" aria-label={`${t(`people.${what}`)}: ${u.name}`} onClick={() => setAsking({ what, user: u })}>
                    {t(`people.${what}`)}
                  </Button>
                ))}
              </td>
            </tr>
          ))}
        </Rows>
      )}
      {tab === 'partners' && partners.value && (
        <Rows head={[t('people.name'), t('people.mail')]} none={t('people.partners.none')}>
          {partners.value.map((p) => (
            <tr key={p.id}>
              <td>{p.name}</td>
              <td>{p.email ?? <span class="faint">{t('people.mail.none')}</span>}</td>
            </tr>
          ))}
        </Rows>
      )}
      {tab === 'plans' && plans.value && (
        <Rows head={[t('people.name'), t('people.height'), t('people.streams')]} none={t('people.plans.none')}>
          {plans.value.map((p) => (
            <tr key={p.id}>
              <td>{p.name}</td>
              <td class="num">{p.max_height ? `${p.max_height}p` : t('people.unlimited')}</td>
              <td class="num">{p.streams || t('people.unlimited')}</td>
            </tr>
          ))}
        </Rows>
      )}
      {asking?.what === 'edit' && <EditUser user={asking.user} plans={plans.value ?? []} partners={partners.value ?? []} onClose={() => setAsking(null)} onDone={users.reload} />}
      {asking?.what === 'link' && <LinkUser user={asking.user} onClose={() => setAsking(null)} />}
      {asking?.what === 'remove' && <RemoveUser user={asking.user} onClose={() => setAsking(null)} onDone={users.reload} />}
      {adding && tab === 'users' && <AddUser partners={(partners.value ?? []).map((p) => p.name)} onClose={() => setAdding(false)} onAdded={users.reload} />}
      {adding && tab === 'partners' && <AddPartner onClose={() => setAdding(false)} onAdded={partners.reload} />}
    </div>
  );
}

function Rows({ head, none, children }: { head: string[]; none: string; children: ComponentChildren }): JSX.Element {
  const empty = Array.isArray(children) && children.length === 0;
  if (empty) return <p class="faint">{none}</p>;
  return (
    <div class="scroll-x">
      <table class="plain">
        <thead>
          <tr>
            {head.map((h) => (
              <th key={h}>{h}</th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

function AddForm({ title, act, done = t('people.added'), send, onClose, onAdded, children }: { title: string; act: string; done?: string; send: () => Promise<unknown>; onClose: () => void; onAdded: () => void; children: ComponentChildren }): JSX.Element {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await send();
      onAdded();
      onClose();
      toast(done);
    } catch (x) {
      setError(x);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form class="confirm" onSubmit={(e) => void submit(e)}>
        {children}
        {error !== null && <ErrorNote error={error} />}
        <div class="foot">
          <Button kind="quiet" onClick={onClose}>
            {t('keep')}
          </Button>
          <Button type="submit" kind="primary" disabled={busy}>
            {act}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function RoleField({ role, onRole }: { role: Role; onRole: (role: Role) => void }): JSX.Element {
  return (
    <Field label={t('people.role')} hint={t(`role.${role}.hint` as TextKey)}>
      {(a) => (
        <select {...a} value={role} onChange={(e) => onRole(e.currentTarget.value as Role)}>
          {roles.map((r) => (
            <option key={r} value={r}>
              {t(`role.${r}` as TextKey)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function AddUser({ partners, onClose, onAdded }: { partners: string[]; onClose: () => void; onAdded: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('operator');
  const [password, setPassword] = useState('');
  const [partner, setPartner] = useState('');
  return (
    <AddForm
      title={t('people.add.users')}
      act={t('people.add')}
      onClose={onClose}
      onAdded={onAdded}
      send={() => api.addUser({ name: name.trim(), role, ...(password ? { password } : {}), ...(role === 'partner' && partner ? { partner } : {}) })}
    >
      <Field label={t('people.name')}>{(a) => <input {...a} value={name} required autofocus autocomplete="off" onInput={(e) => setName(e.currentTarget.value)} />}</Field>
      <RoleField role={role} onRole={setRole} />
      {role === 'partner' && (
        <Field label={t('people.partner')} hint={t('people.partner.hint')}>
          {(a) => (
            <>
              <input {...a} value={partner} required list="partner-names" onInput={(e) => setPartner(e.currentTarget.value)} />
              <datalist id="partner-names">
                {partners.map((p) => (
                  <option key={p} value={p} />
                ))}
              </datalist>
            </>
          )}
        </Field>
      )}
      <Field label={t('people.password')} hint={t('people.password.hint')}>
        {(a) => <input {...a} type="password" value={password} minLength={8} autocomplete="new-password" onInput={(e) => setPassword(e.currentTarget.value)} />}
      </Field>
    </AddForm>
  );
}

// Only what was changed is sent: a role that stays signs nobody out.
function EditUser({ user, plans, partners, onClose, onDone }: { user: User; plans: readonly Plan[]; partners: readonly Partner[]; onClose: () => void; onDone: () => void }): JSX.Element {
  const [role, setRole] = useState<Role>(user.role);
  const [plan, setPlan] = useState(user.plan ?? '');
  const [partner, setPartner] = useState(user.partner ?? '');
  const [password, setPassword] = useState('');
  const change = {
    ...(role !== user.role ? { role } : {}),
    ...(role === 'viewer' && plan !== '' && plan !== user.plan ? { plan } : {}),
    ...(role === 'partner' && partner !== '' && partner !== user.partner ? { partner } : {}),
    ...(password !== '' ? { password } : {}),
  };
  return (
    <AddForm
      title={t('people.edit.title', { name: user.name })}
      act={t('people.edit.save')}
      done={t('people.edited')}
      onClose={onClose}
      onAdded={onDone}
      send={async () => (Object.keys(change).length > 0 ? api.editUser(user.id, change) : null)}
    >
      <RoleField role={role} onRole={setRole} />
      {role === 'viewer' && (
        <Field label={t('people.plan')}>
          {(a) => (
            <select {...a} value={plan} onChange={(e) => setPlan(e.currentTarget.value)}>
              {plans.map((p) => (
                <option key={p.id} value={p.id}>
                  {p.name}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      {role === 'partner' && (
        <Field label={t('people.partner')} hint={t('people.partner.hint')}>
          {(a) => (
            <select {...a} value={partner} required onChange={(e) => setPartner(e.currentTarget.value)}>
              <option value="" />
              {partners.map((p) => (
                <option key={p.id} value={p.id}>
                  {p.name}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Field label={t('people.password.new')} hint={t('people.password.keep')}>
        {(a) => <input {...a} type="password" value={password} minLength={8} autocomplete="new-password" onInput={(e) => setPassword(e.currentTarget.value)} />}
      </Field>
      <p class="faint">{t('people.edit.hint')}</p>
    </AddForm>
  );
}

function LinkUser({ user, onClose }: { user: User; onClose: () => void }): JSX.Element {
  const [opened] = useState(() => Date.now()); // each time another: one may have been used
  const link = useResource(`link/${user.id}/${opened}`, () => api.linkUser(user.id));
  const address = link.value ? new URL(link.value.path, location.href).href : '';
  return (
    <Dialog title={t('people.link.title', { name: user.name })} onClose={onClose}>
      <div class="confirm">
        <Failure of={link} />
        {link.value && (
          <>
            <p>{t('people.link.text', { name: user.name, until: dateTime(link.value.until) })}</p>
            <Field label={t('people.link')}>{(a) => <input {...a} value={address} readOnly onFocus={(e) => e.currentTarget.select()} />}</Field>
          </>
        )}
        <div class="foot">
          <Button kind="quiet" onClick={onClose}>
            {t('close')}
          </Button>
          <Button kind="primary" disabled={address === ''} onClick={() => void navigator.clipboard?.writeText(address).then(() => toast(t('people.link.copied')))}>
            {t('people.link.copy')}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function RemoveUser({ user, onClose, onDone }: { user: User; onClose: () => void; onDone: () => void }): JSX.Element {
  const [name, setName] = useState('');
  return (
    <Confirm
      title={t('people.remove.title', { name: user.name })}
      act={t('people.remove')}
      danger
      ready={name === user.name}
      onClose={onClose}
      onAct={async () => {
        await api.removeUser(user.id);
        onDone();
        toast(t('people.removed', { name: user.name }));
      }}
    >
      <p>{t('people.remove.text', { name: user.name })}</p>
      <Field label={t('people.name')}>{(a) => <input {...a} value={name} autofocus autocomplete="off" onInput={(e) => setName(e.currentTarget.value)} />}</Field>
    </Confirm>
  );
}

function AddPartner({ onClose, onAdded }: { onClose: () => void; onAdded: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [mail, setMail] = useState('');
  return (
    <AddForm title={t('people.add.partners')} act={t('people.add')} onClose={onClose} onAdded={onAdded} send={() => api.addPartner({ name: name.trim(), email: mail.trim() })}>
      <Field label={t('people.name')}>{(a) => <input {...a} value={name} required autofocus autocomplete="off" onInput={(e) => setName(e.currentTarget.value)} />}</Field>
      <Field label={t('people.mail')} hint={t('people.mail.hint')}>
        {(a) => <input {...a} type="email" value={mail} required onInput={(e) => setMail(e.currentTarget.value)} />}
      </Field>
    </AddForm>
  );
}
