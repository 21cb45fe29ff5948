// SPDX-License-Identifier: GPL-3.0-or-later
/** The word in a row of lights. */
export function Logo({ class: extra = '' }: { class?: string }) {
  return (
    <span class={`logo ${extra}`}>
      <svg viewBox="0 0 26 20" aria-hidden="true" focusable="false">
        <path
          d="M3 17V4l10 8.5L23 4v13"
          fill="none"
          stroke="currentColor"
          stroke-width="4"
          stroke-linecap="round"
          stroke-linejoin="round"
        />
      </svg>
      <span>marquee</span>
    </span>
  );
}
