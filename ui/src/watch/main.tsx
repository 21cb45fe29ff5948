// SPDX-License-Identifier: GPL-3.0-or-later
import { render } from 'preact';
import '../shared/tokens.css';
import '../shared/components.css';
import './watch.css';
import './cards.css';
import './title.css';
import './browse.css';
import './gate.css';
import './phone.css';
import { startRouter } from '../shared/router';
import { App, loadPlayer } from './app';
import { startSession } from './session';

startRouter('/');
startSession();

// Whoever is about to press Play, points at it or comes to it by keyboard, has the player on its way already.
const intent = (event: Event) => {
  if ((event.target as Element | null)?.closest?.('a[href^="/play/"]')) void loadPlayer().catch(() => {});
};
for (const sign of ['pointerover', 'pointerdown', 'focusin']) document.addEventListener(sign, intent, { passive: true });

render(<App />, document.getElementById('app')!);
