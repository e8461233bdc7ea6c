import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EchoServer, FaultPeer } from '../../../../test/fixtures/http2-fault-peer.ts';
import type { ErrorReason } from '../http-error.ts';
import { FRAME } from './frames.ts';

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

describe('a peer that breaks a rule of the connection gets GOAWAY', () => {
  const cases: { fault: string; send: (peer: FaultPeer) => void; code: ErrorReason }[] = [
    {
      fault: 'SETTINGS on a stream',
      send: (p) => p.frame(FRAME.SETTINGS, 0, 1),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'SETTINGS of 5 bytes',
      send: (p) => p.frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(5)),
      code: 'FRAME_SIZE_ERROR',
    },
    {
      fault: 'SETTINGS ACK with a payload',
      send: (p) => p.frame(FRAME.SETTINGS, 1, 0, Buffer.alloc(6)),
      code: 'FRAME_SIZE_ERROR',
    },
    {
      fault: 'ENABLE_PUSH of 2',
      send: (p) => p.frame(FRAME.SETTINGS, 0, 0, Buffer.from('000200000002', 'hex')),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a window of 2^31',
      send: (p) => p.frame(FRAME.SETTINGS, 0, 0, Buffer.from('000480000000', 'hex')),
      code: 'FLOW_CONTROL_ERROR',
    },
    {
      fault: 'frames of at most 100 bytes',
      send: (p) => p.frame(FRAME.SETTINGS, 0, 0, Buffer.from('000500000064', 'hex')),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a PING of 7 bytes',
      send: (p) => p.frame(FRAME.PING, 0, 0, Buffer.alloc(7)),
      code: 'FRAME_SIZE_ERROR',
    },
    {
      fault: 'a PING on a stream',
      send: (p) => p.frame(FRAME.PING, 0, 3, Buffer.alloc(8)),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a frame larger than allowed',
      send: (p) => p.frame(FRAME.DATA, 0, 1, Buffer.alloc(32_769)),
      code: 'FRAME_SIZE_ERROR',
    },
    {
      fault: 'DATA on stream 0',
      send: (p) => p.frame(FRAME.DATA, 0, 0, Buffer.alloc(1)),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'DATA on an idle stream',
      send: (p) => p.frame(FRAME.DATA, 0, 1, Buffer.alloc(1)),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'RST_STREAM of an idle stream',
      send: (p) => p.numbers(FRAME.RST_STREAM, 1, [0]),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'WINDOW_UPDATE of an idle stream',
      send: (p) => p.numbers(FRAME.WINDOW_UPDATE, 1, [1]),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'WINDOW_UPDATE of 0',
      send: (p) => p.numbers(FRAME.WINDOW_UPDATE, 0, [0]),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a connection window beyond 2^31 - 1',
      send: (p) => p.numbers(FRAME.WINDOW_UPDATE, 0, [0x7fff_ffff]),
      code: 'FLOW_CONTROL_ERROR',
    },
    {
      fault: 'PUSH_PROMISE',
      send: (p) => p.numbers(FRAME.PUSH_PROMISE, 1, [2]),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a request on an even stream',
      send: (p) => p.headers(2, REQUEST),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a stream number that goes back',
      send: (p) => p.headers(3, REQUEST, 5).headers(1, REQUEST),
      code: 'STREAM_CLOSED',
    },
    {
      fault: 'HEADERS after RST_STREAM',
      send: (p) => p.headers(1, SILENT).numbers(FRAME.RST_STREAM, 1, [8]).headers(1, GET),
      code: 'STREAM_CLOSED',
    },
    {
      fault: 'CONTINUATION without HEADERS',
      send: (p) => p.frame(FRAME.CONTINUATION, 4, 1),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a frame inside a header block',
      send: (p) => p.headers(1, REQUEST, 0).frame(FRAME.PING, 0, 0, Buffer.alloc(8)),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'an unknown frame inside a header block',
      send: (p) => p.headers(1, REQUEST, 0).frame(0x42, 0, 1),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'HEADERS with more padding than payload',
      send: (p) => p.frame(FRAME.HEADERS, 12, 1, Buffer.from([9, 0x82])),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'DATA with more padding than payload',
      send: (p) => p.headers(1, REQUEST).frame(FRAME.DATA, 8, 1, Buffer.from([9, 1])),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a header block that cannot be decoded',
      send: (p) => p.frame(FRAME.HEADERS, 4, 1, Buffer.from([0x80])),
      code: 'COMPRESSION_ERROR',
    },
    {
      fault: 'a GOAWAY of 4 bytes',
      send: (p) => p.frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(4)),
      code: 'FRAME_SIZE_ERROR',
    },
  ];
  test.for(cases)('$fault: $code', async ({ send, code }) => {
    const peer = new FaultPeer(server.port).greet();
    send(peer);
    expect(await peer.goAway()).toBe(code);
  });

  test('a preface that is not HTTP/2: PROTOCOL_ERROR', async () => {
    const peer = new FaultPeer(server.port);
    peer.socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(await peer.goAway()).toBe('PROTOCOL_ERROR');
  });
});

describe('a stream that breaks a rule is reset, and the others go on', () => {
  const cases: { fault: string; send: (peer: FaultPeer) => void; code: ErrorReason }[] = [
    {
      fault: 'upper case in a name',
      send: (p) => p.headers(1, [...REQUEST, 'X-A', '1']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a line break in a value',
      send: (p) => p.headers(1, [...REQUEST, 'x-a', '1\r\nx: 2']),
      code: 'PROTOCOL_ERROR',
    },
    ...['GET /admin', 'G\x01T', ''].map((method) => ({
      fault: `${JSON.stringify(method)} as its method`,
      send: (p: FaultPeer) => p.headers(1, [':method', method, ...GET.slice(2)]),
      code: 'PROTOCOL_ERROR' as const,
    })),
    ...['/a b', '/\x01', '/\xe9', '/#a'].map((path) => ({
      fault: `${JSON.stringify(path)} as its path`,
      send: (p: FaultPeer) => p.headers(1, [...GET.slice(0, -1), path]),
      code: 'PROTOCOL_ERROR' as const,
    })),
    ...['a b', 'a/admin', 'u@a', 'a,b'].map((authority) => ({
      fault: `${JSON.stringify(authority)} as its authority`,
      send: (p: FaultPeer) => p.headers(1, [...GET.slice(0, 5), authority, ...GET.slice(6)]),
      code: 'PROTOCOL_ERROR' as const,
    })),
    ...['a\x0bb', 'a\x7f', 'a\0'].map((value) => ({
      fault: `${JSON.stringify(value)} as a value`,
      send: (p: FaultPeer) => p.headers(1, [...GET, 'x-a', value]),
      code: 'PROTOCOL_ERROR' as const,
    })),
    {
      fault: 'a connection header',
      send: (p) => p.headers(1, [...REQUEST, 'connection', 'close']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'transfer-encoding (L170)',
      send: (p) => p.headers(1, [...REQUEST, 'transfer-encoding', 'chunked']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'te: gzip',
      send: (p) => p.headers(1, [...REQUEST, 'te', 'gzip']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a pseudo-header after a field',
      send: (p) => p.headers(1, [':method', 'GET', 'x', '1', ':path', '/']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a pseudo-header twice',
      send: (p) => p.headers(1, [...GET, ':path', '/']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'an unknown pseudo-header',
      send: (p) => p.headers(1, [...GET, ':x', '/']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: ':status in a request',
      send: (p) => p.headers(1, [...GET, ':status', '200']),
      code: 'PROTOCOL_ERROR',
    },
    { fault: 'no :method', send: (p) => p.headers(1, GET.slice(2)), code: 'PROTOCOL_ERROR' },
    { fault: 'no :path', send: (p) => p.headers(1, GET.slice(0, -2)), code: 'PROTOCOL_ERROR' },
    {
      fault: 'CONNECT with :path',
      send: (p) => p.headers(1, [...REQUEST, ':path', '/']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'two content-lengths',
      send: (p) => p.headers(1, [...GET, 'content-length', '1', 'content-length', '2']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a content-length in two spellings',
      send: (p) => p.headers(1, [...GET, 'content-length', '10', 'content-length', '010']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'more DATA than content-length',
      send: (p) =>
        p.headers(1, [...GET, 'content-length', '1']).frame(FRAME.DATA, 0, 1, Buffer.alloc(2)),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'less DATA than content-length',
      send: (p) =>
        p.headers(1, [...GET, 'content-length', '3']).frame(FRAME.DATA, 1, 1, Buffer.alloc(2)),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'trailers that do not end the stream',
      send: (p) => p.headers(1, GET).headers(1, ['x', '1']),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a pseudo-header in trailers',
      send: (p) => p.headers(1, GET).headers(1, [':path', '/'], 5),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'DATA after the end',
      send: (p) => p.headers(1, SILENT, 5).frame(FRAME.DATA, 0, 1),
      code: 'STREAM_CLOSED',
    },
    {
      fault: 'DATA after RST_STREAM',
      send: (p) => p.headers(1, SILENT).numbers(FRAME.RST_STREAM, 1, [8]).frame(FRAME.DATA, 0, 1),
      code: 'STREAM_CLOSED',
    },
    {
      fault: 'WINDOW_UPDATE of 0',
      send: (p) => p.headers(1, GET).numbers(FRAME.WINDOW_UPDATE, 1, [0]),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'a window beyond 2^31 - 1',
      send: (p) => p.headers(1, GET).numbers(FRAME.WINDOW_UPDATE, 1, [0x7fff_ffff]),
      code: 'FLOW_CONTROL_ERROR',
    },
    {
      fault: 'PRIORITY of 4 bytes',
      send: (p) => p.headers(1, GET).numbers(FRAME.PRIORITY, 1, [0]),
      code: 'FRAME_SIZE_ERROR',
    },
    {
      fault: 'a stream that depends on itself',
      send: (p) => p.frame(FRAME.PRIORITY, 0, 1, Buffer.from([0, 0, 0, 1, 0])),
      code: 'PROTOCOL_ERROR',
    },
    {
      fault: 'one stream too many',
      send: (p) => p.headers(3, GET).headers(5, GET).headers(7, GET).headers(9, GET),
      code: 'REFUSED_STREAM',
    },
  ];
  test.for(cases)('$fault: $code', async ({ fault, send, code }) => {
    const peer = new FaultPeer(server.port).greet();
    send(peer);
    expect(await peer.reset(fault === 'one stream too many' ? 9 : 1)).toBe(code);
  });

  test('a header list that is too large is answered with 431', async () => {
    const peer = new FaultPeer(server.port).greet();
    const list = Array.from({ length: 30 }, (_, i) => [`x-${i}`, 'y'.repeat(40)]).flat();
    peer.headers(1, [...GET, ...list], 5);
    const { payload } = await peer.find(FRAME.HEADERS, 1);
    expect(payload.toString('latin1')).toContain('431');
    expect(await peer.isAlive()).toBe(true);
  });
});
