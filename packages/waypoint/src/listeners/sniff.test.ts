import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { classify, classifyDeclared, sniffProtocol } from './sniff.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Bytes that are nearly something. */
const nearly = fc
  .array(
    fc.constantFrom(
      'GET',
      'PRI',
      ' ',
      '*',
      '/a?b',
      'HTTP/1.1',
      'HTTP/2.0',
      '\r\n',
      'SM',
      '\0',
      'x',
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((words) => bytes(words.join('')));

describe('at a port whose protocol is not declared', () => {
  test.for([
    ['GET / HTTP/1.1\r\n', 'HTTP/1.1'],
    ['M-SEARCH * HTTP/1.1\n', 'HTTP/1.1'],
    ['PURGE /caf\xe9 HTTP/1.1\r\nHost', 'HTTP/1.1'],
    ['GET / HTTP/1.0\r\n', 'tcp'],
    ['GET / HTTP/1.2\r\n', 'tcp'],
    ['GET /\r\n', 'tcp'],
    ['GET  / HTTP/1.1\r\n', 'tcp'],
    ['GET / HTTP/1.1 \r\n', 'tcp'],
    ['\r\nGET / HTTP/1.1\r\n', 'tcp'],
    ['CONNECT {"verbose":false}\r\n', 'tcp'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'HTTP/2'],
    ['\x16\x03\x01', 'tcp'],
    ['\0', 'tcp'],
    [`${'A'.repeat(33)}`, 'tcp'],
    ['G', null],
    ['GET /a', null],
    ['GET /a HTTP/1.1', null],
    ['', null],
  ])('%j is %s', ([text, protocol]) => {
    expect(classify(bytes(text!))).toBe(protocol);
  });
});

test.for([
  ['not declared', classify],
  ['declared as HTTP', classifyDeclared],
] as const)(
  'at a port that is %s, what bytes are does not depend on where they are cut',
  ([, tell]) => {
    fc.assert(
      fc.property(nearly, (whole) => {
        const prefixes = Array.from({ length: whole.length + 1 }, (_, i) => whole.subarray(0, i));
        const first = prefixes.map(tell).find((protocol) => protocol !== null) ?? null;
        expect(tell(whole)).toBe(first);
      }),
      runs(2000),
    );
  },
);

test.for([
  ['has said nothing', ''],
  ['has begun a preface of HTTP/2', 'PRI * HT'],
])('a client that %s is waited for, but not for ever', async ([, said]) => {
  const stream = new PassThrough();
  if (said !== '') stream.write(said!);
  const patience = said === '' ? { silentMs: 20, begunMs: 1e6 } : { silentMs: 1e6, begunMs: 20 };
  const { protocol } = await sniffProtocol(stream, classifyDeclared, patience);
  expect(protocol).toBe('tcp');
});
