// SPDX-License-Identifier: GPL-3.0-or-later
// The server's codes (src/base/err.h) and the player's, in words for who watches: what happened and what to do.
import type { ApiError } from '../shared/api';
import type { Said } from '../shared/errors';
import { catalogue } from '../shared/i18n';

const english = {
  broken: 'Something went wrong at the service.',
  brokenHint: 'Try again in a moment. If it stays, tell whoever runs the service.',
  full: 'The service has no room left.',
  fullHint: 'Tell whoever runs the service.',
  gone: 'This is not here.',
  goneHint: 'It may have been withdrawn, or it is not for this profile.',
  taken: 'There is one like this already.',
  takenHint: 'Choose another name.',
  invalid: 'This cannot be taken as it is.',
  invalidHint: 'Check what was entered, then try again.',
  large: 'This is too much at once.',
  largeHint: 'Make it shorter, then try again.',
  unsupported: 'The service cannot do this.',
  unsupportedHint: 'Load the page again: it may be older than the service.',
  damaged: 'This is damaged and cannot be shown.',
  damagedHint: 'Tell whoever runs the service.',
  changed: 'This has changed in the meantime.',
  changedHint: 'Load the page again to see how things are now.',
  password: 'Name and password do not belong together.',
  passwordHint: 'Check both and try again.',
  denied: 'This account may not do that.',
  deniedHint: 'Sign in with another account, or ask whoever runs the service.',
  busy: 'The service is busy just now.',
  busyHint: 'Wait a moment, then try again.',
  often: 'That was too often.',
  oftenHint: 'Wait a minute, then try again.',
  streams: 'All screens of your plan are in use.',
  streamsHint: 'Stop one of the others, then try again.',
  permission: 'The permission to play this ran out.',
  permissionHint: 'Play it again to go on where you were.',
  nothing: 'This title has nothing to play.',
  nothingHint: 'It may still be in the making: try again later.',
  away: 'The film does not arrive.',
  awayHint: 'It goes on by itself as soon as it does. Check the connection.',
  absent: 'The film does not come.',
  absentHint: 'Check the connection, then try again.',
  formats: 'This browser can play none of the film’s formats.',
  formatsHint: 'Update the browser, or use another one.',
  stopped: 'The player had to stop.',
  stoppedHint: 'Try again: it goes on where you were. ({code})',
} as const;

const german: Record<keyof typeof english, string> = {
  broken: 'Beim Dienst ist etwas schiefgegangen.',
  brokenHint: 'Versuchen Sie es gleich noch einmal. Bleibt es so, sagen Sie es denen, die den Dienst betreiben.',
  full: 'Beim Dienst ist kein Platz mehr.',
  fullHint: 'Sagen Sie es denen, die den Dienst betreiben.',
  gone: 'Das ist nicht hier.',
  goneHint: 'Vielleicht wurde es zurückgezogen, oder es ist nicht für dieses Profil.',
  taken: 'So etwas gibt es schon.',
  takenHint: 'Wählen Sie einen anderen Namen.',
  invalid: 'So geht es nicht.',
  invalidHint: 'Prüfen Sie, was eingegeben ist, und versuchen Sie es noch einmal.',
  large: 'Das ist zu viel auf einmal.',
  largeHint: 'Kürzen Sie es und versuchen Sie es noch einmal.',
  unsupported: 'Das kann der Dienst nicht.',
  unsupportedHint: 'Laden Sie die Seite neu: Vielleicht ist sie älter als der Dienst.',
  damaged: 'Das ist beschädigt und lässt sich nicht zeigen.',
  damagedHint: 'Sagen Sie es denen, die den Dienst betreiben.',
  changed: 'Das hat sich inzwischen geändert.',
  changedHint: 'Laden Sie die Seite neu, um zu sehen, wie es jetzt ist.',
  password: 'Name und Passwort gehören nicht zusammen.',
  passwordHint: 'Prüfen Sie beides und versuchen Sie es noch einmal.',
  denied: 'Dieses Konto darf das nicht.',
  deniedHint: 'Melden Sie sich mit einem anderen Konto an, oder fragen Sie die, die den Dienst betreiben.',
  busy: 'Der Dienst ist gerade beschäftigt.',
  busyHint: 'Warten Sie einen Augenblick und versuchen Sie es noch einmal.',
  often: 'Das war zu oft.',
  oftenHint: 'Warten Sie eine Minute und versuchen Sie es noch einmal.',
  streams: 'Alle Bildschirme Ihres Tarifs sind belegt.',
  streamsHint: 'Beenden Sie einen der anderen und versuchen Sie es noch einmal.',
  permission: 'Die Erlaubnis zum Abspielen ist abgelaufen.',
  permissionHint: 'Spielen Sie den Titel noch einmal ab: Es geht weiter, wo Sie waren.',
  nothing: 'Zu diesem Titel gibt es nichts abzuspielen.',
  nothingHint: 'Vielleicht ist er noch in Arbeit: Versuchen Sie es später.',
  away: 'Der Film kommt nicht an.',
  awayHint: 'Sobald er ankommt, geht es von selbst weiter. Prüfen Sie die Verbindung.',
  absent: 'Der Film kommt nicht.',
  absentHint: 'Prüfen Sie die Verbindung und versuchen Sie es noch einmal.',
  formats: 'Dieser Browser kann keines der Formate des Films abspielen.',
  formatsHint: 'Aktualisieren Sie den Browser, oder nehmen Sie einen anderen.',
  stopped: 'Die Wiedergabe musste anhalten.',
  stoppedHint: 'Versuchen Sie es noch einmal: Es geht weiter, wo Sie waren. ({code})',
};

const t = catalogue(english, { de: german });

const codes = {
  NOMEM: 'broken', IO: 'broken', CRASHED: 'broken', INTERNAL: 'broken', CANCELLED: 'broken',
  NO_SPACE: 'full', NOT_FOUND: 'gone', EXISTS: 'taken', INVALID: 'invalid', LIMIT: 'large', UNSUPPORTED: 'unsupported',
  CORRUPT: 'damaged', REFUSED: 'damaged', CONFLICT: 'changed', FENCED: 'changed', UNKNOWN_USER: 'password', DENIED: 'denied',
  BUSY: 'busy', TIMEOUT: 'busy', THROTTLED: 'often', STREAMS_USED: 'streams',
  grant_expired: 'permission', no_media: 'nothing', not_arriving: 'away', not_come: 'absent', no_format: 'formats',
} as const;

export function explain(error: ApiError): Said | null {
  const { code, status } = error;
  if (code === 'unreachable') return null; // in the reader's words already
  const which = code in codes ? codes[code as keyof typeof codes] : code.startsWith('shaka_') ? 'stopped' : status >= 500 ? 'busy' : 'broken';
  return { what: t(which), hint: t(`${which}Hint`, { code: code.replace('shaka_', '') }) };
}
