import { once } from 'node:events';
import { request } from 'node:http';
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { SPEAKS_HTTP2 } from '../../../../test/fixtures/static-proxy.ts';
import { Engine } from '../../../../test/fixtures/waypoint-engine.ts';

/** A host that takes one stream at a time, on the only connection that there may be. */

const engine = new Engine();
let host: Http2Server;
const waiting = new Map<string, ServerHttp2Stream>();

beforeAll(async () => {
  host = createServer({ settings: { maxConcurrentStreams: 1 } }).listen(0, '127.0.0.1');
  host.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    waiting.set(String(headers[':path']), stream);
    if (headers[':path'] === '/answered') stream.respond({ ':status': 200 }, { endStream: true });
  });
  await once(host, 'listening');
  await engine.listen();
  const { port } = host.address() as AddressInfo;
  const options = { ...SPEAKS_HTTP2, circuit_breakers: { thresholds: [{ max_connections: 1 }] } };
  const toHost = { cluster: 'host', timeout: '0s' };
  const nowhere = { cluster: 'nowhere', timeout: '0s' };
  const routes = [
    {
      match: { prefix: '/copied' },
      route: { ...nowhere, request_mirror_policies: [{ cluster: 'host' }] },
    },
    { match: { prefix: '/' }, route: toHost },
  ];
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  engine.configure(
    {
      host: { port, options },
      nowhere: { port: (silent.address() as AddressInfo).port, options: SPEAKS_HTTP2 },
    },
    { routes },
  );
});

afterAll(() => {
  engine.close();
  host.close();
});

function ask(path: string, method = 'GET') {
  const sent = request({ port: engine.port, host: '127.0.0.1', path, method, agent: false });
  sent.on('error', () => undefined);
  return sent;
}

async function answered(path: string): Promise<number> {
  const sent = ask(path).end();
  const [answer] = (await once(sent, 'response', { signal: AbortSignal.timeout(2_000) })) as [
    { readonly statusCode: number; resume(): void },
  ];
  answer.resume();
  return answer.statusCode;
}

test('a request that was answered before it had ended makes room for the one that waits', async () => {
  const upload = ask('/slow', 'POST');
  upload.write('a part of it');
  const stream = await eventually(() => waiting.get('/slow'), { what: 'the upload' });
  const second = answered('/answered');
  await delay(50);
  stream!.respond({ ':status': 200 });
  stream!.end();
  expect(await second).toBe(200);
  upload.destroy();
});

test('a copy whose request is given up makes room for the one that waits', async () => {
  const copied = ask('/copied', 'POST');
  copied.write('a part of it');
  await eventually(() => waiting.get('/copied'), { what: 'the copy' });
  const second = answered('/answered');
  await delay(50);
  copied.destroy();
  // Node's server counts a stream that was reset for a moment longer, and may refuse the next one.
  expect([200, 503]).toContain(await second);
});

test('a copy that the host gives up makes room for the one that waits', async () => {
  const copied = ask('/copied/again', 'POST');
  copied.write('a part of it');
  const stream = await eventually(() => waiting.get('/copied/again'), { what: 'the copy' });
  const second = answered('/answered');
  await delay(50);
  stream!.close(8);
  expect(await second).toBe(200);
  copied.destroy();
});
