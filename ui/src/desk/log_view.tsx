// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a step wrote, followed while it runs. The place to read on from is in bytes, so that text cut
// in the middle of a character joins again.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from './api';
import { t } from './text';

const POLL_MS = 1_000;
const KEEP_LINES = 5_000;

export function LogView({ job, step, running }: { job: string; step: string; running: boolean }): JSX.Element {
  const [text, setText] = useState<string | null>(null);
  const [failed, setFailed] = useState(false);
  const [follow, setFollow] = useState(true);
  const box = useRef<HTMLPreElement>(null);
  const live = useRef(running);
  live.current = running;

  useEffect(() => {
    const stop = new AbortController();
    const decoder = new TextDecoder();
    let offset = 0;
    let all = '';
    let timer: ReturnType<typeof setTimeout> | null = null;
    const read = async (): Promise<void> => {
      const wasLive = live.current;
      try {
        const bytes = await api.log(job, step, offset, stop.signal);
        offset += bytes.length;
        if (bytes.length > 0) {
          all += decoder.decode(bytes, { stream: true });
          const lines = all.split('\n');
          if (lines.length > KEEP_LINES) all = lines.slice(-KEEP_LINES).join('\n');
        }
        setText(all);
        setFailed(false);
        // Once more after its end: the last lines come with it.
        if (bytes.length > 0 || wasLive) timer = setTimeout(() => void read(), bytes.length > 65_536 ? 0 : POLL_MS);
      } catch {
        if (stop.signal.aborted) return;
        setFailed(true);
        if (wasLive) timer = setTimeout(() => void read(), POLL_MS * 3);
      }
    };
    setText(null);
    void read();
    return () => {
      stop.abort();
      if (timer !== null) clearTimeout(timer);
    };
  }, [job, step, running]);

  useEffect(() => {
    const el = box.current;
    if (el && follow) el.scrollTop = el.scrollHeight;
  }, [text, follow]);

  return (
    <section class="log" aria-label={t('log.of', { step })}>
      <header>
        <h3>{t('log')}</h3>
        <code class="clip">{step}</code>
        {running && <span class="status info">{t('log.live')}</span>}
        <label class="check">
          <input type="checkbox" checked={follow} onChange={(e) => setFollow(e.currentTarget.checked)} /> {t('log.follow')}
        </label>
      </header>
      <pre
        ref={box}
        tabIndex={0}
        onScroll={(e) => {
          const el = e.currentTarget;
          const end = el.scrollHeight - el.scrollTop - el.clientHeight < 24;
          if (end !== follow) setFollow(end);
        }}
      >
        {text === null ? (failed ? t('log.failed') : t('loading')) : text === '' ? t('log.empty') : text}
      </pre>
    </section>
  );
}
