// SPDX-License-Identifier: GPL-3.0-or-later
//
// The frame of every page: who is here, the rail of nouns, the bar with search, the keys.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { session as sessions, whenSignedOut } from '../shared/api';
import { ErrorNote, IconButton, LinkButton } from '../shared/components/base';
import { Icon, type IconName } from '../shared/components/icons';
import { MenuButton } from '../shared/components/menu';
import { Toasts } from '../shared/components/toasts';
import { match, navigate, usePlace } from '../shared/router';
import { useTitle } from '../shared/use';
import { DropAnywhere } from './drop';
import { Help } from './help';
import { ingestBusy, useIngestItems } from './ingest';
import { liveStart, liveStop, useLiveState } from './live';
import { Skeletons, toastError } from './notes';
import { DeliveryPage } from './pages/delivery';
import { FilmsPage } from './pages/films';
import { FindingsPage } from './pages/findings';
import { AlertPage, IncidentPage, IncidentsPage } from './pages/incidents';
import { IngestPage } from './pages/ingest';
import { JobPage } from './pages/job';
import { JobsPage } from './pages/jobs';
import { PeoplePage } from './pages/people';
import { DashboardPage, DashboardsPage } from './pages/dashboards';
import { RequestPage, RequestsPage } from './pages/requests';
import { SignIn } from './pages/sign_in';
import { SignalsPage } from './pages/signals';
import { TitlePage, TitlesPage } from './pages/titles';
import { SearchBox } from './search';
import { mayDeliver, mayOperate, SessionContext } from './session';
import { t, type TextKey } from './text';
import type { Role, Session } from './types';

interface Noun {
  path: string;
  key: string; // after g
  text: TextKey;
  icon: IconName;
  may: (role: Role) => boolean;
}

export const nouns: readonly Noun[] = [
  { path: '/desk/films', key: 'f', text: 'nav.films', icon: 'film', may: mayDeliver },
  { path: '/desk/ingest', key: 'u', text: 'nav.ingest', icon: 'upload', may: mayDeliver },
  { path: '/desk/jobs', key: 'j', text: 'nav.jobs', icon: 'jobs', may: mayOperate },
  { path: '/desk/findings', key: 'i', text: 'nav.findings', icon: 'flag', may: mayOperate },
  { path: '/desk/requests', key: 'r', text: 'nav.requests', icon: 'mail', may: mayDeliver },
  { path: '/desk/titles', key: 't', text: 'nav.titles', icon: 'list', may: mayOperate },
  { path: '/desk/incidents', key: 'n', text: 'nav.incidents', icon: 'warning', may: mayOperate },
  { path: '/desk/signals', key: 's', text: 'nav.signals', icon: 'signal', may: mayOperate },
  { path: '/desk/people', key: 'p', text: 'nav.people', icon: 'person', may: (role) => role === 'admin' },
];

interface PageRoute {
  pattern: string;
  may: (role: Role) => boolean;
  page: (p: Record<string, string>) => JSX.Element;
}

const routes: readonly PageRoute[] = [
  { pattern: '/desk/films', may: mayDeliver, page: () => <FilmsPage /> },
  { pattern: '/desk/films/:id', may: mayDeliver, page: (p) => <DeliveryPage key={p.id} id={p.id!} /> },
  { pattern: '/desk/ingest', may: mayDeliver, page: () => <IngestPage /> },
  { pattern: '/desk/jobs', may: mayOperate, page: () => <JobsPage /> },
  { pattern: '/desk/jobs/:id', may: mayOperate, page: (p) => <JobPage key={p.id} id={p.id!} /> },
  { pattern: '/desk/findings', may: mayOperate, page: () => <FindingsPage /> },
  { pattern: '/desk/requests', may: mayDeliver, page: () => <RequestsPage /> },
  { pattern: '/desk/requests/:id', may: mayDeliver, page: (p) => <RequestPage key={p.id} id={p.id!} /> },
  { pattern: '/desk/titles', may: mayOperate, page: () => <TitlesPage /> },
  { pattern: '/desk/titles/:id', may: mayOperate, page: (p) => <TitlePage key={p.id} id={p.id!} /> },
  { pattern: '/desk/incidents', may: mayOperate, page: () => <IncidentsPage /> },
  { pattern: '/desk/incidents/:id', may: mayOperate, page: (p) => <IncidentPage key={p.id} id={p.id!} /> },
  { pattern: '/desk/alerts/:id', may: mayOperate, page: (p) => <AlertPage key={p.id} id={p.id!} /> },
  { pattern: '/desk/signals', may: mayOperate, page: () => <SignalsPage /> },
  { pattern: '/desk/dashboards', may: mayOperate, page: () => <DashboardsPage /> },
  { pattern: '/desk/dashboards/:id', may: mayOperate, page: (p) => <DashboardPage key={p.id} id={p.id!} /> },
  { pattern: '/desk/people', may: (role) => role === 'admin', page: () => <PeoplePage /> },
];

type Who = { session: Session } | 'asking' | 'nobody' | { error: Error };

export function App(): JSX.Element {
  const [who, setWho] = useState<Who>('asking');
  const ask = (): void => {
    sessions.get().then(
      (s) => setWho(s ? { session: s as Session } : 'nobody'),
      (e: unknown) => setWho({ error: e as Error }),
    );
  };
  useEffect(() => {
    whenSignedOut(() => setWho('nobody'));
    ask();
  }, []);
  const session = typeof who === 'object' && 'session' in who ? who.session : null;
  const role = session?.user.role;
  useEffect(() => {
    // Of all that happens to operators, of what is theirs to partners: the server knows.
    if (!role || !mayDeliver(role)) return;
    liveStart('');
    return liveStop;
  }, [role]);

  let inner: JSX.Element;
  if (who === 'asking') inner = <Skeletons shape="page" />;
  else if (who === 'nobody') inner = <SignIn onSignedIn={(s) => setWho({ session: s })} />;
  else if ('error' in who)
    inner = (
      <main class="alone">
        <ErrorNote
          error={who.error}
          retry={() => {
            setWho('asking');
            ask();
          }}
          retryLabel={t('retry')}
        />
      </main>
    );
  else if (!mayDeliver(who.session.user.role)) inner = <NotYours name={who.session.user.name} />;
  else
    inner = (
      <SessionContext.Provider value={who.session}>
        <Frame session={who.session} />
      </SessionContext.Provider>
    );
  return (
    <>
      {inner}
      <Toasts />
    </>
  );
}

function NotYours({ name }: { name: string }): JSX.Element {
  return (
    <main class="alone">
      <div class="empty">
        <Icon name="person" />
        <h1>{t('not_yours')}</h1>
        <p>{t('not_yours.hint', { name })}</p>
        <LinkButton kind="primary" href="/">
          {t('not_yours.watch')}
        </LinkButton>
        <SignOut />
      </div>
    </main>
  );
}

async function signOut(): Promise<void> {
  try {
    await sessions.signOut();
  } catch (e) {
    toastError(e);
    return;
  }
  location.assign('/desk/');
}

function SignOut(): JSX.Element {
  return (
    <button type="button" class="button quiet" onClick={() => void signOut()}>
      {t('sign_out')}
    </button>
  );
}

function Frame({ session }: { session: Session }): JSX.Element {
  const place = usePlace();
  const role = session.user.role;
  const [help, setHelp] = useState(false);
  const [menu, setMenu] = useState(false);
  const path = place.path.replace(/\/+$/, '');
  const home = path === '/desk' || path === '/desk/sign-in';
  useEffect(() => {
    if (home) navigate('/desk/films', { replace: true });
  }, [home]);
  useEffect(() => setMenu(false), [path]);
  useKeys(role, () => setHelp(true));

  let page: JSX.Element | null = null;
  let known = home;
  for (const r of routes) {
    const p = match(r.pattern, path);
    if (!p) continue;
    known = true;
    page = r.may(role) ? r.page(p) : <Lost text={t('error.forbidden')} hint={t('error.forbidden.hint')} />;
    break;
  }
  if (!known) page = <Lost text={t('lost')} hint={t('lost.hint')} />;
  const noun = nouns.find((n) => path.startsWith(n.path));
  useTitle(noun ? `${t(noun.text)} · ${t('desk')}` : t('desk'));

  return (
    <div class={`frame ${menu ? 'menu-open' : ''}`}>
      <a class="skip" href="#main">
        {t('skip')}
      </a>
      <header class="bar">
        <IconButton
          icon={menu ? 'close' : 'menu'}
          label={t(menu ? 'menu.close' : 'menu.open')}
          class="menu-toggle"
          aria-expanded={menu}
          onClick={() => setMenu(!menu)}
        />
        <a class="brand" href="/desk/films">
          <img src="/icon.svg" alt="" width="22" height="22" />
          <span>
            Marquee <em>{t('brand.desk')}</em>
          </span>
        </a>
        <SearchBox />
        <LiveDot />
        <IconButton icon="help" label={t('help.open')} onClick={() => setHelp(true)} />
        <MenuButton
          label={t('account', { name: session.user.name })}
          class="account"
          groups={[
            {
              heading: `${session.user.name} · ${t(`role.${role}` as TextKey)}`,
              items: [
                { key: 'watch', label: t('account.watch'), onChoose: () => location.assign('/') },
                { key: 'out', label: t('sign_out'), onChoose: () => void signOut() },
              ],
            },
          ]}
        >
          <span aria-hidden="true">{session.user.name.slice(0, 1).toUpperCase()}</span>
        </MenuButton>
      </header>
      <nav class="rail" aria-label={t('nav')}>
        <ul>
          {nouns
            .filter((n) => n.may(role))
            .map((n) => (
              <li key={n.path}>
                <a href={n.path} aria-current={path.startsWith(n.path) ? 'page' : undefined} title={t('nav.key', { name: t(n.text), key: n.key })}>
                  <Icon name={n.icon} />
                  <span>{t(n.text)}</span>
                  {n.path === '/desk/ingest' && <UploadCount />}
                </a>
              </li>
            ))}
        </ul>
      </nav>
      <main id="main" tabIndex={-1}>
        {page}
      </main>
      {menu && <button type="button" class="veil" aria-label={t('menu.close')} onClick={() => setMenu(false)} />}
      <DropAnywhere />
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  );
}

function Lost({ text, hint }: { text: string; hint: string }): JSX.Element {
  return (
    <div class="page">
      <div class="empty">
        <Icon name="search" />
        <h2>{text}</h2>
        <p>{hint}</p>
        <LinkButton kind="outline" href="/desk/films">
          {t('error.gone.go')}
        </LinkButton>
      </div>
    </div>
  );
}

function UploadCount(): JSX.Element | null {
  const items = useIngestItems();
  useEffect(() => {
    const warn = (e: BeforeUnloadEvent): void => {
      if (ingestBusy()) e.preventDefault();
    };
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, []);
  const n = items.filter((i) => i.delivery === null).length;
  return n > 0 ? <span class="badge">{n}</span> : null;
}

function LiveDot(): JSX.Element {
  const state = useLiveState();
  const text = t(`live.${state}` as TextKey);
  return (
    <span class={`live ${state}`} role="status" title={text}>
      <span class="visually-hidden">{text}</span>
      <i aria-hidden="true" />
      {state === 'waiting' && <b aria-hidden="true">{t('live.short')}</b>}
    </span>
  );
}

// g then a noun's letter goes there; / searches; ? tells all keys. Nothing fires while one types.
function useKeys(role: Role, onHelp: () => void): void {
  useEffect(() => {
    let g = 0;
    const onKey = (e: KeyboardEvent): void => {
      if (e.defaultPrevented || e.metaKey || e.ctrlKey || e.altKey) return;
      const target = e.target as HTMLElement;
      if (target.closest('input, textarea, select, dialog, [role=menu]')) return;
      if (e.key === 'g') {
        g = e.timeStamp;
        return;
      }
      const going = g > 0 && e.timeStamp - g < 1500;
      g = 0;
      const noun = going ? nouns.find((n) => n.key === e.key && n.may(role)) : undefined;
      if (noun) navigate(noun.path);
      else if (going) return;
      else if (e.key === '?') onHelp();
      else if (e.key === '/') document.querySelector<HTMLInputElement>('[data-search]')?.focus();
      else if (e.key === 'f') document.querySelector<HTMLInputElement>('[data-filter]')?.focus();
      else return;
      e.preventDefault();
      e.stopImmediatePropagation();
    };
    // Before the tables' own keys: after g, j is a place and no movement.
    addEventListener('keydown', onKey, true);
    return () => removeEventListener('keydown', onKey, true);
  }, [role]);
}
