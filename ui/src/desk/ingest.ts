// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files on their way in. An upload begins the moment a file is dropped; what it is (title,
// partner, the request that it answers) is said meanwhile, and the delivery is made when both are
// there. What is known of an upload outlives a reload in localStorage; the bytes on the server do
// anyway. A browser gives a page no file twice: after a reload the person drops it again, the
// fingerprint finds its upload, and it goes on where the server says.

import { ApiError } from '../shared/api';
import { Changes } from '../shared/use';
import { api } from './api';
import { tusFingerprint, type TusState } from './tus';
import { TusUpload } from './tus_driver';

export interface IngestForm {
  title: string;
  titleId: string;
  partner: string;
  answers: string;
  maturity: string; // from this age; '': nobody said
}

export interface IngestItem {
  readonly key: string; // the fingerprint
  readonly name: string;
  readonly size: number;
  form: IngestForm;
  empty?: boolean; // the file has no bytes
  wanted: boolean; // the person pressed "deliver"
  upload: TusState | null; // null: known of an earlier visit, waits for its file
  place: string | null;
  kept: number; // bytes the server had when last heard
  error: ApiError | null;
  delivery: { delivery_id: string; job_id: string } | null;
  delivering: boolean;
  checked: number | null; // 0..1: how far the server has read what it could not read as it came
  samples: { at: number; sent: number }[]; // of the last seconds, for the rate
}

const STORE = 'marquee.desk.uploads';
const PARALLEL = 2;
const KEEP_MS = 7 * 86_400_000;

interface Kept {
  name: string;
  size: number;
  place: string | null;
  offset: number;
  form: IngestForm;
  wanted: boolean;
  at: number;
}

const running = new Map<string, TusUpload>();
const queue: string[] = [];
let items: IngestItem[] = load();
const changes = new Changes();
void askForKept();

function load(): IngestItem[] {
  try {
    const all = JSON.parse(localStorage.getItem(STORE) ?? '{}') as Record<string, Kept>;
    return Object.entries(all)
      .filter(([, k]) => Date.now() - k.at < KEEP_MS)
      .map(([key, k]) => ({
        key,
        name: k.name,
        size: k.size,
        form: { ...k.form, maturity: k.form.maturity ?? '' },
        wanted: k.wanted,
        upload: null,
        place: k.place,
        kept: k.offset,
        error: null,
        delivery: null,
        delivering: false,
        checked: null,
        samples: [],
      }));
  } catch {
    return []; // storage is off or damaged: uploads work, they only start anew after a reload
  }
}

// What an earlier visit left is asked for: a whole upload needs no file any more, and what the server forgot is gone.
async function askForKept(): Promise<void> {
  for (const item of items) {
    if (item.place === null) continue;
    try {
      const answer = await fetch(item.place, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } });
      if (item.upload !== null) continue; // its file was dropped meanwhile
      if (answer.status === 404 || answer.status === 410) {
        item.place = null;
        item.kept = 0;
      } else if (answer.ok) item.kept = Number(answer.headers.get('Upload-Offset') ?? item.kept);
      if (isWhole(item)) void deliver(item);
    } catch {
      // The server is away: what was known stays, and a delivery asks again.
    }
  }
  save();
  changed();
}

function isWhole(item: IngestItem): boolean {
  return item.upload ? item.upload.phase === 'done' : item.place !== null && item.kept >= item.size;
}

// All of it is on the server, and nobody said yet what it is.
export function ingestIsReady(item: IngestItem): boolean {
  return isWhole(item) && item.delivery === null && !item.delivering;
}

function save(): void {
  const all: Record<string, Kept> = {};
  for (const i of items)
    if (i.delivery === null && i.place !== null)
      all[i.key] = { name: i.name, size: i.size, place: i.place, offset: i.kept, form: i.form, wanted: i.wanted, at: Date.now() };
  try {
    localStorage.setItem(STORE, JSON.stringify(all));
  } catch {
    // As above.
  }
}

function changed(): void {
  items = [...items];
  changes.tell();
}

export function useIngestItems(): readonly IngestItem[] {
  changes.use();
  return items;
}

// "The.Grand_Prix-1906 (1080p).mov" → "The Grand Prix 1906"
export function titleOfFile(name: string): string {
  const stem = name.replace(/\.[a-z0-9]{1,5}$/i, '');
  const words = stem
    .replace(/[([{].*?[)\]}]/g, ' ')
    .replace(/[._-]+/g, ' ')
    .replace(/\b(\d{3,4}[pi]|4k|uhd|x26[45]|h\.?26[45]|av1|hevc|web|master|mezzanine|prores)\b/gi, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const text = words === '' ? stem : words;
  return text === text.toLowerCase() ? text.replace(/(^|\s)\p{L}/gu, (c) => c.toUpperCase()) : text;
}

function blank(key: string, file: File, form: Partial<IngestForm>): IngestItem {
  return {
    key,
    name: file.name,
    size: file.size,
    form: { title: titleOfFile(file.name), titleId: '', partner: '', answers: '', maturity: '', ...form },
    wanted: false,
    upload: null,
    place: null,
    kept: 0,
    error: null,
    delivery: null,
    delivering: false,
    checked: null,
    samples: [],
  };
}

export function ingestAdd(files: readonly File[], form: Partial<IngestForm> = {}): void {
  for (const file of files) {
    const key = tusFingerprint(file);
    const known = items.find((i) => i.key === key);
    if (known && known.upload !== null && known.upload.phase !== 'failed' && known.delivery === null) continue;
    if (file.size === 0) {
      // Nothing to send: said at once, in words that a server would not find.
      items = [{ ...blank(key, file, form), empty: true }, ...items.filter((i) => i.key !== key)];
      continue;
    }
    const item: IngestItem = known && known.delivery === null ? known : blank(key, file, form);
    if (item !== known) items = [item, ...items.filter((i) => i.key !== key)];
    else if (Object.keys(form).length > 0) item.form = { ...item.form, ...form };
    const upload = new TusUpload({
      endpoint: '/api/v1/uploads',
      file,
      place: item.place,
      onChange: (state) => progressed(key, state),
    });
    item.upload = upload.state;
    item.error = null;
    running.set(key, upload);
    queue.push(key);
  }
  pump();
  changed();
}

function active(): number {
  return items.filter((i) => i.upload && ['creating', 'asking', 'sending', 'waiting'].includes(i.upload.phase)).length;
}

function pump(): void {
  while (queue.length > 0 && active() < PARALLEL) {
    const key = queue.shift()!;
    const u = running.get(key);
    if (u?.state.phase === 'idle') u.start();
  }
}

function progressed(key: string, state: TusState): void {
  const item = items.find((i) => i.key === key);
  if (!item) return;
  const kept = item.kept;
  item.upload = state;
  const at = Date.now();
  if (state.phase === 'sending') {
    item.samples.push({ at, sent: state.sent });
    while (item.samples.length > 2 && at - item.samples[0]!.at > 8_000) item.samples.shift();
  } else item.samples = [];
  item.kept = state.offset;
  if (item.place !== state.place || kept !== state.offset) {
    item.place = state.place;
    save();
  }
  if (state.phase === 'done' || state.phase === 'failed' || state.phase === 'paused') pump();
  if (state.phase === 'done') void deliver(item);
  changed();
}

// Bytes a second over the last seconds; null while nothing can be said.
export function ingestRate(item: IngestItem): number | null {
  const first = item.samples[0];
  const last = item.samples[item.samples.length - 1];
  if (!first || !last || last.at - first.at < 400) return null;
  return Math.max(0, ((last.sent - first.sent) * 1000) / (last.at - first.at));
}

export function ingestWant(key: string, form: IngestForm): void {
  const item = items.find((i) => i.key === key);
  if (!item) return;
  item.form = form;
  item.wanted = true;
  item.error = null;
  save();
  void deliver(item);
  changed();
}

export function ingestEdit(key: string, form: IngestForm): void {
  const item = items.find((i) => i.key === key);
  if (!item) return;
  item.form = form;
  save();
  changed();
}

async function deliver(item: IngestItem): Promise<void> {
  if (!item.wanted || item.delivering || item.delivery || !isWhole(item) || item.place === null) return;
  item.delivering = true;
  changed();
  try {
    const text = (v: string): string | undefined => (v.trim() === '' ? undefined : v.trim());
    const wish = {
      upload_id: decodeURIComponent(item.place.split('/').pop()!),
      title: text(item.form.title),
      title_id: text(item.form.titleId),
      partner: text(item.form.partner),
      answers: text(item.form.answers),
      maturity: item.form.maturity === '' ? undefined : Number(item.form.maturity),
    };
    // A long file is read before it is taken; an answer without a delivery says how far that is.
    while (item.delivery === null) {
      const answer = await api.deliver(wish);
      if ('delivery_id' in answer) item.delivery = answer;
      else {
        item.checked = answer.checked / Math.max(1, answer.bytes);
        changed();
      }
    }
    item.error = null;
  } catch (e) {
    item.error = e instanceof ApiError ? e : new ApiError(0, 'unreachable', '', null);
    item.wanted = false;
  }
  item.delivering = false;
  item.checked = null;
  save();
  changed();
}

export function ingestPause(key: string): void {
  const at = queue.indexOf(key);
  if (at >= 0) queue.splice(at, 1);
  running.get(key)?.pause();
}

export function ingestResume(key: string): void {
  const u = running.get(key);
  if (u?.state.phase === 'failed') u.retry();
  else if (u?.state.phase === 'waiting') u.retry();
  else u?.resume();
}

// Forgets a file: of an unfinished one the server drops its bytes, too.
export function ingestDiscard(key: string): void {
  const item = items.find((i) => i.key === key);
  const u = running.get(key);
  items = items.filter((i) => i.key !== key);
  running.delete(key);
  const at = queue.indexOf(key);
  if (at >= 0) queue.splice(at, 1);
  if (item && item.delivery === null) {
    if (u) void u.discard();
    else if (item.place !== null)
      void fetch(item.place, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } }).catch(() => undefined);
  }
  save();
  pump();
  changed();
}

export function ingestBusy(): boolean {
  return active() > 0;
}
