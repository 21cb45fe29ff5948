// SPDX-License-Identifier: GPL-3.0-or-later
import { Component, type ComponentChildren, type FunctionComponent } from 'preact';
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { Button, Empty, ErrorNote, LinkButton } from '../shared/components/base';
import { Toasts } from '../shared/components/toasts';
import { match, navigate, usePlace, type Place } from '../shared/router';
import { useTitle } from '../shared/use';
import { Browse, MyList } from './browse';
import { Home } from './home';
import { Profiles } from './profiles';
import { Search } from './search';
import { loadLibrary } from './player/library';
import { dropOpening, openAhead } from './player/opening';
import { destination, findOut, mayOperate, mayWatch, signOut, useWho } from './session';
import { Shell } from './shell';
import { SignIn } from './signin';
import { t } from './strings';
import { TitlePage } from './title';
import type { PlayerPageProps } from './player/page';

export function App() {
  return (
    <Guard>
      <Pages />
      <Toasts />
    </Guard>
  );
}

function Pages() {
  const who = useWho();
  const place = usePlace();
  // Who is in has nothing to do at the door.
  const atDoor = who.state === 'in' && place.path === '/signin';
  useEffect(() => {
    if (atDoor) navigate(destination(place.query), { replace: true });
  }, [atDoor]);
  if (who.state === 'asking' || atDoor) return null; // an answer from loopback is quicker than a skeleton is useful
  if (who.state === 'failed') {
    return (
      <main id="content" class="page-note alone">
        <ErrorNote error={who.error} retry={() => void findOut()} retryLabel={t('tryAgain')} />
      </main>
    );
  }
  if (who.state === 'out') return <SignIn place={place} />;
  const { session } = who;
  if (!mayWatch(session)) return <NotForWatching name={session.user.name} />;
  if (!session.profile || place.path === '/profiles') {
    return <Profiles editing={place.query.get('edit') === '1'} />;
  }
  const play = match('/play/:id', place.path);
  if (play) return <LazyPlayer key={play.id} id={play.id!} place={place} />;
  return (
    <Shell session={session} path={place.path}>
      {page(place, mayOperate(session))}
    </Shell>
  );
}

function page(place: Place, operator: boolean) {
  const { path } = place;
  if (path === '/') return <Home place={place} operator={operator} />;
  if (path === '/search') return <Search place={place} />;
  if (path === '/list') return <MyList place={place} />;
  if (path === '/browse' || path === '/browse/') return <Browse place={place} tag={null} />;
  const tag = match('/browse/:tag', path);
  if (tag) return <Browse place={place} tag={tag.tag!} />;
  const title = match('/title/:id', path);
  if (title) return <TitlePage key={title.id} place={place} id={title.id!} />;
  return <Lost />;
}

function NotForWatching({ name }: { name: string }) {
  useTitle(`${t('notForWatching')} · ${t('service')}`);
  return (
    <main id="content" class="page-note alone">
      <Empty icon="person" title={t('notForWatching')}>
        <p>{t('notForWatchingText', { name })}</p>
        <LinkButton href="/desk/" kind="primary">
          {t('toDesk')}
        </LinkButton>
        <Button kind="quiet" onClick={() => void signOut()}>
          {t('signOut')}
        </Button>
      </Empty>
    </main>
  );
}

function Lost() {
  useTitle(`${t('notFoundTitle')} · ${t('service')}`);
  return (
    <main id="content">
      <Empty icon="film" title={t('notFoundTitle')}>
        <p>{t('notFoundText')}</p>
        <LinkButton href="/">{t('goHome')}</LinkButton>
      </Empty>
    </main>
  );
}

// The player and its library are most of this face's code, and wanted only by who plays; both are fetched at once.
let loadedPlayer: FunctionComponent<PlayerPageProps> | null = null;
export const loadPlayer = () => {
  loadLibrary().catch(() => {}); // the player says so
  return import('./player/page').then((module) => (loadedPlayer = module.PlayerPage));
};

function LazyPlayer(props: PlayerPageProps) {
  const [Player, setPlayer] = useState<FunctionComponent<PlayerPageProps> | null>(() => loadedPlayer);
  const [error, setError] = useState<unknown>(null);
  const load = () => {
    setError(null);
    loadPlayer().then((component) => setPlayer(() => component), setError);
  };
  useEffect(load, []);
  useLayoutEffect(() => {
    if (Player) return;
    openAhead(props.id);
    return dropOpening;
  }, []);
  if (Player) return <Player {...props} />;
  return (
    <main id="content" class="player-boot">
      {error !== null && <ErrorNote error={error} retry={load} retryLabel={t('tryAgain')} />}
    </main>
  );
}

/** A mistake in a page must not leave a blank one. */
class Guard extends Component<{ children: ComponentChildren }, { failed: boolean }> {
  override state = { failed: false };
  override componentDidCatch(error: unknown) {
    console.error(error);
    this.setState({ failed: true });
  }
  render() {
    if (!this.state.failed) return this.props.children;
    return (
      <main id="content">
        <Empty icon="warning" title={t('pageBroken')}>
          <Button kind="primary" onClick={() => location.reload()}>
            {t('reload')}
          </Button>
        </Empty>
      </main>
    );
  }
}
