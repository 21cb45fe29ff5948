// SPDX-License-Identifier: GPL-3.0-or-later
// Drawn for this project on a 24 grid: strokes of 2, round ends; what is written in one is finer.

const shapes = {
  play: ['M7 4.5v15l12-7.5z', true],
  pause: ['M7 4.5h3.5v15H7zM13.5 4.5H17v15h-3.5z', true],
  back10: ['M4.5 12a7.5 7.5 0 1 0 2.6-5.7M4 3.5v4h4', false, 'M9.2 10.6l1.2-.9v5M13.9 9.7c-1.1 0-1.6 1-1.6 2.5s.5 2.5 1.6 2.5 1.6-1 1.6-2.5-.5-2.5-1.6-2.5z'],
  ahead10: ['M19.5 12a7.5 7.5 0 1 1-2.6-5.7M20 3.5v4h-4', false, 'M9.2 10.6l1.2-.9v5M13.9 9.7c-1.1 0-1.6 1-1.6 2.5s.5 2.5 1.6 2.5 1.6-1 1.6-2.5-.5-2.5-1.6-2.5z'],
  next: ['M5 5v14l10-7zM19 5v14'],
  volume: ['M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11'],
  muted: ['M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5'],
  captions: ['M3.5 5.5h17v13h-17zM10.5 10.5a2 2 0 1 0 0 3M17.5 10.5a2 2 0 1 0 0 3'],
  audio: ['M4 10v4M8 7v10M12 4v16M16 8v8M20 10.5v3'],
  settings: ['M4 7h9M17 7h3M4 17h3M11 17h9M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0'],
  fullscreen: ['M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5'],
  windowed: ['M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5'],
  arrowLeft: ['M20 12H4M10.5 5.5 4 12l6.5 6.5'],
  chevronLeft: ['M14.5 5 7.5 12l7 7'],
  chevronRight: ['M9.5 5l7 7-7 7'],
  chevronDown: ['M5 9.5l7 7 7-7'],
  chevronUp: ['M5 14.5l7-7 7 7'],
  plus: ['M12 5v14M5 12h14'],
  check: ['M4.5 12.5l5 5 10-11'],
  close: ['M6 6l12 12M18 6 6 18'],
  search: ['M4 10.5a6.5 6.5 0 1 0 13 0 6.5 6.5 0 1 0-13 0M15.5 15.5 20.5 20.5'],
  up: ['M7.5 10.5v9H4v-9zM7.5 10.5 11.5 4c1.6 0 2.5 1.2 2.2 2.8L13 10h5.3c1.3 0 2.1 1.2 1.8 2.4l-1.5 5.5c-.3 1-1 1.6-2 1.6H7.5'],
  down: ['M7.5 13.5v-9H4v9zM7.5 13.5l4 6.5c1.6 0 2.5-1.2 2.2-2.8L13 14h5.3c1.3 0 2.1-1.2 1.8-2.4l-1.5-5.5c-.3-1-1-1.6-2-1.6H7.5'],
  info: ['M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M12 11v5.5M12 7.5v.1'],
  warning: ['M12 4 2.5 20h19zM12 10v4.5M12 17.3v.1'],
  error: ['M8 3.5h8l4.5 4.5v8L16 20.5H8L3.5 16V8zM12 8v5M12 16.3v.1'],
  ok: ['M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M8 12.3l3 3 5.5-6'],
  waiting: ['M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M12 7v5.3l3.5 2'],
  flag: ['M5 21V4M5 4.5h13l-3 4.5 3 4.5H5'],
  film: ['M3.5 4.5h17v15h-17zM8 4.5v15M16 4.5v15M3.5 12h17M3.5 8.3H8M3.5 15.8H8M16 8.3h4.5M16 15.8h4.5'],
  edit: ['M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19zM13.5 7l3.5 3.5'],
  trash: ['M4.5 6.5h15M9 6.5V4h6v2.5M6.5 6.5l1 13.5h9l1-13.5M10.3 10.5v6M13.7 10.5v6'],
  upload: ['M12 16V4.5M7 9l5-5 5 5M4 16v4h16v-4'],
  download: ['M12 4.5V16M7 11.5l5 5 5-5M4 16v4h16v-4'],
  signal: ['M3.5 12.5h3.5l2.5-7 4.5 13 2.5-6h4'],
  list: ['M8.5 6H20M8.5 12H20M8.5 18H20M4 6h.1M4 12h.1M4 18h.1'],
  grid: ['M4 4h6.5v6.5H4zM13.5 4H20v6.5h-6.5zM4 13.5h6.5V20H4zM13.5 13.5H20V20h-6.5z'],
  refresh: ['M19.5 12a7.5 7.5 0 1 1-2.3-5.4M20 3.5v4.5h-4.5'],
  stop: ['M6 6h12v12H6z', true],
  person: ['M8 8a4 4 0 1 0 8 0 4 4 0 1 0-8 0M4.5 20c.8-3.8 3.8-6 7.5-6s6.7 2.2 7.5 6'],
  signOut: ['M14 4.5H5v15h9M10 12h10.5M16.5 8l4 4-4 4'],
  clock: ['M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M12 7v5.3l3.5 2'],
  more: ['M5 10.6a1.4 1.4 0 1 0 .01 0zM12 10.6a1.4 1.4 0 1 0 .01 0zM19 10.6a1.4 1.4 0 1 0 .01 0z', true],
  keyboard: ['M2.5 6h19v12h-19zM6 10h.1M10 10h.1M14 10h.1M18 10h.1M6 14h.1M9.5 14h5M18 14h.1'],
  home: ['M4 11.5 12 4.5l8 7V20h-5.5v-5.5h-5V20H4z'],
  bars: ['M5 20v-7M12 20V4M19 20V9'],
  mail: ['M3.5 5.5h17v13h-17zM4 6.5l8 6.5 8-6.5'],
  link: ['M10 14a4 4 0 0 0 5.7 0l3.3-3.3a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0L5 13.3A4 4 0 0 0 10.7 19l1.3-1.3'],
  running: ['M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M10 8.5v7l5.5-3.5z'],
  cancelled: ['M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M6.2 17.8 17.8 6.2'],
  planned: ['M8 12a4 4 0 1 0 8 0 4 4 0 1 0-8 0'],
  jobs: ['M3 4.5h6.5v5H3zM14.5 4.5H21v5h-6.5zM9.5 7h5M17.8 9.5v5M14.5 14.5H21v5h-6.5zM14.5 17H11'],
  first: ['M6 5v14M18 5l-7 7 7 7'],
  last: ['M18 5v14M6 5l7 7-7 7'],
  minus: ['M5 12h14'],
  menu: ['M4 6h16M4 12h16M4 18h16'],
  help: ['M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0M9.5 9.8c0-1.6 1.1-2.5 2.6-2.5s2.5.9 2.5 2.3c0 2-2.6 2.1-2.6 4.1M12 16.8v.1'],
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name, class: extra = '' }: { name: IconName; class?: string }) {
  const [path, solid, fine] = shapes[name] as readonly [string, boolean?, string?];
  return (
    <svg class={`icon ${solid ? 'solid' : ''} ${extra}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={path} />
      {fine && <path d={fine} stroke-width="1.2" />}
    </svg>
  );
}
