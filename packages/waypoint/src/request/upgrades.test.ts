import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import {
  httpBootstrap,
  type StaticProxy,
  startStaticProxy,
} from '../../../../test/fixtures/static-proxy.ts';

/** A host reads what follows an upgrade as whatever it agreed to: another request, if it did not agree. */

const UPGRADE = 'Host: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: shop\r\n\r\n';

let proxy: StaticProxy;
let origin: Server;
let seen = '';
let answerHead: (socket: Socket) => void = () => undefined;

beforeAll(async () => {
  origin = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const before = seen;
      seen += bytes.toString('latin1');
      if (!before.includes('\r\n\r\n') && seen.includes('\r\n\r\n')) answerHead(socket);
    });
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const originPort = (origin.address() as AddressInfo).port;
  const routes = [
    { match: { prefix: '/limited' }, route: { cluster: 'origin', timeout: '0.3s' } },
    { match: { prefix: '/' }, route: { cluster: 'origin', timeout: '0s' } },
  ];
  const manager = { upgrade_configs: [{ upgrade_type: 'websocket' }] };
  proxy = await startStaticProxy('waypoint', (port) =>
    httpBootstrap({ origin: originPort }, [{ port, routes, manager }]),
  );
}, 40_000);

afterAll(async () => {
  await proxy.stop();
  origin.close();
});

/** Sends a request with bytes behind it; returns what comes back until `isEnough`. */
async function send(
  head: string,
  behind: string,
  isEnough: (answer: string) => boolean,
): Promise<string> {
  seen = '';
  const socket = connect({ port: proxy.port, host: '127.0.0.1' });
  let answer = '';
  socket.on('data', (bytes) => {
    answer += bytes.toString('latin1');
  });
  socket.write(`${head}\r\n${behind}`, 'latin1');
  await eventually(() => isEnough(answer), { intervalMs: 10, what: 'the answer' });
  socket.destroy();
  return answer;
}

test('what a client sends behind an upgrade does not reach a host that refuses it', async () => {
  answerHead = (socket) => {
    const answer = 'HTTP/1.1 400 No\r\ncontent-length: 2\r\n\r\nno';
    // Long enough for bytes that had been passed on to arrive.
    setTimeout(() => socket.write(answer), 50);
  };
  const answer = await send(`GET / HTTP/1.1\r\n${UPGRADE}`, HIDDEN, (text) => text.endsWith('no'));
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(seen).toMatch(/^GET \/ /);
  expect(seen).not.toContain('hidden');
});

test('what a client sends behind an upgrade reaches a host once it has agreed', async () => {
  answerHead = (socket) =>
    socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello');
  const answer = await send(
    `GET / HTTP/1.1\r\n${UPGRADE}`,
    'early',
    (text) => text.endsWith('hello') && seen.endsWith('early'),
  );
  expect(answer).toMatch(/^HTTP\/1.1 101 /);
});

test('a connection that was upgraded lasts, also when the client has said all it had to say', async () => {
  answerHead = (socket) => {
    socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.once('end', () => setTimeout(() => socket.end('later'), 1_000));
  };
  seen = '';
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write(`GET /limited HTTP/1.1\r\n${UPGRADE}\r\n`, 'latin1');
  await once(socket, 'readable');
  socket.end();
  expect(await text(socket)).toMatch(/^HTTP\/1.1 101 [\s\S]*later$/);
});

test.for(['Content-Length: 5', 'Transfer-Encoding: chunked'])(
  'an upgrade with a body (%s) is refused, and reaches no host',
  async (framing) => {
    const head = `POST / HTTP/1.1\r\n${UPGRADE}${framing}\r\n`;
    const answer = await send(head, `5\r\nhello\r\n0\r\n\r\n${HIDDEN}`, (text) => text !== '');
    expect(answer).toMatch(/^HTTP\/1.1 403 [\s\S]*connection: close/);
    expect(seen).toBe('');
  },
);
