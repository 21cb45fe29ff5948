// SPDX-License-Identifier: GPL-3.0-or-later
// Server-sent events (WHATWG HTML, 9.2) over fetch: unlike EventSource it hears every event type through one
// function, knows why it was refused, and resumes by Last-Event-ID after any break.

export interface ServerEvent {
  id: string | null;
  type: string;
  data: string;
}

/** Splits a stream's text into events; feed it what arrives, in any pieces. */
export class EventParser {
  private rest = '';
  private data: string[] = [];
  private type = '';
  private id: string | null = null;
  /** Of the last event, also of one that said nothing else. */
  lastId: string | null = null;
  retryMs: number | null = null;

  feed(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    this.rest += text;
    for (;;) {
      const end = /\r\n|\n|\r/.exec(this.rest);
      // A lone CR at the very end may be the first half of CRLF.
      if (!end || (end[0] === '\r' && end.index === this.rest.length - 1)) return events;
      const line = this.rest.slice(0, end.index);
      this.rest = this.rest.slice(end.index + end[0].length);
      const event = this.line(line);
      if (event) events.push(event);
    }
  }

  private line(line: string): ServerEvent | null {
    if (line === '') {
      const event = this.data.length
        ? { id: this.id, type: this.type || 'message', data: this.data.join('\n') }
        : null;
      this.lastId = this.id ?? this.lastId;
      this.data = [];
      this.type = '';
      this.id = null;
      return event;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.type = value;
    else if (field === 'id' && !value.includes('\0')) this.id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
    return null;
  }
}

/** CloudEvents 1.0, as /api/v1/events sends them; transient messages have no id. */
export interface CloudEvent<T = Record<string, unknown>> {
  id?: string;
  type: string;
  subject: string;
  source?: string;
  time?: string;
  actor?: string;
  actor_name?: string; // of a person
  correlation?: string;
  causation?: number | string;
  data: T;
}

export interface Following {
  stop(): void;
}

/**
 * Follows a stream until stopped. `onState` says whether it is connected ("live"), trying again
 * ("waiting"), or refused for good ("refused": 401, 403, 404).
 */
export function follow(
  url: string,
  onEvent: (event: CloudEvent) => void,
  onState: (state: 'live' | 'waiting' | 'refused') => void = () => {},
): Following {
  const stop = new AbortController();
  let lastId: string | null = null;
  let waitMs = 500;
  const run = async () => {
    while (!stop.signal.aborted) {
      let ended = false; // by the service, which does so every few minutes
      try {
        const headers: Record<string, string> = { Accept: 'text/event-stream' };
        if (lastId !== null) headers['Last-Event-ID'] = lastId;
        const response = await fetch(url, { headers, signal: stop.signal, cache: 'no-store' });
        if ([401, 403, 404].includes(response.status)) return onState('refused');
        if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
        onState('live');
        const parser = new EventParser();
        const reader = response.body.getReader();
        const decoder = new TextDecoder();
        for (;;) {
          const { done, value } = await reader.read();
          ended = done;
          if (done) break;
          waitMs = 500;
          const events = parser.feed(decoder.decode(value, { stream: true }));
          lastId = parser.lastId ?? lastId;
          for (const event of events) {
            try {
              onEvent(JSON.parse(event.data) as CloudEvent);
            } catch (error) {
              if (!(error instanceof SyntaxError)) throw error;
            }
          }
        }
      } catch {
        if (stop.signal.aborted) return;
      }
      if (!ended) onState('waiting');
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      waitMs = Math.min(waitMs * 2, 15_000);
    }
  };
  void run();
  return { stop: () => stop.abort() };
}
