import { describe, expect, test } from 'vitest';
import { frameAnswer, frameRequest, requestHead } from './heads.ts';

const none = { kind: 'none' } as const;
const chunked = { kind: 'chunked' } as const;

describe('a request says how long it is, whatever fields it is given', () => {
  test.for([
    { method: 'GET', body: 0, headers: [], said: [], framing: none },
    { method: 'POST', body: 0, headers: [], said: ['content-length', '0'], framing: none },
    {
      method: 'POST',
      body: 7,
      headers: ['content-length', '9', 'transfer-encoding', 'chunked'],
      said: ['content-length', '7'],
      framing: { kind: 'length', bytes: 7 },
    },
    {
      method: 'PUT',
      body: null,
      headers: ['content-length', '9', 'transfer-encoding', 'gzip'],
      said: ['transfer-encoding', 'chunked'],
      framing: chunked,
    },
  ])('$method with $body bytes and $headers', ({ method, body, headers, said, framing }) => {
    const list = [...headers];
    const head = { method, scheme: null, authority: 'a', path: '/', headers: list };
    expect(frameRequest(head, body, false)).toEqual(framing);
    expect(list).toEqual(said);
    // A request that is sent once more says the same.
    expect(frameRequest(head, body, false)).toEqual(framing);
    expect(list).toEqual(said);
  });
});

describe('an answer is framed by its status, its method and what is known of its body', () => {
  test.for([
    {
      status: 200,
      method: 'GET',
      body: 0,
      headers: [],
      said: ['content-length', '0'],
      framing: none,
    },
    {
      status: 200,
      method: 'HEAD',
      body: 0,
      headers: ['content-length', '9'],
      said: ['content-length', '9'],
      framing: none,
    },
    {
      status: 200,
      method: 'HEAD',
      body: 0,
      headers: [],
      said: ['transfer-encoding', 'chunked'],
      framing: none,
    },
    {
      status: 200,
      method: 'GET',
      body: null,
      headers: [],
      said: ['transfer-encoding', 'chunked'],
      framing: chunked,
    },
    {
      status: 200,
      method: 'GET',
      body: 5,
      headers: [],
      said: ['transfer-encoding', 'chunked'],
      framing: chunked,
    },
    {
      status: 200,
      method: 'GET',
      body: 5,
      headers: ['content-length', '5'],
      said: ['content-length', '5'],
      framing: { kind: 'length', bytes: 5 },
    },
    {
      status: 204,
      method: 'GET',
      body: 0,
      headers: ['content-length', '0'],
      said: [],
      framing: none,
    },
    {
      status: 304,
      method: 'GET',
      body: 0,
      headers: ['content-length', '9'],
      said: ['content-length', '9'],
      framing: none,
    },
  ])('$status to $method with $body bytes and $headers', (answer) => {
    const { status, method, body, headers, said, framing } = answer;
    const list = [...headers];
    expect(frameAnswer({ status, headers: list }, body, method)).toEqual(framing);
    expect(list).toEqual(said);
  });
});

test.for([
  { target: '/a?b', host: 'h.test', authority: 'h.test', path: '/a?b', scheme: null },
  {
    target: 'http://x.test:8080?q',
    host: 'h.test',
    authority: 'x.test:8080',
    path: '?q',
    scheme: 'http',
  },
  { target: 'HTTPS://u@x.test', host: 'h.test', authority: 'x.test', path: '/', scheme: 'https' },
  { target: '*', host: 'h.test', authority: 'h.test', path: '*', scheme: null },
  { target: '/', host: null, authority: null, path: '/', scheme: null },
])(
  'a request for $target of $host is for $authority',
  ({ target, host, authority, path, scheme }) => {
    const headers = ['x-a', '1', ...(host === null ? [] : ['host', host]), 'x-b', '2'];
    const head = requestHead({ method: 'GET', target, minorVersion: 1, headers });
    expect(head).toMatchObject({ authority, path, scheme, headers: ['x-a', '1', 'x-b', '2'] });
  },
);

test('a host that is named as a field of this hop is not passed on', () => {
  const headers = ['host', 'a.test', 'connection', 'close, Host'];
  const raw = { method: 'GET', target: '/', minorVersion: 1, headers } as const;
  expect(requestHead(raw).authority).toBe(null);
});
