// SPDX-License-Identifier: GPL-3.0-or-later
// What the mock server knows: the demo films, with their real names, makers and licences.

const SECOND = 1_000_000;
const birdsBy = 'WordPress contributors';

const film = (id, name, year, seconds, file, rest) => ({
  id, kind: 'film', name, year, duration_us: Math.round(seconds * SECOND), file, maturity: 0, quality: '720p', ...rest,
});

export const films = [
  film('sintel', 'Sintel', 2010, 52.208333, 'sintel_trailer-720p.mp4', {
    color: '#3a2f27', maturity: 12, tags: ['Fantasy', 'Animation', 'Quest', 'Dragons'],
    synopsis:
      'A lonely young woman, Sintel, helps and befriends a dragon, whom she calls Scales. But when he is kidnapped by an adult dragon, Sintel decides to embark on a dangerous quest to find her lost friend. The trailer of the third open movie of the Blender Foundation.',
    credit: '© copyright Blender Foundation | durian.blender.org', licence: 'CC BY 3.0',
    licence_url: 'https://creativecommons.org/licenses/by/3.0/', source_url: 'https://durian.blender.org/',
    people: [
      { name: 'Colin Levy', role: 'Director' }, { name: 'Esther Wouda', role: 'Writer' },
      { name: 'Halina Reijn', role: 'Sintel' }, { name: 'Thom Hoffman', role: 'Shaman' },
      { name: 'Jan Morgenstern', role: 'Music' },
    ],
    audio: [{ language: 'en', title: 'English' }, { language: 'de', title: 'German' }], captions: [{ language: 'en', title: 'English' }, { language: 'de', title: 'Deutsch' }],
  }),
  film('wanna', 'Wanna Work Together?', 2008, 182, 'wannaworktogether.mp4', {
    color: '#6d7a2f', tags: ['Documentary', 'Animation', 'Culture'], quality: '360p',
    synopsis: 'How a licence in plain words lets people build on each other’s work: a short by Creative Commons about sharing, in paper cut-outs and good humour.',
    credit: 'Creative Commons', licence: 'CC BY 3.0', licence_url: 'https://creativecommons.org/licenses/by/3.0/',
    people: [{ name: 'Ryan Junell', role: 'Director' }],
    audio: [{ language: 'en', title: 'English' }],
  }),
  film('frenchgp', 'French Grand Prix 1906', 1906, 62, 'Shepard_Calais_1906_FrenchGP.ogv.160p.ogv', {
    color: '#5b5a55', tags: ['Documentary', 'Silent', 'Motor racing', 'Black and white'], quality: '160p',
    synopsis: 'Elliott Shepard passes at speed on the dirt roads around Le Mans: a minute of the very first Grand Prix ever run.',
    credit: 'Unknown cameraman, 1906', licence: 'Public domain', people: [{ name: 'Elliott Shepard', role: 'Himself' }],
  }),
  film('oa4', 'OA-4 Launch', 2015, 53, 'oa4_launch.webm', {
    color: '#2d3d55', tags: ['Documentary', 'Space', 'Rockets'], quality: '720p',
    synopsis: 'An Atlas V lifts Cygnus off the pad at Cape Canaveral, bound for the International Space Station.',
    credit: 'NASA', licence: 'Public domain',
  }),
  film('cockatoo', 'Cockatoo', 2013, 14, 'cockatoo.mp4', {
    color: '#39553a', tags: ['Nature', 'Birds'], quality: '720p',
    synopsis: 'A cockatoo has an opinion about the camera, and shares it.', credit: 'Almar Klein', licence: 'CC0 1.0',
  }),
  film('city', 'City', 2012, 12, 'cityCC0.mpg', {
    color: '#37414d', tags: ['Documentary', 'Cities', 'Night'], quality: '480p',
    synopsis: 'Traffic as a river of light, seen from a bridge.', credit: 'Kivy examples', licence: 'CC0 1.0',
  }),
  film('birds', 'Birds', 2022, 30, 'birds.mp4', {
    color: '#b7793d', tags: ['Nature', 'Birds', 'Slow'], quality: '1080p',
    synopsis: 'Half a minute of wings and sky, made for a theme that wanted to breathe.', credit: birdsBy, licence: 'CC0 1.0',
  }),
  film('hello', 'movie-hello', 2019, 6, 'movie-hello.mp4', {
    color: '#46525e', tags: ['Experiment'], quality: '480p',
    synopsis: 'Hello, in moving pictures: a sample for those who look at bytes for a living.', credit: 'Joao Eriberto Mota Filho', licence: 'GPL-3.0-or-later',
  }),
  film('phone', 'A Walk with the Phone in the Hand, Held Upright as People Really Do, on 20 December 2019', 2019, 10, 'VID_20191220_170832.mp4', {
    color: '#56685a', tags: ['Experiment', 'Vertical'], quality: '1080p',
    synopsis: 'Ten upright seconds that remind a player that not every picture is wide.', credit: 'Joao Eriberto Mota Filho', licence: 'GPL-3.0-or-later',
  }),
  film('bunny', 'Big Buck Bunny', 2008, 30, 'bbb_0_30.webm', {
    color: '#6f8a3a', maturity: 7, tags: ['Animation', 'Comedy', 'Animals'], quality: '480p',
    synopsis: 'A giant rabbit with a heart bigger than himself wakes to a bright morning, and three bullies find out how big exactly.',
    credit: '(c) copyright 2008, Blender Foundation | www.bigbuckbunny.org', licence: 'CC BY 3.0',
    licence_url: 'https://creativecommons.org/licenses/by/3.0/',
    people: [{ name: 'Sacha Goedegebure', role: 'Director' }], audio: [{ language: 'en', title: 'English' }],
  }),
  film('nasa', 'Earth Turns', 2020, 13, 'nasa_13013.mp4', {
    color: '#1f2f49', tags: ['Space', 'Documentary', 'Slow'], quality: '540p',
    synopsis: 'Our planet from the outside, doing what it does once a day.', credit: 'NASA Goddard', licence: 'Public domain',
  }),
  film('plaza', 'The Plaza', 2009, 79, 'vtest.avi', {
    color: '#6a6a64', maturity: null, tags: ['Documentary', 'Cities', 'Observation'], quality: '576p',
    synopsis: 'People cross a square, all day long. Where are they going?', credit: 'Computer vision test material', licence: 'BSD-3-Clause',
  }),
];

const acts = ['The Arrival', 'First Flight', 'Under Water', 'The Keys', 'A Bridge of Eggs', 'Night Watch', 'The Great Lift', 'Homeward'];
export const series = {
  id: 'blupi', kind: 'series', name: 'Planet Blupi', year: 1997, maturity: 0, quality: '240p', color: '#3d5c86',
  tags: ['Animation', 'Comedy', 'Games'],
  synopsis: 'Little yellow people crash on a small planet, build, dig, and run from robots: the cut-scenes of the game, as a season of eight.',
  credit: '© 1997 Daniel Roux & EPSITEC SA', licence: 'GPL-3.0-or-later', licence_url: 'https://www.gnu.org/licenses/gpl-3.0.html',
  people: [{ name: 'Daniel Roux', role: 'Author' }],
  seasons: [
    {
      number: 1, name: 'Season 1',
      episodes: acts.map((name, i) => ({
        id: `blupi-${i + 1}`, kind: 'episode', name, year: 1997, duration_us: (9 + i) * SECOND,
        season: 1, episode: i + 1, series_id: 'blupi', maturity: 0, quality: '240p', color: '#3d5c86',
        file: `blupi/${i}.mkv`, tags: ['Animation'],
        synopsis: `Blupi, part ${i + 1}: ${name.toLowerCase()}, and what comes of it.`,
        credit: '© 1997 Daniel Roux & EPSITEC SA', licence: 'GPL-3.0-or-later',
      })),
    },
  ],
};
