// SPDX-License-Identifier: GPL-3.0-or-later
//
// A mail relay that keeps what it gets, for scenario tests.
//
//     node test/peer/smtp_sink.mjs [--port N] [--out FILE] [--refuse N]
//
// Prints {"port":N} once it listens, then a line of JSON for each message: {"from","to":[…],
// "subject","text","raw"}, decoded (RFC 2045, 2047); the same lines go to FILE. The first N sessions
// are refused with 421. Ends with SIGTERM.
import fs from 'node:fs';
import net from 'node:net';

function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}

const out = option('out', null);
let refusals = Number(option('refuse', 0));

function unquote(text) {
  const bytes = [];
  const joined = text.replace(/=\r\n/g, '');
  for (let i = 0; i < joined.length; i++) {
    if (joined[i] === '=') {
      bytes.push(parseInt(joined.slice(i + 1, i + 3), 16));
      i += 2;
    } else {
      bytes.push(joined.charCodeAt(i));
    }
  }
  return Buffer.from(bytes).toString('utf8');
}

function decodeWords(text) {
  return text
    .replace(/\?=\r\n =\?/g, '?==?')
    .replace(/(=\?utf-8\?q\?[^?]*\?=)+/gi, (run) =>
      unquote(run.replace(/=\?utf-8\?q\?([^?]*)\?=/gi, '$1')));
}

function decode(from, to, raw) {
  const cut = raw.indexOf('\r\n\r\n');
  const head = raw.slice(0, cut);
  const body = raw.slice(cut + 4);
  const subject = /^Subject: ((?:.*)(?:\r\n[ \t].*)*)/m.exec(head);
  const quoted = /^Content-Transfer-Encoding: quoted-printable/im.test(head);
  return {
    from,
    to,
    subject: subject ? decodeWords(subject[1]) : '',
    text: (quoted ? unquote(body) : body).replace(/\r\n/g, '\n'),
    raw,
  };
}

function keep(message) {
  const line = `${JSON.stringify(message)}\n`;
  process.stdout.write(line);
  if (out) {
    fs.appendFileSync(out, line);
  }
}

const server = net.createServer((socket) => {
  let waiting = '';
  let data = null;
  let from = '';
  let to = [];
  const answer = (line) => socket.write(`${line}\r\n`);
  const command = (line) => {
    const verb = line.slice(0, 4).toUpperCase();
    if (data !== null) {
      if (line === '.') {
        keep(decode(from, to, data));
        data = null;
        to = [];
        answer('250 kept');
      } else {
        data += `${line.startsWith('.') ? line.slice(1) : line}\r\n`;
      }
    } else if (verb === 'MAIL') {
      from = /<(.*)>/.exec(line)?.[1] ?? '';
      answer('250 ok');
    } else if (verb === 'RCPT') {
      to.push(/<(.*)>/.exec(line)?.[1] ?? '');
      answer('250 ok');
    } else if (verb === 'DATA') {
      data = '';
      answer('354 go on');
    } else if (verb === 'QUIT') {
      socket.end('221 bye\r\n');
    } else {
      answer('250 ok');
    }
  };
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    waiting += chunk;
    for (let end; (end = waiting.indexOf('\r\n')) >= 0; ) {
      const line = waiting.slice(0, end);
      waiting = waiting.slice(end + 2);
      command(line);
    }
  });
  if (refusals > 0) {
    refusals--;
    socket.end('421 later\r\n');
  } else {
    answer('220 sink');
  }
});

server.listen(Number(option('port', 0)), '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});
process.on('SIGTERM', () => process.exit(0));
