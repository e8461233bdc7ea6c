import type { Fields } from './l7-differential/hpack.ts';

/** Messages of which two readers could make different requests. */

export interface Http1Attempt {
  readonly what: string;
  readonly bytes: string;
  /** Requests that reach the origin, as method and target. */
  readonly reaches: readonly string[];
}

export interface Http2Attempt {
  readonly what: string;
  readonly fields: Fields;
  readonly body: string | null;
  readonly trailers?: Fields;
  readonly reaches: readonly string[];
}

/** What is to be smuggled: a request that the policy denies. */
const HIDDEN = 'GET /admin HTTP/1.1\r\nHost: shop.test\r\nX: y\r\n\r\n';
const SIZE = HIDDEN.length;

function request(line: string, headers: readonly string[], body = ''): string {
  return `${line}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n${body}`;
}

function post(headers: readonly string[], body: string): string {
  return request('POST /items HTTP/1.1', ['Host: shop.test', ...headers], body);
}

function get(target: string, ...headers: readonly string[]): string {
  return request(`GET ${target} HTTP/1.1`, ['Host: shop.test', ...headers]);
}

const CHUNKED = 'Transfer-Encoding: chunked';
const EMPTY_CHUNKS = `0\r\n\r\n${HIDDEN}`;
/** The hidden request as one chunk. */
const IN_CHUNK = `${SIZE.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;

const ITEMS = ['POST /items'];
const NONE: readonly string[] = [];

type Row = readonly [what: string, bytes: string, reaches: readonly string[]];

const HTTP1: readonly Row[] = [
  ['a body that looks like a request', post([`Content-Length: ${SIZE}`], HIDDEN), ITEMS],
  ['a chunk that looks like a request', post([CHUNKED], IN_CHUNK), ITEMS],
  ['a denied request behind one that is not', `${get('/items')}${HIDDEN}`, ['GET /items']],
  ['length and coding', post([`Content-Length: ${SIZE + 5}`, CHUNKED], EMPTY_CHUNKS), NONE],
  ['coding and length', post([CHUNKED, 'Content-Length: 4'], IN_CHUNK), NONE],
  ['a length of nothing and coding', post(['Content-Length: 0', CHUNKED], IN_CHUNK), NONE],
  ['two lengths', post(['Content-Length: 0', `Content-Length: ${SIZE}`], HIDDEN), NONE],
  ['two lengths in one field', post([`Content-Length: 0, ${SIZE}`], HIDDEN), NONE],
  ['a length with a sign', post([`Content-Length: +${SIZE}`], HIDDEN), NONE],
  ['a length below nothing', post(['Content-Length: -1'], HIDDEN), NONE],
  ['a length in hexadecimal', post([`Content-Length: 0x${SIZE.toString(16)}`], HIDDEN), NONE],
  ['a length with a blank in it', post(['Content-Length: 1 0'], HIDDEN), NONE],
  ['a length that is too large', post(['Content-Length: 18446744073709551617'], 'a'), NONE],
  ['a length without value', post(['Content-Length: '], HIDDEN), NONE],
  ['a blank before the colon of a length', post([`Content-Length : ${SIZE}`], HIDDEN), NONE],
  ['a blank before the colon of a coding', post(['Transfer-Encoding : chunked'], IN_CHUNK), NONE],
  ['a coding that is not known', post(['Transfer-Encoding: xchunked'], IN_CHUNK), NONE],
  ['a coding behind chunked', post(['Transfer-Encoding: chunked, identity'], IN_CHUNK), NONE],
  ['chunked twice', post([CHUNKED, CHUNKED], IN_CHUNK), NONE],
  ['a coding before chunked', post(['Transfer-Encoding: identity, chunked'], IN_CHUNK), NONE],
  ['a quoted coding', post(['Transfer-Encoding: "chunked"'], IN_CHUNK), NONE],
  ['a coding behind a vertical tab', post(['Transfer-Encoding: \x0bchunked'], IN_CHUNK), NONE],
  ['a coding behind a tab', post(['Transfer-Encoding:\tchunked'], IN_CHUNK), ITEMS],
  ['a coding in capitals', post(['TRANSFER-ENCODING: CHUNKED'], IN_CHUNK), ITEMS],
  ['a coding on a folded line', post(['Transfer-Encoding:', ' chunked'], IN_CHUNK), NONE],
  ['a length on a folded line', post(['Content-Length: 1', ' 0'], HIDDEN), NONE],
  ['a field that is folded', post(['X: a', ' b', 'Content-Length: 0'], ''), NONE],
  ['a first field behind a blank', post([' X: a', 'Content-Length: 0'], ''), NONE],
  ['a field without a colon', post(['X', 'Content-Length: 0'], ''), NONE],
  ['a field without a name', post([': x', 'Content-Length: 0'], ''), NONE],
  ['bare line feeds', 'GET /items HTTP/1.1\nHost: shop.test\n\n', NONE],
  ['a bare line feed between fields', 'GET /items HTTP/1.1\r\nHost: shop.test\nX: y\r\n\r\n', NONE],
  ['a bare carriage return in a value', get('/items', 'X: a\rContent-Length: 5'), NONE],
  ['a NUL in a value', get('/items', 'X: a\0b'), NONE],
  ['a chunk extension', post([CHUNKED], '2;a=b\r\nhi\r\n0\r\n\r\n'), ITEMS],
  ['a chunk extension with a line feed', post([CHUNKED], `2;\nhi\r\n0\r\n\r\n${HIDDEN}`), NONE],
  ['a chunk size with zeros', post([CHUNKED], '0002\r\nhi\r\n0\r\n\r\n'), ITEMS],
  ['a chunk size with a prefix', post([CHUNKED], `0x2\r\nhi\r\n${EMPTY_CHUNKS}`), NONE],
  ['a chunk size that is too large', post([CHUNKED], `100000000000000002\r\nhi\r\n`), NONE],
  ['a chunk size below nothing', post([CHUNKED], `-2\r\nhi\r\n${EMPTY_CHUNKS}`), NONE],
  ['a chunk size without digits', post([CHUNKED], `\r\nhi\r\n${EMPTY_CHUNKS}`), NONE],
  ['a blank before a chunk size', post([CHUNKED], ` 2\r\nhi\r\n0\r\n\r\n`), NONE],
  ['a chunk that is longer than its size', post([CHUNKED], `2\r\nhixx\r\n${EMPTY_CHUNKS}`), NONE],
  ['a chunk that ends in a line feed', post([CHUNKED], `2\r\nhi\n${EMPTY_CHUNKS}`), NONE],
  [
    'trailers that frame',
    post([CHUNKED], `0\r\nContent-Length: ${SIZE}\r\nTransfer-Encoding: chunked\r\n\r\n`),
    ITEMS,
  ],
  ['a trailer with a host', post([CHUNKED], '0\r\nHost: other.test\r\n\r\n'), ITEMS],
  ['a GET with a body', `${get('/items', `Content-Length: ${SIZE}`)}${HIDDEN}`, ['GET /items']],
  [
    'Connection that names the length',
    post(['Connection: content-length', `Content-Length: ${SIZE}`], HIDDEN),
    ITEMS,
  ],
  [
    'Connection that names the coding',
    post(['Connection: transfer-encoding', CHUNKED], IN_CHUNK),
    ITEMS,
  ],
  ['Connection that names the host', get('/items', 'Connection: host'), NONE],
  [
    'an upgrade to h2c',
    `${get('/items', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk')}`,
    ['GET /items'],
  ],
  [
    'an upgrade that hides a request',
    `${get('/items', 'Connection: Upgrade', 'Upgrade: websocket')}${HIDDEN}`,
    ['GET /items'],
  ],
  [
    'an upgrade with a body',
    `${get('/items', 'Connection: Upgrade', 'Upgrade: websocket', `Content-Length: ${SIZE}`)}${HIDDEN}`,
    NONE,
  ],
  ['an upgrade that is not known', get('/items', 'Connection: Upgrade', 'Upgrade: TLS/1.0'), NONE],
  ['CONNECT', `CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test\r\n\r\n${HIDDEN}`, NONE],
  ['two hosts', get('/items', 'Host: other.test'), NONE],
  ['no host', 'GET /items HTTP/1.1\r\n\r\n', NONE],
  ['a host with a path', request('GET /items HTTP/1.1', ['Host: shop.test/admin']), NONE],
  ['an absolute target', get('http://shop.test/items'), ['GET /items']],
  ['an absolute target that is denied', get('http://shop.test/admin'), NONE],
  ['an absolute target of another host', get('http://other.test/admin'), NONE],
  ['a target with a line in it', get('/items HTTP/1.1\r\nX: /admin'), ['GET /items']],
  ['a target with blanks', 'GET /items /admin HTTP/1.1\r\nHost: shop.test\r\n\r\n', NONE],
  ['HTTP/0.9', 'GET /admin\r\n', NONE],
  ['HTTP/1.0 that stays', request('GET /items HTTP/1.0', ['Connection: keep-alive']), NONE],
  ['a version that is not known', request('GET /items HTTP/1.9', ['Host: shop.test']), NONE],
  ['a method with a control character', 'G\x01T /items HTTP/1.1\r\nHost: shop.test\r\n\r\n', NONE],
  ['empty lines before a request', `\r\n\r\n${get('/items')}`, ['GET /items']],
  [
    'Expect with a body that is sent at once',
    post(['Expect: 100-continue', `Content-Length: ${SIZE}`], HIDDEN),
    ITEMS,
  ],
];

export const HTTP1_ATTEMPTS: readonly Http1Attempt[] = HTTP1.map(([what, bytes, reaches]) => ({
  what,
  bytes,
  reaches,
}));

function pseudo(method: string, path: string, ...fields: readonly string[]): Fields {
  return [
    ...[':method', method, ':scheme', 'http', ':authority', 'shop.test', ':path', path],
    ...fields,
  ];
}

const GET_ITEMS = pseudo('GET', '/items');
const POST_ITEMS = pseudo('POST', '/items');

export const HTTP2_ATTEMPTS: readonly Http2Attempt[] = [
  { what: 'a plain request', fields: GET_ITEMS, body: null, reaches: ['GET /items'] },
  { what: 'a body like a request', fields: POST_ITEMS, body: HIDDEN, reaches: ITEMS },
  {
    what: 'a length that is too small',
    fields: [...POST_ITEMS, 'content-length', '0'],
    body: HIDDEN,
    // Whole as its head was, it has not left when the first byte too many is read.
    reaches: NONE,
  },
  {
    what: 'a length that is too large',
    fields: [...POST_ITEMS, 'content-length', String(SIZE + 1)],
    body: HIDDEN,
    reaches: NONE,
  },
  {
    what: 'two lengths',
    fields: [...POST_ITEMS, 'content-length', '0', 'content-length', String(SIZE)],
    body: HIDDEN,
    reaches: NONE,
  },
  {
    what: 'a coding',
    fields: [...POST_ITEMS, 'transfer-encoding', 'chunked'],
    body: EMPTY_CHUNKS,
    reaches: NONE,
  },
  {
    what: 'a line in a value',
    fields: [...GET_ITEMS, 'x', `a\r\n\r\n${HIDDEN}`],
    body: null,
    reaches: NONE,
  },
  {
    what: 'a line feed in a value',
    fields: [...GET_ITEMS, 'x', 'a\ntransfer-encoding: chunked'],
    body: null,
    reaches: NONE,
  },
  {
    what: 'a line in a name',
    fields: [...GET_ITEMS, 'x: a\r\ny', 'b'],
    body: null,
    reaches: NONE,
  },
  { what: 'a colon in a name', fields: [...GET_ITEMS, 'x:y', 'b'], body: null, reaches: NONE },
  { what: 'capitals in a name', fields: [...GET_ITEMS, 'X', 'b'], body: null, reaches: NONE },
  {
    what: 'a line in the path',
    fields: pseudo('GET', `/items HTTP/1.1\r\nHost: shop.test\r\n\r\n${HIDDEN}`),
    body: null,
    reaches: NONE,
  },
  {
    what: 'a blank in the path',
    fields: pseudo('GET', '/items /admin'),
    body: null,
    reaches: NONE,
  },
  {
    what: 'a line in the method',
    fields: pseudo('GET /admin HTTP/1.1\r\n\r\nGET', '/items'),
    body: null,
    reaches: NONE,
  },
  {
    what: 'a blank in the method',
    fields: pseudo('GET /admin', '/items'),
    body: null,
    reaches: NONE,
  },
  {
    what: 'a line in the authority',
    fields: [':method', 'GET', ':scheme', 'http', ':authority', 'a\r\nX: y', ':path', '/items'],
    body: null,
    reaches: NONE,
  },
  {
    what: 'another host beside the authority',
    fields: [...GET_ITEMS, 'host', 'other.test'],
    body: null,
    reaches: ['GET /items'],
  },
  { what: 'two paths', fields: [...GET_ITEMS, ':path', '/admin'], body: null, reaches: NONE },
  {
    what: 'a path behind fields',
    fields: [':method', 'GET', ':scheme', 'http', ':authority', 'a', 'x', 'y', ':path', '/items'],
    body: null,
    reaches: NONE,
  },
  { what: 'no path', fields: GET_ITEMS.slice(0, 6), body: null, reaches: NONE },
  { what: 'a denied path', fields: pseudo('GET', '/admin'), body: null, reaches: NONE },
  {
    what: 'an absolute path',
    fields: pseudo('GET', 'http://shop.test/admin'),
    body: null,
    reaches: NONE,
  },
  {
    what: 'Connection',
    fields: [...GET_ITEMS, 'connection', 'x-mine'],
    body: null,
    reaches: NONE,
  },
  {
    what: 'an upgrade',
    fields: [...GET_ITEMS, 'upgrade', 'websocket'],
    body: null,
    reaches: NONE,
  },
  {
    what: 'trailers that frame',
    fields: POST_ITEMS,
    body: 'hi',
    trailers: ['content-length', '0', 'x', 'y'],
    reaches: ITEMS,
  },
  {
    what: 'trailers with a coding',
    fields: POST_ITEMS,
    body: 'hi',
    trailers: ['transfer-encoding', 'chunked'],
    reaches: NONE,
  },
  {
    what: 'trailers with a path',
    fields: POST_ITEMS,
    body: 'hi',
    trailers: [':path', '/admin'],
    reaches: NONE,
  },
  {
    what: 'CONNECT with a hidden request',
    fields: [':method', 'CONNECT', ':authority', 'shop.test:80'],
    body: HIDDEN,
    reaches: NONE,
  },
];
