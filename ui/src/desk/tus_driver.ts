// SPDX-License-Identifier: GPL-3.0-or-later
//
// Carries out what the machine of tus.ts wants, by XMLHttpRequest (fetch tells no upload progress).

import { tusInitial, tusMetadata, tusNext, type TusEffect, type TusEvent, type TusState } from './tus';

const VERSION = '1.0.0';

export interface TusUploadConfig {
  endpoint: string; // "/api/v1/uploads"
  file: Blob & { name: string; type: string };
  place: string | null; // of an earlier try
  onChange: (state: TusState) => void;
}

export class TusUpload {
  state: TusState;
  private request: XMLHttpRequest | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly online = (): void => this.tell({ type: 'timer' });

  constructor(private readonly config: TusUploadConfig) {
    this.state = tusInitial(config.file.size, config.place);
    addEventListener('online', this.online);
  }

  start(): void {
    this.tell({ type: 'start' });
  }

  pause(): void {
    this.tell({ type: 'pause' });
  }

  resume(): void {
    this.tell({ type: 'resume' });
  }

  retry(): void {
    this.tell({ type: 'retry' });
  }

  // Stops, and asks the server to forget the bytes.
  async discard(): Promise<void> {
    const place = this.state.place;
    this.tell({ type: 'pause' });
    removeEventListener('online', this.online);
    if (place !== null) await fetch(place, { method: 'DELETE', headers: { 'Tus-Resumable': VERSION } }).catch(() => undefined);
  }

  private tell(event: TusEvent): void {
    const [state, effect] = tusNext(this.state, event);
    const changed = state !== this.state;
    this.state = state;
    if (effect.do !== 'nothing') this.carryOut(effect);
    if (state.phase === 'done' || state.phase === 'failed') removeEventListener('online', this.online);
    if (changed) this.config.onChange(state);
  }

  private carryOut(effect: TusEffect): void {
    this.stop();
    switch (effect.do) {
      case 'nothing':
      case 'abort':
        return;
      case 'wait':
        this.timer = setTimeout(() => this.tell({ type: 'timer' }), effect.ms);
        return;
      case 'create': {
        const r = this.open('POST', this.config.endpoint, (xhr) => {
          const to = xhr.getResponseHeader('Location');
          if (xhr.status === 201 && to) this.tell({ type: 'created', place: new URL(to, new URL(this.config.endpoint, location.href)).pathname });
          else this.tell({ type: 'refused', status: xhr.status });
        });
        r.setRequestHeader('Upload-Length', String(this.config.file.size));
        r.setRequestHeader('Upload-Metadata', tusMetadata({ filename: this.config.file.name, ...(this.config.file.type ? { filetype: this.config.file.type } : {}) }));
        r.send();
        return;
      }
      case 'ask': {
        const r = this.open('HEAD', effect.place, (xhr) => {
          const offset = Number(xhr.getResponseHeader('Upload-Offset') ?? NaN);
          const size = xhr.getResponseHeader('Upload-Length');
          if (xhr.status >= 200 && xhr.status < 300 && Number.isSafeInteger(offset))
            this.tell({ type: 'told', offset, size: size === null ? null : Number(size) });
          else this.tell({ type: 'refused', status: xhr.status });
        });
        r.send();
        return;
      }
      case 'send': {
        const began = performance.now();
        const r = this.open('PATCH', effect.place, (xhr) => {
          const offset = Number(xhr.getResponseHeader('Upload-Offset') ?? NaN);
          if (xhr.status >= 200 && xhr.status < 300 && Number.isSafeInteger(offset))
            this.tell({ type: 'stored', offset, tookMs: performance.now() - began });
          else this.tell({ type: 'refused', status: xhr.status });
        });
        r.setRequestHeader('Upload-Offset', String(effect.from));
        r.setRequestHeader('Content-Type', 'application/offset+octet-stream');
        r.upload.onprogress = (e) => {
          if (this.request === r) this.tell({ type: 'progress', sent: e.loaded });
        };
        r.send(this.config.file.slice(effect.from, effect.to));
        return;
      }
    }
  }

  private open(method: string, url: string, answered: (xhr: XMLHttpRequest) => void): XMLHttpRequest {
    const xhr = new XMLHttpRequest();
    this.request = xhr;
    xhr.open(method, url);
    xhr.setRequestHeader('Tus-Resumable', VERSION);
    xhr.onload = () => {
      if (this.request !== xhr) return;
      this.request = null;
      answered(xhr);
    };
    xhr.onerror = xhr.ontimeout = () => {
      if (this.request !== xhr) return;
      this.request = null;
      this.tell({ type: 'broken' });
    };
    return xhr;
  }

  private stop(): void {
    const r = this.request;
    this.request = null;
    r?.abort();
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
