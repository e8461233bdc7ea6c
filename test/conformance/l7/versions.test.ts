import { once } from 'node:events';
import { createServer as createHttp1Server } from 'node:http';
import {
  type ClientHttp2Stream,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startOrigin } from '../../fixtures/echo-origin.ts';
import { SPEAKS_AS_CLIENT, SPEAKS_HTTP2 } from '../../fixtures/static-proxy.ts';
import { serveEngine, toOrigin } from './engine.ts';

/** Versions of HTTP on either side, in the Envoy configuration that says them. */

/** Answers with the version that it is asked in, which its first bytes say. */
async function startBilingual(): Promise<number> {
  const http1 = createHttp1Server((_request, response) => response.end('1.1'));
  const http2 = createHttp2Server((_request, response) => response.end('2.0'));
  const ports = await Promise.all([listen(http1), listen(http2)]);
  const server = createServer((socket) => {
    socket.once('data', (bytes: Buffer) => {
      const port = ports[bytes.toString('latin1').startsWith('PRI ') ? 1 : 0];
      const inner = connect({ port, host: '127.0.0.1' });
      inner.write(bytes);
      inner.pipe(socket).pipe(inner);
      for (const end of [inner, socket]) {
        end.on('error', () => end.destroy());
        onTestFinished(() => void end.destroy());
      }
    });
  });
  return listen(server);
}

/** On a free port; closed when the test ends. */
async function listen(server: Server | Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('an origin is spoken to', () => {
  test('in the version of the client, where the cluster says so (L029)', async () => {
    const { ask, askHttp2 } = await serveEngine({
      clusters: { both: { port: await startBilingual(), options: SPEAKS_AS_CLIENT } },
      routes: [{ match: { prefix: '/' }, route: { cluster: 'both', timeout: '0s' } }],
    });
    expect((await ask('/')).body).toBe('1.1');
    expect((await askHttp2('/')).body).toBe('2.0');
  });

  test('in HTTP/1.1 where nothing is said (L030)', async () => {
    const { ask, askHttp2 } = await serveEngine({ routes: [toOrigin()] });
    expect((await ask('/')).seen?.version).toBe('1.1');
    expect((await askHttp2('/')).seen?.version).toBe('1.1');
  });

  test('in HTTP/2 where the cluster says so (L182), be it one of several (L183)', async () => {
    const http2 = await startOrigin('http2', { version: '2.0' });
    const { ask } = await serveEngine({
      clusters: { subset: { port: http2.port, options: SPEAKS_HTTP2 } },
      routes: [
        { match: { prefix: '/subset' }, route: { cluster: 'subset', timeout: '0s' } },
        toOrigin(),
      ],
    });
    expect((await ask('/subset')).seen).toMatchObject({ origin: 'http2', version: '2.0' });
    expect((await ask('/')).seen).toMatchObject({ origin: 'origin', version: '1.1' });
  });
});

test('HTTP/1.0 is told to upgrade at a port of HTTP (L031)', async () => {
  const { askRaw, origin } = await serveEngine({ routes: [toOrigin()] });
  const answer = await askRaw('GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
  expect(origin.seen).toEqual([]);
});

describe('an upgrade', () => {
  const WEBSOCKETS = {
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    http2_protocol_options: { allow_connect: true },
  };

  async function startEcho(): Promise<number> {
    const server = createHttp1Server();
    server.on('upgrade', (_request, socket: Socket) => {
      socket.on('error', () => socket.destroy());
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      );
      socket.on('data', (bytes: Buffer) => socket.write(`echo ${String(bytes)}`));
      onTestFinished(() => void socket.destroy());
    });
    return listen(server);
  }

  test('to WebSocket over HTTP/2 is an extended CONNECT, and its bytes pass (L171)', async () => {
    const { engine } = await serveEngine({
      clusters: { echo: await startEcho() },
      routes: [{ match: { prefix: '/' }, route: { cluster: 'echo', timeout: '0s' } }],
      manager: WEBSOCKETS,
    });
    const session = connectHttp2(`http://127.0.0.1:${engine.port}`);
    onTestFinished(() => session.destroy());
    await once(session, 'remoteSettings');
    const stream: ClientHttp2Stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':authority': 'shop.test',
      ':path': '/chat',
      'sec-websocket-version': '13',
    });
    const [told] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    expect(told[':status']).toBe(200);
    for (const message of ['one', 'two']) {
      stream.write(message);
      const [bytes] = (await once(stream, 'data')) as [Buffer];
      expect(String(bytes)).toBe(`echo ${message}`);
    }
  });

  test('to anything else is refused (L197)', async () => {
    const { askRaw, engine, origin } = await serveEngine({
      routes: [toOrigin()],
      manager: WEBSOCKETS,
    });
    const answer = await askRaw(
      'GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(engine.lines).toEqual(['403 - upgrade_failed\n']);
    expect(origin.seen).toEqual([]);
  });
});
