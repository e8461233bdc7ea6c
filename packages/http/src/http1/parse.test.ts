import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { MessageReader } from './message-reader.ts';
import {
  checkHost,
  keepsAlive,
  parseRequestHead,
  parseResponseHead,
  requestFraming,
  responseFraming,
} from './parse.ts';

const GOOD = 'GET /a?b=c HTTP/1.1\r\nHost: shop\r\nX-Two: 1\r\nx-two: 2';

test('a request head keeps order and repetition, with names in lower case', () => {
  expect(parseRequestHead(GOOD)).toEqual({
    ok: true,
    value: {
      method: 'GET',
      target: '/a?b=c',
      minorVersion: 1,
      headers: ['host', 'shop', 'x-two', '1', 'x-two', '2'],
    },
  });
});

/** What makes two readers disagree, or hides a second request in the first (RFC 9112 11.2; spec l7 3.10). */
describe('a request is refused for', () => {
  test.for([
    ['a lower-case method', 'get / HTTP/1.1\r\nHost: a'],
    ['a method that nobody knows', 'FOO / HTTP/1.1\r\nHost: a'],
    ['a target without a slash', 'GET a HTTP/1.1\r\nHost: a'],
    ['a target of another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a'],
    ['a CONNECT to a path', 'CONNECT / HTTP/1.1\r\nHost: a'],
    ['an octet above ASCII in the target', 'GET /\u00e9 HTTP/1.1\r\nHost: a'],
    ['a missing target', 'GET HTTP/1.1\r\nHost: a'],
    ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: a'],
    ['a control character in the target', 'GET /\u0001 HTTP/1.1\r\nHost: a'],
    ['a version it does not know', 'GET / HTTP/2.0\r\nHost: a'],
    ['garbage after the version', 'GET / HTTP/1.1x\r\nHost: a'],
    ['a blank before the colon', 'GET / HTTP/1.1\r\nHost : a'],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c'],
    ['a bare line feed in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c'],
    ['a bare carriage return in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c'],
    ['a NUL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: b\0'],
    ['a header without a name', 'GET / HTTP/1.1\r\nHost: a\r\n: b'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost: a\r\nX'],
    ['a second Host', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b'],
    ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b'],
    [
      'Content-Length beside Transfer-Encoding',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked',
    ],
    [
      'two Content-Lengths that differ',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2',
    ],
    [
      'two Content-Lengths that are equal',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1',
    ],
    ['a signed Content-Length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1'],
    ['a list as Content-Length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1'],
    ['an empty Content-Length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length:'],
    ['a coding beside chunked', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked'],
    [
      'chunked twice',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    ],
    ['Transfer-Encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked'],
    ['more than a hundred headers', `GET / HTTP/1.1\r\nHost: a${'\r\nX: y'.repeat(100)}`],
  ] as const)('%s', ([, text]) => {
    expect(isAccepted(text)).toBe(false);
  });

  test('nothing that is well formed', () => {
    expect(isAccepted(GOOD)).toBe(true);
    expect(isAccepted('OPTIONS * HTTP/1.1\r\nHost:')).toBe(true);
    expect(isAccepted('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked')).toBe(true);
  });
});

function isAccepted(text: string): boolean {
  const head = parseRequestHead(text);
  return head.ok && checkHost(head.value) === null && requestFraming(head.value).ok;
}

test.for([
  ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5', 'none'],
  ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5', 'none'],
  ['GET', 'HTTP/1.1 304 \r\nContent-Length: 5', 'none'],
  ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 5', 'length'],
  ['GET', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', 'chunked'],
  ['GET', 'HTTP/1.1 200', 'until-close'],
] as const)('the answer to %s with %j ends by %s', ([method, text, kind]) => {
  const head = parseResponseHead(text);
  if (!head.ok) throw new Error(head.error.message);
  expect(responseFraming(head.value, method)).toMatchObject({ ok: true, value: { kind } });
});

test.for([
  ['HTTP/1.1 200 OK', 200, 'OK'],
  ['HTTP/1.0 404 Not  Found ', 404, 'Not  Found '],
  ['HTTP/1.1 503 ', 503, ''],
  ['HTTP/1.1 503', 503, ''],
] as const)('the status line %j is understood', ([text, status, reason]) => {
  expect(parseResponseHead(text)).toMatchObject({ ok: true, value: { status, reason } });
});

test.for([
  'HTTP/2.0 200 OK',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 099 OK',
  'HTTP/1.1 1e2 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 200OK',
  'HTTP/1.1 200 O\nK',
  'HTTP/1.1 200\r',
  '',
])('the status line %j is refused', (text) => {
  expect(parseResponseHead(text).ok).toBe(false);
});

test('around a value only spaces and tabs are left out', () => {
  const head = parseResponseHead('HTTP/1.1 200 OK\r\nA: \t\u00a0x\u00a0 \t\r\nB:');
  expect(head).toMatchObject({ ok: true, value: { headers: ['a', '\u00a0x\u00a0', 'b', ''] } });
});

test('a connection is kept unless any of its Connection fields says close', () => {
  const keeps = (fields: string): boolean => {
    const head = parseResponseHead(`HTTP/1.1 200 OK${fields}`);
    return head.ok && keepsAlive(head.value);
  };
  expect(keeps('')).toBe(true);
  expect(keeps('\r\nConnection: Keep-Alive')).toBe(true);
  expect(keeps('\r\nConnection: foo, Close')).toBe(false);
  expect(keeps('\r\nConnection: keep-alive\r\nConnection: close')).toBe(false);
});

interface Seen {
  heads: string[];
  body: string;
  ends: number;
  problem: string | null;
}

function readInPieces(text: string, sizes: readonly number[]): Seen {
  const seen: Seen = { heads: [], body: '', ends: 0, problem: null };
  const reader = new MessageReader(parseRequestHead, {
    onHead: (head) => {
      seen.heads.push(`${head.method} ${head.target}`);
      return requestFraming(head);
    },
    onData: (chunk) => {
      seen.body += chunk.toString('latin1');
    },
    onEnd: () => {
      seen.ends += 1;
      queueNext();
    },
    onProblem: ({ message }) => {
      seen.problem = message;
    },
  });
  const queueNext = () => reader.next();
  const bytes = Buffer.from(text, 'latin1');
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    reader.push(bytes.subarray(at, at + size));
    at += size;
  }
  reader.finish();
  return seen;
}

const PIPELINED =
  'POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello' +
  'POST /two HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: z\r\n\r\n' +
  '\r\nGET /three HTTP/1.1\r\nHost: a\r\n\r\n';

test('messages read the same however the bytes are cut', () => {
  const whole = readInPieces(PIPELINED, [PIPELINED.length]);
  expect(whole).toEqual({
    heads: ['POST /one', 'POST /two', 'GET /three'],
    body: 'helloabc0123456789',
    ends: 3,
    problem: null,
  });
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(cuts, (sizes) => {
      expect(readInPieces(PIPELINED, sizes)).toEqual(whole);
    }),
    runs(100),
  );
});

test.for([
  ['a chunk longer than its size', '3\r\nabcd\r\n0\r\n\r\n'],
  ['a chunk size that is no number', 'x\r\n'],
  ['a negative chunk size', '-1\r\n'],
  ['a chunk size with blanks in front', ' 3\r\nabc\r\n'],
  ['a bare line feed after the size', '3\nabc\r\n'],
  ['a chunk size too large to count', 'fffffffffffff\r\n'],
  ['an endless chunk extension', `3;${'x'.repeat(400)}\r\n`],
  ['a bad trailer', '0\r\nX : y\r\n\r\n'],
  ['an end within a chunk', '5\r\nab'],
] as const)('a chunked body is refused for %s', ([, body]) => {
  const seen = readInPieces(
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
    [7],
  );
  expect(seen.problem).not.toBeNull();
  expect(seen.ends).toBe(0);
});

test('a head that never ends is refused when it is too large, not kept', () => {
  const seen = readInPieces(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(70_000)}`, [8192]);
  expect(seen.problem).toContain('head of more than');
});

test('no bytes at all make the reader throw', () => {
  const pieces = fc.array(
    fc.constantFrom(
      'GET / HTTP/1.1',
      '\r\n',
      'Host: a',
      '\0',
      ':',
      'a',
      ' ',
      '0',
      'Content-Length: 3',
      'Transfer-Encoding: chunked',
    ),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(pieces, (parts) => {
      expect(() => readInPieces(parts.join(''), [3])).not.toThrow();
    }),
    runs(100),
  );
});
