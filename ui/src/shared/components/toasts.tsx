// SPDX-License-Identifier: GPL-3.0-or-later
// Short news with an undo, read aloud politely. <Toasts/> stands once in an application.
import { useEffect, useState } from 'preact/hooks';

export interface Toast {
  text: string;
  action?: { label: string; run: () => void };
}

interface Shown extends Toast {
  serial: number;
}

let serial = 0;
let shown: Shown[] = [];
let changed: () => void = () => {};

export function toast(news: Toast | string): void {
  const item: Shown = { ...(typeof news === 'string' ? { text: news } : news), serial: (serial += 1) };
  shown = [...shown.slice(-2), item];
  changed();
  // Long enough to be read and, where there is something to undo, to be reached.
  setTimeout(() => dismiss(item.serial), item.action ? 8000 : 4000);
}

/** Old news has no place over a film. */
export function clearToasts(): void {
  shown = [];
  changed();
}

function dismiss(which: number): void {
  shown = shown.filter((item) => item.serial !== which);
  changed();
}

export function Toasts() {
  const [items, setItems] = useState(shown);
  useEffect(() => {
    changed = () => setItems(shown);
    changed();
    return () => {
      changed = () => {};
    };
  }, []);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {items.map((item) => (
        <div class="toast" key={item.serial}>
          <span>{item.text}</span>
          {item.action && (
            <button
              type="button"
              onClick={() => {
                item.action!.run();
                dismiss(item.serial);
              }}
            >
              {item.action.label}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
