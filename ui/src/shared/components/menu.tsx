// SPDX-License-Identifier: GPL-3.0-or-later
// A menu button after the ARIA authoring practices: arrows, Home, End, letters; Escape gives the focus back.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Icon } from './icons';

export interface MenuItem {
  key: string;
  label: string;
  aside?: string;
  /** Set on the items of a choice: one of a group is true. */
  checked?: boolean;
  href?: string;
  onChoose?: () => void;
}

export interface MenuGroup {
  heading?: string;
  items: MenuItem[];
}

export function MenuList({ groups, label, onClose, id, class: extra = '' }: {
  groups: MenuGroup[];
  label: string;
  onClose: (how: 'chosen' | 'left') => void;
  id?: string;
  class?: string;
}) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const chosen = ref.current!.querySelector<HTMLElement>('[aria-checked="true"]');
    (chosen ?? ref.current!.querySelector<HTMLElement>('[role^="menuitem"]'))?.focus();
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const items = [...ref.current!.querySelectorAll<HTMLElement>('[role^="menuitem"]')];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const go = (to: number) => items[(to + items.length) % items.length]?.focus();
    event.stopPropagation();
    switch (event.key) {
      case 'ArrowDown':
        go(at + 1);
        break;
      case 'ArrowUp':
        go(at - 1);
        break;
      case 'Home':
        go(0);
        break;
      case 'End':
        go(items.length - 1);
        break;
      case 'Escape':
      case 'Tab':
        onClose('left');
        break;
      default: {
        if (event.key.length !== 1 || event.key === ' ') return;
        const letter = event.key.toLowerCase();
        const order = [...items.slice(at + 1), ...items.slice(0, at + 1)];
        const hit = order.find((item) => item.textContent?.trim().toLowerCase().startsWith(letter));
        if (!hit) return;
        hit.focus();
      }
    }
    if (event.key !== 'Tab') event.preventDefault();
  };
  return (
    <div class={`menu ${extra}`} role="menu" id={id} aria-label={label} ref={ref} onKeyDown={onKeyDown}>
      {groups.map((group) => (
        <div role="group" aria-label={group.heading} key={group.heading ?? ''}>
          {group.heading && (
            <div class="heading" aria-hidden="true">
              {group.heading}
            </div>
          )}
          {group.items.map((item) => {
            const role = item.checked === undefined ? 'menuitem' : 'menuitemradio';
            const inner = (
              <>
                {item.checked !== undefined && (
                  <span class="tick">{item.checked && <Icon name="check" />}</span>
                )}
                <span>{item.label}</span>
                {item.aside && <span class="aside">{item.aside}</span>}
              </>
            );
            const choose = () => {
              item.onChoose?.();
              onClose('chosen');
            };
            return item.href ? (
              <a key={item.key} role={role} tabIndex={-1} href={item.href} onClick={choose}>
                {inner}
              </a>
            ) : (
              <button
                key={item.key}
                type="button"
                role={role}
                tabIndex={-1}
                aria-checked={item.checked}
                onClick={choose}
              >
                {inner}
              </button>
            );
          })}
        </div>
      ))}
    </div>
  );
}

export function MenuButton({ label, children, groups, class: extra = '', menuClass = '', onOpen }: {
  label: string;
  children: ComponentChildren;
  groups: MenuGroup[];
  class?: string;
  menuClass?: string;
  onOpen?: (open: boolean) => void;
}) {
  const [open, setOpenState] = useState(false);
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const root = useRef<HTMLDivElement>(null);
  const setOpen = (value: boolean) => {
    setOpenState(value);
    onOpen?.(value);
  };
  useEffect(() => {
    if (!open) return;
    const outside = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside, true);
    return () => document.removeEventListener('pointerdown', outside, true);
  }, [open]);
  return (
    <div class="menu-root" ref={root}>
      <button
        type="button"
        ref={button}
        class={extra}
        title={label}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
          event.preventDefault();
          event.stopPropagation();
          setOpen(true);
        }}
      >
        {children}
      </button>
      {open && (
        <MenuList
          id={id}
          label={label}
          groups={groups}
          class={menuClass}
          onClose={() => {
            setOpen(false);
            button.current?.focus();
          }}
        />
      )}
    </div>
  );
}
