// SPDX-License-Identifier: GPL-3.0-or-later
// The big picture of the home page and of a title's page: the artwork on the far side, fading into the ground, over
// a wide blurred copy of itself, so that a small poster is never blown up.
import type { ComponentChildren } from 'preact';
import type { Card } from '../shared/api';
import { Art, tintOf } from './art';

export function Hero({ card, size, children }: { card: Card; size: 'billboard' | 'title'; children: ComponentChildren }) {
  return (
    <section class={`hero ${size}`} style={{ '--tint': tintOf(card) }} aria-label={card.name}>
      <div class="hero-back" aria-hidden="true">
        {card.poster && <img src={card.poster.url} alt="" class="hero-blur" />}
        <Art card={card} eager class="hero-art" />
      </div>
      <div class="hero-text">{children}</div>
    </section>
  );
}
