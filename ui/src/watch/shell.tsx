// SPDX-License-Identifier: GPL-3.0-or-later
// What stands around every page: the bar above; on a phone, tabs within reach of the thumb.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Session } from '../shared/api';
import { Icon, type IconName } from '../shared/components/icons';
import { MenuButton } from '../shared/components/menu';
import { navigate } from '../shared/router';
import { Avatar } from './avatar';
import { Logo } from './logo';
import { PreviewLayer } from './preview';
import { leaveProfile, mayOperate, signOut } from './session';
import { forgetMarks } from './actions';
import { t } from './strings';

export function Shell({ session, path, children }: { session: Session; path: string; children: ComponentChildren }) {
  const [scrolled, setScrolled] = useState(false);
  useEffect(() => {
    const onScroll = () => setScrolled(scrollY > 24);
    onScroll();
    window.addEventListener('scroll', onScroll, { passive: true });
    return () => window.removeEventListener('scroll', onScroll);
  }, []);
  // "/" begins a search, as on other services.
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== '/' || event.ctrlKey || event.metaKey || target.closest('input, textarea, select, dialog')) return;
      event.preventDefault();
      navigate('/search');
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  const places: [string, string, IconName][] = [
    ['/', t('navHome'), 'home'],
    ['/search', t('navSearch'), 'search'],
    ['/browse', t('navAll'), 'grid'],
    ['/list', t('navList'), 'list'],
  ];
  const here = (to: string) => (to === '/' ? path === '/' : path.startsWith(to));
  const profile = session.profile!;
  const leave = () => {
    forgetMarks();
    leaveProfile();
  };
  return (
    <>
      <a class="skip" href="#content">
        {t('skip')}
      </a>
      <header class={`bar ${scrolled ? 'scrolled' : ''}`}>
        <a class="bar-logo" href="/" aria-label={`${t('service')}: ${t('navHome')}`}>
          <Logo />
        </a>
        <nav class="bar-nav" aria-label={t('navMain')}>
          {places.map(([to, label, icon]) => (
            <a key={to} href={to} aria-current={here(to) ? 'page' : undefined} class={to === '/search' ? 'find' : ''}>
              <Icon name={icon} />
              <span>{label}</span>
            </a>
          ))}
        </nav>
        <MenuButton
          label={t('account')}
          class="bar-profile"
          menuClass="to-left"
          groups={[
            {
              heading: profile.name,
              items: [
                { key: 'switch', label: t('switchProfile'), onChoose: leave },
                {
                  key: 'edit',
                  label: t('editProfiles'),
                  onChoose: () => {
                    navigate('/profiles?edit=1');
                  },
                },
                ...(mayOperate(session) ? [{ key: 'desk', label: t('toDesk'), href: '/desk/' }] : []),
                { key: 'out', label: t('signOut'), onChoose: () => { forgetMarks(); void signOut(); } },
              ],
            },
          ]}
        >
          <Avatar name={profile.avatar ?? profile.name} />
        </MenuButton>
      </header>
      {children}
      <PreviewLayer />
    </>
  );
}
