// SPDX-License-Identifier: GPL-3.0-or-later
// Faces for profiles: eight drawn lanterns, chosen by name; any other text always gets the same one.

const inks = {
  amber: ['#f5a83a', '#7a3e00'],
  rose: ['#f27d8f', '#6d1530'],
  teal: ['#45c4b0', '#0b4a45'],
  violet: ['#a58bf0', '#35206f'],
  sky: ['#6db6f5', '#123e6b'],
  lime: ['#b3d158', '#41520d'],
  sand: ['#dcc39b', '#574022'],
  slate: ['#93a1b5', '#2a3545'],
} as const;

export type AvatarName = keyof typeof inks;
export const avatarNames = Object.keys(inks) as AvatarName[];

export function avatarOf(text: string | null | undefined): AvatarName {
  if (text && text in inks) return text as AvatarName;
  let sum = 0;
  for (const c of text ?? '') sum = (sum * 31 + c.charCodeAt(0)) >>> 0;
  return avatarNames[sum % avatarNames.length]!;
}

/** For a new profile: a face that none of these has, while there is one. */
export function freeAvatar(taken: readonly { name: string; avatar?: string | null }[]): AvatarName {
  const used = new Set(taken.map((one) => avatarOf(one.avatar ?? one.name)));
  const free = avatarNames.filter((name) => !used.has(name));
  const from = free.length > 0 ? free : avatarNames;
  return from[Math.floor(Math.random() * from.length)]!;
}

/** Eyes and mouths differ, so that the colour is not all that tells two profiles apart. */
const faces: Record<AvatarName, string> = {
  amber: 'M16 21v3M32 21v3M15 30c3 6 15 6 18 0',
  rose: 'M13 23c2-3 4-3 6 0M29 23c2-3 4-3 6 0M17 31c3 4 11 4 14 0',
  teal: 'M16 21v3M29 22.5h6M17 31c3 3.5 11 3.5 14-1',
  violet: 'M16 21v3M32 21v3M20 31a4 4 0 1 0 8 0 4 4 0 1 0-8 0',
  sky: 'M13 22h6M32 20v4M16 31c4 5 12 5 16-1',
  lime: 'M16 20v4M32 20v4M14 30h20c-2 7-18 7-20 0z',
  sand: 'M12 22h8M28 22h8M16 30c4 4 12 4 16 0',
  slate: 'M12 22a4 4 0 1 0 8 0 4 4 0 1 0-8 0M28 22a4 4 0 1 0 8 0 4 4 0 1 0-8 0M20 22h8M18 32c3 2 9 2 12 0',
};

export function Avatar({ name, class: extra = '' }: { name: string | null | undefined; class?: string }) {
  const which = avatarOf(name);
  const [light, dark] = inks[which];
  return (
    <svg class={`avatar ${extra}`} viewBox="0 0 48 48" aria-hidden="true" focusable="false">
      <rect width="48" height="48" fill={light} />
      <path d="M0 48V30C10 40 38 40 48 30v18z" fill={dark} fill-opacity="0.22" />
      <path d={faces[which]} fill="none" stroke={dark} stroke-width="3.2" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
