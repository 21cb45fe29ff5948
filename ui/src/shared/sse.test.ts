// SPDX-License-Identifier: GPL-3.0-or-later
import { expect, it } from 'vitest';
import { EventParser } from './sse';

const stream =
  ': hello\n\nid: 7\nevent: title.published.v1\ndata: {"a":1}\n\ndata: one\r\ndata:two\r\n\r\nretry: 900\nevent: x\n\nid: 9\n\n';

it('reads events however the bytes are cut', () => {
  for (let size = 1; size <= stream.length; size += 1) {
    const parser = new EventParser();
    const events = [];
    for (let i = 0; i < stream.length; i += size) events.push(...parser.feed(stream.slice(i, i + size)));
    expect(events).toEqual([
      { id: '7', type: 'title.published.v1', data: '{"a":1}' },
      { id: null, type: 'message', data: 'one\ntwo' },
    ]);
    expect(parser.retryMs).toBe(900);
    expect(parser.lastId).toBe('9'); // said without an event
  }
});
