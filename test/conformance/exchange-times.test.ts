import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import {
  DEFAULT_SERVER_TIMES,
  Http1ServerConnection,
  Http2Connection,
  type HttpError,
  type ServerExchange,
  type ServerTimes,
} from '@aquifer/http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FaultPeer } from '../fixtures/http2-fault-peer.ts';

const LIMITS = {
  streamWindowBytes: 65_535,
  maxStreamWindowBytes: 65_535,
  windowGrowthBytes: 0,
  connectionWindowBytes: 65_535,
  maxFrameBytes: 16_384,
  maxHeaderListBytes: 16_384,
  maxConcurrentStreams: 100,
};
const GET = [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '/'];
const POST = [':method', 'POST', ...GET.slice(2)];
const HEADERS = 1;
const END_STREAM_AND_HEADERS = 5;
const END_HEADERS = 4;

/** A server whose requests are never answered; what it hears of them. */
async function serve(version: 1 | 2, times: Partial<ServerTimes>) {
  const errors: (HttpError | null)[] = [];
  const onRequest = (exchange: ServerExchange): void => {
    exchange.receive({
      onData: () => undefined,
      onEnd: () => undefined,
      onDrain: () => undefined,
      onClose: (error) => void errors.push(error),
    });
  };
  const options = {
    onRequest,
    onProblem: () => undefined,
    onClose: () => undefined,
    times: { ...DEFAULT_SERVER_TIMES, ...times },
  };
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    if (version === 1) new Http1ServerConnection(socket, options);
    else new Http2Connection(socket, { role: 'server', limits: LIMITS, ...options });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, errors };
}

async function readAll(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'end');
  socket.destroy();
  return text;
}

describe('a server of HTTP/1.1 waits only so long', () => {
  test('for the end of a head that has begun', async () => {
    const { port } = await serve(1, { headMs: 500 });
    expect(await readAll(port, 'GET / HTTP/1.1\r\nHost:')).toMatch(/^HTTP\/1.1 408 /);
  });

  test('for the rest of a request', async () => {
    const { port, errors } = await serve(1, { requestMs: 500 });
    const upload = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nsome';
    expect(await readAll(port, upload)).toMatch(/^HTTP\/1.1 408 [\s\S]*connection: close/);
    expect(errors[0]).toMatchObject({
      kind: 'silent',
      answered: { problem: { details: 'request_overall_timeout' } },
    });
  });

  test('for anything to move', async () => {
    const { port, errors } = await serve(1, { exchangeIdleMs: 500 });
    expect(await readAll(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1.1 408 /);
    expect(errors[0]).toMatchObject({ answered: { problem: { details: 'stream_idle_timeout' } } });
  });

  test('for a request', async () => {
    const { port } = await serve(1, { connectionIdleMs: 500 });
    expect(await readAll(port, '')).toBe('');
  });
});

describe('a server of HTTP/2 waits only so long', () => {
  test('for the end of a header block, and for the first SETTINGS', async () => {
    const { port } = await serve(2, { headMs: 500 });
    const peer = new FaultPeer(port).greet();
    peer.headers(1, GET, 1);
    const silent = new FaultPeer(port);
    await expect.poll(() => peer.isClosed && silent.isClosed, { timeout: 10_000 }).toBe(true);
    expect(await peer.goAway()).toBe('ENHANCE_YOUR_CALM');
  });

  test('for the rest of a request, and its neighbours go on', async () => {
    const { port, errors } = await serve(2, { requestMs: 500 });
    const peer = new FaultPeer(port).greet();
    peer.headers(1, POST, END_HEADERS).headers(3, GET, END_STREAM_AND_HEADERS);
    expect(await peer.reset(1)).toBe('NO_ERROR');
    expect((await peer.find(HEADERS, 1)).flags & 1).toBe(1);
    expect(errors).toMatchObject([{ kind: 'silent', scope: 'exchange' }]);
  });

  test('for anything to move', async () => {
    const { port, errors } = await serve(2, { exchangeIdleMs: 500 });
    const peer = new FaultPeer(port).greet();
    peer.headers(1, GET, END_STREAM_AND_HEADERS);
    // 408, which needs no reset: both sides have ended with it.
    expect((await peer.find(HEADERS, 1)).flags & 1).toBe(1);
    expect(await peer.isAlive()).toBe(true);
    expect(errors).toMatchObject([{ answered: { problem: { status: 408 } } }]);
  });

  test('for a request', async () => {
    const { port } = await serve(2, { connectionIdleMs: 500 });
    const peer = new FaultPeer(port).greet();
    await expect.poll(() => peer.isClosed, { timeout: 10_000 }).toBe(true);
    expect(await peer.goAway()).toBe('NO_ERROR');
  });
});
