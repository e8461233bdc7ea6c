import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ServerExchange } from '../exchange.ts';
import type { HttpError } from '../http-error.ts';
import { Http2Connection } from './connection.ts';
import { CLIENT_PREFACE, FRAME, numbersFrame, writeFrameHeader } from './frames.ts';
import { HpackEncoder } from './hpack-encoder.ts';

const LIMITS = {
  streamWindowBytes: 65_535,
  maxStreamWindowBytes: 65_535,
  windowGrowthBytes: 0,
  connectionWindowBytes: 65_535,
  maxFrameBytes: 16_384,
  maxHeaderListBytes: 16_384,
  maxConcurrentStreams: 100,
};
const END_STREAM = 1;
const END_HEADERS = 4;
const CANCEL = 8;

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  writeFrameHeader(header, 0, { length: payload.length, type, flags, streamId });
  return Buffer.concat([header, payload]);
}

/** A client's end of a connection, and what becomes of the other one. */
function aConnection(onRequest: (exchange: ServerExchange) => void) {
  const [peer, transport] = duplexPair();
  peer.resume();
  const closed = Promise.withResolvers<HttpError | null>();
  new Http2Connection(transport, {
    role: 'server',
    limits: LIMITS,
    onRequest,
    onClose: closed.resolve,
  });
  peer.write(CLIENT_PREFACE);
  peer.write(frame(FRAME.SETTINGS, 0, 0, Buffer.of()));
  const encoder = new HpackEncoder();
  const connect = (id: number, flags: number): Buffer => {
    const block = encoder.encode([':method', 'CONNECT', ':authority', 'a:1']);
    return frame(FRAME.HEADERS, END_HEADERS | flags, id, Buffer.from(block));
  };
  return { peer, connect, closed: closed.promise };
}

test('requests that come at once do not all come before those of other connections', async () => {
  let begun = 0;
  const { peer, connect } = aConnection((exchange) => {
    begun += 1;
    exchange.respond({ status: 200, headers: [] }, 0);
  });
  await turn();
  for (let i = 0; i < 1000; i++) peer.write(connect(2 * i + 1, END_STREAM));
  let before = 0;
  let turns = 0;
  while (begun < 1000) {
    await turn();
    expect(begun - before).toBeLessThanOrEqual(200);
    before = begun;
    turns += 1;
    expect(turns).toBeLessThan(1000);
  }
});

test('frames that come at once do not all come before those of other connections, however small they are', async () => {
  let received = 0;
  const { peer, connect } = aConnection((exchange) => {
    exchange.respond({ status: 200, headers: [] }, null);
    exchange.receive({
      onData: (chunk) => {
        received += chunk.length;
      },
      onEnd: () => undefined,
      onDrain: () => undefined,
      onClose: () => undefined,
    });
  });
  await turn();
  peer.write(connect(1, 0));
  const pieces = Array.from({ length: 1000 }, () => frame(FRAME.DATA, 0, 1, Buffer.of(7)));
  const thousand = Buffer.concat(pieces);
  for (let i = 0; i < 50; i++) peer.write(thousand);
  let before = 0;
  for (let turns = 0; received < 50_000; turns++) {
    await turn();
    expect(received - before).toBeLessThanOrEqual(20_000);
    expect(turns).toBeLessThan(1000);
    before = received;
  }
});

test('a peer that takes back what was accepted at once is a flood, and none where bytes have moved', async () => {
  const accept = (exchange: ServerExchange): void =>
    exchange.respond({ status: 200, headers: [] }, null);
  const outcomeOf = async (isUsed: boolean): Promise<HttpError | null | 'open'> => {
    const { peer, connect, closed } = aConnection(accept);
    for (let i = 0; i < 1000; i++) {
      const id = 2 * i + 1;
      peer.write(connect(id, 0));
      if (isUsed) peer.write(frame(FRAME.DATA, 0, id, Buffer.from('x')));
      peer.write(numbersFrame(FRAME.RST_STREAM, id, [CANCEL]));
      if (i % 20 === 0) await turn();
    }
    for (let i = 0; i < 50; i++) await turn();
    return Promise.race([closed, turn('open' as const)]);
  };
  expect(await outcomeOf(true)).toBe('open');
  expect(await outcomeOf(false)).toMatchObject({ message: 'too many stream resets' });
});
