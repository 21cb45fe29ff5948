// SPDX-License-Identifier: GPL-3.0-or-later
import type { ComponentChildren, JSX, Ref } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { describe } from '../errors';
import { t } from '../strings';
import { Icon, type IconName } from './icons';

type ButtonKind = 'plain' | 'primary' | 'quiet' | 'outline' | 'danger';
type Size = 'small' | 'usual' | 'large';

interface ButtonLook {
  kind?: ButtonKind;
  size?: Size;
  icon?: IconName;
  children?: ComponentChildren;
}

const look = ({ kind = 'plain', size = 'usual' }: ButtonLook, extra: unknown) =>
  `button ${kind} ${size} ${typeof extra === 'string' ? extra : ''}`;

type ButtonProps = ButtonLook &
  Omit<JSX.IntrinsicElements['button'], 'size' | 'icon' | 'kind'> & { elementRef?: Ref<HTMLButtonElement> };

export function Button({ kind, size, icon, children, elementRef, class: extra, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} ref={elementRef ?? null} class={look({ kind, size }, extra)}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

type LinkButtonProps = ButtonLook & Omit<JSX.IntrinsicElements['a'], 'size' | 'icon' | 'kind'>;

export function LinkButton({ kind, size, icon, children, class: extra, ...rest }: LinkButtonProps) {
  return (
    <a {...rest} class={look({ kind, size }, extra)}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  );
}

type IconButtonProps = Omit<JSX.IntrinsicElements['button'], 'icon' | 'label'> & {
  icon: IconName;
  label: string;
  elementRef?: Ref<HTMLButtonElement>;
};

/** The label is what a screen reader says and what shows on hover. */
export function IconButton({ icon, label, elementRef, class: extra, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      title={label}
      aria-label={label}
      {...rest}
      ref={elementRef ?? null}
      class={`icon-button ${typeof extra === 'string' ? extra : ''}`}
    >
      <Icon name={icon} />
    </button>
  );
}

interface FieldProps {
  label: string;
  hint?: string | null;
  wrong?: string | null;
  children: (attributes: {
    id: string;
    'aria-describedby': string | undefined;
    'aria-invalid': boolean | undefined;
    class: string;
  }) => ComponentChildren;
}

/** A labelled field; the child is a function of the attributes that tie them together. */
export function Field({ label, hint, wrong, children }: FieldProps) {
  const id = useId();
  const about = wrong || hint ? `${id}-about` : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({
        id,
        'aria-describedby': about,
        'aria-invalid': wrong ? true : undefined,
        class: 'input',
      })}
      {wrong ? (
        <p class="wrong" id={about} role="alert">
          {wrong}
        </p>
      ) : (
        hint && (
          <p class="hint" id={about}>
            {hint}
          </p>
        )
      )}
    </div>
  );
}

export type Tone = 'ok' | 'info' | 'warning' | 'error' | 'idle';
const toneIcons: Record<Tone, IconName> = {
  ok: 'ok',
  info: 'info',
  warning: 'warning',
  error: 'error',
  idle: 'waiting',
};

/** A state in colour, shape and word. */
export function Status({ tone, icon, children }: { tone: Tone; icon?: IconName; children: ComponentChildren }) {
  return (
    <span class={`status ${tone}`}>
      <Icon name={icon ?? toneIcons[tone]} />
      {children}
    </span>
  );
}

interface NoteProps {
  tone: Tone;
  what: ComponentChildren;
  hint?: ComponentChildren;
  children?: ComponentChildren; // buttons that do what the hint says
}

export function Note({ tone, what, hint, children }: NoteProps) {
  return (
    <div class={`note ${tone}`} role={tone === 'error' ? 'alert' : 'status'}>
      <Icon name={toneIcons[tone]} />
      <div>
        <p class="what">{what}</p>
        {hint && <p class="hint">{hint}</p>}
        {children && <div class="actions">{children}</div>}
      </div>
    </div>
  );
}

/** What went wrong, what to do, and the button that does it. */
export function ErrorNote({ error, retry, retryLabel = t('tryAgain') }: {
  error: unknown;
  retry?: () => void;
  retryLabel?: string;
}) {
  const { what, hint } = describe(error);
  return (
    <Note tone="error" what={what} hint={hint}>
      {retry && (
        <Button size="small" kind="outline" icon="refresh" onClick={retry}>
          {retryLabel}
        </Button>
      )}
    </Note>
  );
}

export function Empty({ icon, title, children }: {
  icon: IconName;
  title: string;
  children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A grey shape of the size of what will come; silent for screen readers. */
export function Skeleton({ width, height, class: extra = '' }: {
  width?: string;
  height?: string;
  class?: string;
}) {
  return <span class={`skeleton ${extra}`} aria-hidden="true" style={{ width, height }} />;
}

/** A modal dialog: the browser's own, so focus stays inside, Escape closes and focus returns. */
export function Dialog({ title, onClose, children, class: extra = '' }: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  class?: string;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  const before = useRef<Element | null>(null);
  useEffect(() => {
    const dialog = ref.current!;
    before.current = document.activeElement;
    dialog.showModal();
    return () => {
      if (dialog.open) dialog.close();
      (before.current as HTMLElement | null)?.focus?.();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={`dialog ${extra}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
      onClick={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <IconButton icon="close" label={t('close')} onClick={onClose} />
      </header>
      {children}
    </dialog>
  );
}
