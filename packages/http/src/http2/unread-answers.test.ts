import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { StuckTransport } from '../../../../test/fixtures/stuck-transport.ts';
import type { HttpError } from '../http-error.ts';
import { Http2Connection } from './connection.ts';
import { CLIENT_PREFACE, FRAME, writeFrameHeader } from './frames.ts';
import { HpackEncoder } from './hpack-encoder.ts';

const END_OF_STREAM_AND_HEADERS = 5;
const LIMITS = {
  streamWindowBytes: 65_535,
  maxStreamWindowBytes: 65_535,
  windowGrowthBytes: 0,
  connectionWindowBytes: 65_535,
  maxFrameBytes: 16_384,
  maxHeaderListBytes: 16_384,
  maxConcurrentStreams: 100,
};

function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(9);
  writeFrameHeader(header, 0, { length: payload.length, type, flags, streamId });
  return Buffer.concat([header, payload]);
}

/** A server whose requests are all refused, and its client's end of the wire. */
function startRefusing() {
  const transport = new StuckTransport();
  const ended = Promise.withResolvers<HttpError | null>();
  const connection = new Http2Connection(transport, {
    role: 'server',
    limits: LIMITS,
    onRequest: (exchange) => {
      exchange.respond({ status: 400, headers: [] }, 0);
      exchange.reset('NO_ERROR');
    },
    onClose: ended.resolve,
  });
  transport.push(CLIENT_PREFACE);
  transport.push(frame(FRAME.SETTINGS, 0, 0, Buffer.of()));
  const encoder = new HpackEncoder();
  let streamId = -1;
  const request = (): void => {
    streamId += 2;
    const head = encoder.encode([':method', 'CONNECT', ':authority', 'a:1']);
    transport.push(frame(FRAME.HEADERS, END_OF_STREAM_AND_HEADERS, streamId, head));
  };
  return { transport, connection, request, ended: ended.promise };
}

test('a client that reads none of its answers is cut off before they pile up', async () => {
  const { transport, connection, request, ended } = startRefusing();
  for (let sent = 0; sent < 30_000 && connection.isOpen; sent++) {
    request();
    if (sent % 100 === 0) await turn();
  }
  expect(connection.isOpen).toBe(false);
  expect(transport.writableLength).toBeLessThan(1024 * 1024);
  expect(await ended).toMatchObject({ reason: 'ENHANCE_YOUR_CALM' });
});

test('a client that reads its answers late, and never has read all of them, is served on', async () => {
  const { transport, connection, request } = startRefusing();
  for (let ahead = 0; ahead < 3; ahead++) {
    request();
    await turn();
  }
  for (let sent = 0; sent < 30_000; sent++) {
    request();
    transport.push(frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
    if (sent % 50 !== 0) continue;
    await turn();
    expect(transport.writableLength).toBeGreaterThan(0);
    transport.takeOne();
    await turn();
  }
  expect(connection.isOpen).toBe(true);
  connection.abort();
});

test('a client that has ended its side and reads nothing does not keep its connection', async () => {
  const { transport, request, ended } = startRefusing();
  request();
  await turn();
  transport.push(null);
  await ended;
  expect(transport.destroyed).toBe(false);
  await eventually(() => transport.destroyed);
});
