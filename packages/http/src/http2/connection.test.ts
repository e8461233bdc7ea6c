import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { EchoServer, FaultPeer } from '../../../../test/fixtures/http2-fault-peer.ts';
import { ERROR_CODES, type HttpError } from '../http-error.ts';
import { Http2Connection } from './connection.ts';
import { CLIENT_PREFACE, FRAME } from './frames.ts';

const REQUEST = [':method', 'CONNECT', ':authority', 'a:1'];
const GET = [':method', 'GET', ':scheme', 'https', ':authority', 'a', ':path', '/'];
const SILENT = [...GET.slice(0, -1), '/silent'];

let server: EchoServer;
beforeAll(async () => {
  server = await new EchoServer().listen();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

describe('a flood ends the connection with ENHANCE_YOUR_CALM', () => {
  test.for([
    {
      flood: 'CONTINUATION without end',
      send: (p: FaultPeer) => {
        p.headers(1, REQUEST, 0);
        for (let i = 0; i < 200; i++) p.frame(FRAME.CONTINUATION, 0, 1);
      },
    },
    {
      flood: 'empty DATA',
      send: (p: FaultPeer) => {
        p.headers(1, REQUEST);
        for (let i = 0; i < 120; i++) p.frame(FRAME.DATA, 0, 1);
      },
    },
    {
      flood: 'requests taken back at once',
      send: (p: FaultPeer) => {
        for (let i = 0; i < 600; i++) {
          p.headers(2 * i + 1, SILENT);
          p.numbers(FRAME.RST_STREAM, 2 * i + 1, [ERROR_CODES.CANCEL]);
        }
      },
    },
    {
      flood: 'PRIORITY',
      send: (p: FaultPeer) => {
        for (let i = 0; i < 150; i++) p.frame(FRAME.PRIORITY, 0, 1, Buffer.alloc(5));
      },
    },
    {
      flood: 'WINDOW_UPDATE',
      send: (p: FaultPeer) => {
        for (let i = 0; i < 150; i++) p.numbers(FRAME.WINDOW_UPDATE, 0, [1]);
      },
    },
    {
      flood: 'SETTINGS, each of which moves the window of every stream',
      send: (p: FaultPeer) => {
        p.headers(1, SILENT);
        for (let i = 0; i < 300; i++) {
          p.frame(FRAME.SETTINGS, 0, 0, Buffer.from(`00040000000${i % 10}`, 'hex'));
        }
      },
    },
  ])('$flood', async ({ send }) => {
    const peer = new FaultPeer(server.port).greet();
    send(peer);
    expect(await peer.goAway()).toBe('ENHANCE_YOUR_CALM');
  });

  test('many short streams that end as they should are no flood', async () => {
    const peer = new FaultPeer(server.port).greet();
    for (let i = 0; i < 700; i++) peer.headers(2 * i + 1, REQUEST).frame(FRAME.DATA, 1, 2 * i + 1);
    await peer.find(FRAME.DATA, 1399);
    expect(await peer.isAlive()).toBe(true);
  });
});

describe('flow control', () => {
  test('sends no more than the stream window, and goes on when it opens', async () => {
    const peer = new FaultPeer(server.port);
    peer.socket.write(CLIENT_PREFACE);
    // SETTINGS_INITIAL_WINDOW_SIZE = 10
    peer.frame(FRAME.SETTINGS, 0, 0, Buffer.from('00040000000a', 'hex'));
    peer.headers(1, REQUEST).frame(FRAME.DATA, 1, 1, Buffer.from('abcdefghijklmnop'));
    await expect.poll(() => peer.dataOf(1).toString()).toBe('abcdefghij');
    peer.numbers(FRAME.WINDOW_UPDATE, 1, [3]);
    await expect.poll(() => peer.dataOf(1).toString()).toBe('abcdefghijklm');
    // A larger initial window widens open streams too.
    peer.frame(FRAME.SETTINGS, 0, 0, Buffer.from('00040000000d', 'hex'));
    await expect.poll(() => peer.dataOf(1).toString()).toBe('abcdefghijklmnop');
    expect((await peer.find(FRAME.DATA, 1)).flags & 1).toBe(1);
  });

  test('returns credit in large steps, padding included', async () => {
    const peer = new FaultPeer(server.port).greet();
    peer.headers(1, REQUEST);
    const padded = Buffer.alloc(30_000);
    padded[0] = 99;
    peer.frame(FRAME.DATA, 8, 1, padded);
    expect(await peer.isAlive()).toBe(true);
    expect(peer.seen.some((f) => f.type === FRAME.WINDOW_UPDATE && f.streamId === 1)).toBe(false);
    peer.frame(FRAME.DATA, 0, 1, Buffer.alloc(25_000));
    const { payload } = await peer.find(FRAME.WINDOW_UPDATE, 1);
    expect(payload.readUInt32BE(0)).toBe(55_000);
  });

  test('more DATA than the stream window is an error of the stream', async () => {
    const peer = new FaultPeer(server.port).greet();
    // Nobody may read: the answer that is echoed stops at the peer's 65,535.
    peer.headers(1, REQUEST);
    for (let i = 0; i < 9; i++) peer.frame(FRAME.DATA, 0, 1, Buffer.alloc(30_000));
    expect(await peer.reset(1)).toBe('FLOW_CONTROL_ERROR');
  });
});

test('an orderly end serves what was under way and what was on its way, and nothing later', async () => {
  const peer = new FaultPeer(server.port).greet();
  peer.headers(1, REQUEST);
  await peer.find(FRAME.HEADERS, 1);
  server.connections.at(-1)!.close();
  const first = await peer.find(FRAME.GOAWAY, 0);
  expect(first.payload.readUInt32BE(0)).toBe(0x7fff_ffff);
  peer.headers(3, REQUEST);
  const { payload: token } = await peer.find(FRAME.PING, 0);
  peer.frame(FRAME.PING, 1, 0, token);
  await expect.poll(() => peer.seen.filter(({ type }) => type === FRAME.GOAWAY).length).toBe(2);
  expect((await peer.find(FRAME.GOAWAY, 0)).payload.readUInt32BE(0)).toBe(3);
  peer.headers(5, REQUEST);
  for (const streamId of [1, 3]) peer.frame(FRAME.DATA, 1, streamId, Buffer.from('bye'));
  expect(await peer.goAway()).toBe('NO_ERROR');
  expect([peer.dataOf(1).toString(), peer.dataOf(3).toString()]).toEqual(['bye', 'bye']);
  expect(peer.seen.some(({ streamId }) => streamId === 5)).toBe(false);
});

async function connectTo(port: number): Promise<Http2Connection> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  onTestFinished(() => void socket.destroy());
  const ready = Promise.withResolvers<void>();
  const connection = new Http2Connection(socket, {
    role: 'client',
    limits: {
      streamWindowBytes: 100_000,
      maxStreamWindowBytes: 100_000,
      windowGrowthBytes: 0,
      connectionWindowBytes: 200_000,
      maxFrameBytes: 32_768,
      maxHeaderListBytes: 2000,
      maxConcurrentStreams: null,
    },
    onReady: ready.resolve,
    onClose: () => undefined,
  });
  await ready.promise;
  return connection;
}

test('a client that leaves says so at once, ending nothing, and takes no further request', async () => {
  const echo = createServer().listen(0, '127.0.0.1');
  const goneAway = Promise.withResolvers<readonly number[]>();
  echo.on('session', (session) => {
    session.on('goaway', (code, lastStreamId) => goneAway.resolve([code, lastStreamId]));
  });
  echo.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  await once(echo, 'listening');
  onTestFinished(() => void echo.close());
  const connection = await connectTo((echo.address() as AddressInfo).port);
  const head = { method: 'POST', scheme: 'https', authority: 'a', path: '/', headers: [] };
  const ended = Promise.withResolvers<HttpError | null>();
  let received = '';
  const exchange = connection.request(head, null, {
    isUpgrade: false,
    listener: {
      onHead: () => {
        exchange.receive({
          onData: (chunk) => {
            received += String(chunk);
          },
          onEnd: () => undefined,
          onDrain: () => undefined,
          onClose: ended.resolve,
        });
      },
      onFailure: ended.resolve,
    },
  });
  connection.leave();
  // Even: what a server may have pushed. nghttp2 ends connections for less.
  expect(await goneAway.promise).toEqual([0, 0x7fff_fffe]);
  expect(connection.isOpen).toBe(false);
  exchange.write(Buffer.from('afterwards'));
  exchange.end();
  expect(await ended.promise).toBe(null);
  expect(received).toBe('afterwards');
});

test('who reads an answer hears that the server ends the connection, once, and reads on', async () => {
  const echo = createServer().listen(0, '127.0.0.1');
  echo.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200 });
    stream.write('begun');
    stream.on('data', () => {
      stream.session?.goaway(0, 0x7fff_ffff);
      stream.session?.goaway(0, stream.id ?? 0);
      stream.end('ended');
    });
  });
  await once(echo, 'listening');
  onTestFinished(() => void echo.close());
  const connection = await connectTo((echo.address() as AddressInfo).port);
  const head = { method: 'POST', scheme: 'https', authority: 'a', path: '/', headers: [] };
  const heard: string[] = [];
  const closed = Promise.withResolvers<HttpError | null>();
  const exchange = connection.request(head, null, {
    isUpgrade: false,
    listener: {
      onHead: () => {
        exchange.receive({
          onData: (chunk) => {
            heard.push(String(chunk));
            if (heard.length === 1) exchange.write(Buffer.from('go on'));
          },
          onConnectionEnding: () => heard.push('ending'),
          onEnd: () => exchange.end(),
          onDrain: () => undefined,
          onClose: closed.resolve,
        });
      },
      onFailure: closed.resolve,
    },
  });
  expect(await closed.promise).toBe(null);
  expect(heard.toSorted()).toEqual(['begun', 'ended', 'ending']);
});

test('an answer longer than its content-length is cut, whatever values the request has', async () => {
  const talkative = createServer().listen(0, '127.0.0.1');
  talkative.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-length': '5' });
    stream.end('more than five bytes');
  });
  await once(talkative, 'listening');
  onTestFinished(() => void talkative.close());
  const connection = await connectTo((talkative.address() as AddressInfo).port);
  for (const verb of ['GET', 'HEAD', 'CONNECT']) {
    const closed = Promise.withResolvers<HttpError | null>();
    let received = 0;
    const head = { method: 'GET', scheme: 'https', authority: 'a', path: '/' };
    const exchange = connection.request({ ...head, headers: ['x-verb', verb] }, 0, {
      isUpgrade: false,
      listener: {
        onHead: () => {
          exchange.receive({
            onData: (chunk) => {
              received += chunk.length;
            },
            onEnd: () => undefined,
            onDrain: () => undefined,
            onClose: closed.resolve,
          });
        },
        onFailure: closed.resolve,
      },
    });
    expect((await closed.promise)?.message).toContain('content-length');
    expect(received).toBeLessThanOrEqual(5);
  }
});
