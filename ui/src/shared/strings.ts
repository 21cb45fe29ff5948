// SPDX-License-Identifier: GPL-3.0-or-later
// Words of the components and formatters that both faces use.
import { catalogue } from './i18n';

export const t = catalogue(
  {
    close: 'Close',
    tryAgain: 'Try again',
    unexpected: 'Something unexpected happened on this page.',
    unreachable: 'The service does not answer.',
    unreachableHint: 'Check the connection and try again.',
    hours: { one: '{n} hour', other: '{n} hours' },
    minutes: { one: '{n} minute', other: '{n} minutes' },
    seconds: { one: '{n} second', other: '{n} seconds' },
  },
  {
    de: {
      close: 'Schließen',
      tryAgain: 'Noch einmal',
      unexpected: 'Auf dieser Seite ist etwas Unerwartetes geschehen.',
      unreachable: 'Der Dienst antwortet nicht.',
      unreachableHint: 'Prüfen Sie die Verbindung und versuchen Sie es noch einmal.',
      hours: { one: '{n} Stunde', other: '{n} Stunden' },
      minutes: { one: '{n} Minute', other: '{n} Minuten' },
      seconds: { one: '{n} Sekunde', other: '{n} Sekunden' },
    },
  },
);
