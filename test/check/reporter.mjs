// SPDX-License-Identifier: GPL-3.0-or-later
// node:test events as the lines that check.mjs counts: "ok NAME", "not ok NAME", "skip NAME # why".
export default async function* reporter(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite' && data.skip === undefined) continue; // its tests speak for it
    // With several files, Node.js 18 reports each file as a test of its own name.
    if (data.file === data.name || /\.test\.mjs$/.test(data.name)) {
      if (type === 'test:pass') continue;
    }
    const name = data.name.replaceAll('\n', ' ');
    if (data.skip !== undefined) {
      yield `skip ${name} # ${typeof data.skip === 'string' ? data.skip : ''}\n`;
    } else if (type === 'test:pass') {
      yield `ok ${name}\n`;
    } else {
      yield `not ok ${name}\n`;
      const error = data.details?.error;
      const text = error?.cause?.stack ?? error?.stack ?? String(error);
      yield text.split('\n').map((line) => `    ${line}`).join('\n') + '\n';
    }
  }
}
