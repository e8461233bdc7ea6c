import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import {
  httpBootstrap,
  type StaticProxy,
  startStaticProxy,
} from '../../../../test/fixtures/static-proxy.ts';

/** Whatever a route says, where messages end on the wire is the codec's own to say. */

const TRAP = 'čĊx-injected: 1čĊčĊ';
const REMOVED = ['content-length', 'transfer-encoding', 'connection', 'te', 'date', 'server'];
const added = [{ header: { key: 'x-added', value: TRAP } }];
const to = { cluster: 'origin', timeout: '0s' };

const ROUTES = [
  {
    match: { prefix: '/removed' },
    route: to,
    request_headers_to_remove: REMOVED,
    response_headers_to_remove: REMOVED,
  },
  {
    match: { prefix: '/local' },
    direct_response: { status: 200, body: { inline_string: 'grüße' } },
    response_headers_to_remove: REMOVED,
    response_headers_to_add: added,
  },
  {
    match: { prefix: '/added' },
    route: { ...to, host_rewrite_literal: TRAP },
    request_headers_to_add: added,
    response_headers_to_add: added,
  },
  {
    match: { prefix: '/rewritten' },
    route: { ...to, prefix_rewrite: `/a b HTTP/1.1${TRAP}` },
  },
  { match: { prefix: '/moved' }, redirect: { path_redirect: `/${TRAP}`, host_redirect: TRAP } },
];

let proxy: StaticProxy;
let origin: Server;
let seen = '';

beforeAll(async () => {
  origin = createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      seen += bytes.toString('latin1');
      text += bytes.toString('latin1');
      if (!text.endsWith('hello')) return;
      text = '';
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const originPort = (origin.address() as AddressInfo).port;
  proxy = await startStaticProxy('waypoint', (port) =>
    httpBootstrap({ origin: originPort }, [{ port, routes: ROUTES }]),
  );
}, 40_000);

afterAll(async () => {
  await proxy.stop();
  origin.close();
});

/** Two requests on one connection: the second answer begins where the first one says that it ends. */
async function askTwice(request: string): Promise<string> {
  seen = '';
  const socket = connect({ port: proxy.port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  socket.write(request + request);
  const isAnswered = () => text.match(/HTTP\/1\.1 \d/g)?.length === 2 && isWhole(text);
  await eventually(isAnswered, { intervalMs: 10, what: 'two answers' });
  socket.destroy();
  return text;
}

/** Reads two messages by what their heads say. */
function isWhole(text: string): boolean {
  let rest = text;
  for (let i = 0; i < 2; i++) {
    const bodyAt = rest.indexOf('\r\n\r\n') + 4;
    const head = rest.slice(0, bodyAt);
    if (bodyAt < 4 || !head.startsWith('HTTP/1.1 ')) return false;
    const length = /^content-length: (\d+)\r$/m.exec(head)?.[1];
    const isChunked = /^transfer-encoding: chunked\r$/m.test(head);
    if ((length === undefined) === !isChunked) return false;
    const end = isChunked ? rest.indexOf('0\r\n\r\n', bodyAt) + 5 : bodyAt + Number(length);
    rest = rest.slice(end);
  }
  return rest === '';
}

const post = (path: string) =>
  `POST ${path} HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello`;

test.for(['/removed', '/added', '/rewritten'])(
  'a host and a client read two messages where a route says %s',
  async (path) => {
    const answers = await askTwice(post(path));
    for (const text of [answers, seen]) expect(text).not.toMatch(/[\r\n]x-injected/);
    expect(seen.match(/POST \S+ HTTP\/1\.1\r\n/g)).toHaveLength(2);
    expect(seen.match(/content-length: 5\r\n/g)).toHaveLength(2);
  },
);

test.for(['/local', '/moved'])(
  'a client reads two answers from here where a route says %s',
  async (path) => {
    const answers = await askTwice(`GET ${path} HTTP/1.1\r\nHost: shop\r\n\r\n`);
    expect(answers).not.toMatch(/[\r\n]x-injected/);
  },
);
