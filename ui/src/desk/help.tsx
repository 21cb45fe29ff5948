// SPDX-License-Identifier: GPL-3.0-or-later
import type { JSX } from 'preact';
import { Dialog } from '../shared/components/base';
import { t, type TextKey } from './text';

const groups: readonly { title: TextKey; keys: readonly (readonly [string, TextKey])[] }[] = [
  {
    title: 'help.everywhere',
    keys: [
      ['/', 'help.search'],
      ['f', 'help.filter'],
      ['g f · g u · g j', 'help.go1'],
      ['g i · g r · g t · g p', 'help.go2'],
      ['?', 'help.this'],
      ['Esc', 'help.escape'],
    ],
  },
  {
    title: 'help.tables',
    keys: [
      ['j k', 'help.rows'],
      ['Enter', 'help.row'],
      ['Home End', 'help.ends'],
    ],
  },
  {
    title: 'help.report',
    keys: [
      ['← →', 'help.frame'],
      ['⇧ ← →', 'help.second'],
      ['n p', 'help.finding'],
      ['[ ]', 'help.shot'],
      ['+ − 0', 'help.zoom'],
      ['w', 'help.waive'],
    ],
  },
];

export function Help({ onClose }: { onClose: () => void }): JSX.Element {
  return (
    <Dialog title={t('help')} onClose={onClose} class="help">
      {groups.map((g) => (
        <section key={g.title}>
          <h3>{t(g.title)}</h3>
          <dl>
            {g.keys.map(([key, text]) => (
              <div key={key}>
                <dt>
                  {key.split(' ').map((k) => (k === '·' ? ' · ' : <kbd key={k}>{k}</kbd>))}
                </dt>
                <dd>{t(text)}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Dialog>
  );
}
