// SPDX-License-Identifier: GPL-3.0-or-later
//
// A file dropped on any page is a film to ingest.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Icon } from '../shared/components/icons';
import { navigate } from '../shared/router';
import { ingestAdd } from './ingest';
import { t } from './text';

export function DropAnywhere(): JSX.Element | null {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const files = (e: DragEvent): boolean => e.dataTransfer?.types.includes('Files') ?? false;
    const enter = (e: DragEvent): void => {
      if (!files(e)) return;
      e.preventDefault();
      depth += 1;
      setOver(true);
    };
    const leave = (e: DragEvent): void => {
      if (!files(e)) return;
      depth -= 1;
      if (depth <= 0) setOver(false);
    };
    const hover = (e: DragEvent): void => {
      if (files(e)) e.preventDefault();
    };
    const drop = (e: DragEvent): void => {
      if (!files(e)) return;
      e.preventDefault();
      depth = 0;
      setOver(false);
      const list = [...(e.dataTransfer?.files ?? [])];
      if (list.length === 0) return;
      const request = /^\/desk\/requests\/([^/]+)/.exec(location.pathname)?.[1];
      ingestAdd(list, request ? { answers: decodeURIComponent(request) } : {});
      if (location.pathname !== '/desk/ingest') navigate('/desk/ingest');
    };
    addEventListener('dragenter', enter);
    addEventListener('dragleave', leave);
    addEventListener('dragover', hover);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragenter', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('dragover', hover);
      removeEventListener('drop', drop);
    };
  }, []);
  if (!over) return null;
  return (
    <div class="drop-veil" aria-hidden="true">
      <div>
        <Icon name="upload" />
        <strong>{t('drop.here')}</strong>
        <span>{t('drop.hint')}</span>
      </div>
    </div>
  );
}
