import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import {
  accessLog,
  httpBootstrap,
  startStaticProxy,
} from '../../../../test/fixtures/static-proxy.ts';

const ACCESS_LOG = accessLog('%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n');

test.for([
  ['one try', { retry_policy: { retry_on: '5xx', num_retries: 1, per_try_timeout: '0.5s' } }],
  ['all of it', { timeout: '0.5s' }],
] as const)(
  'the time that a route allows for %s does not run while a client sends',
  async ([, limit]) => {
    const origin = createHttpServer((request, response) => {
      void text(request).then((body) => response.end(`${body.length} bytes`));
    }).listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const { port } = origin.address() as AddressInfo;
    const route = { cluster: 'origin', timeout: '0s', ...limit };
    const proxy = await startStaticProxy('waypoint', (listen) =>
      httpBootstrap({ origin: port }, [
        { port: listen, routes: [{ match: { prefix: '/' }, route }] },
      ]),
    );
    onTestFinished(async () => {
      await proxy.stop();
      origin.close();
    });
    const client = connect({ port: proxy.port, host: '127.0.0.1' });
    client.write(
      'POST / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\nContent-Length: 6\r\n\r\none',
    );
    await delay(1_200);
    client.write('two');
    expect(await text(client)).toMatch(/ 200 OK[\s\S]*6 bytes/);
  },
);

test('an answer that takes longer than its route allows is cut, and recorded as that', async () => {
  const origin = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly the beginning');
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const { port } = origin.address() as AddressInfo;
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'origin', timeout: '0.3s' } }];
  const proxy = await startStaticProxy('waypoint', (listen) =>
    httpBootstrap({ origin: port }, [
      { port: listen, routes, manager: { access_log: [ACCESS_LOG] } },
    ]),
  );
  onTestFinished(async () => {
    await proxy.stop();
    origin.close();
  });
  const client = connect({ port: proxy.port, host: '127.0.0.1' });
  client.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await expect(text(client)).rejects.toThrow('ECONNRESET');
  const lines = await eventually(() => readFileSync(proxy.logFile, 'utf8') || null);
  expect(lines).toBe('200 UT response_timeout\n');
});
