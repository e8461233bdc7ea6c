import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { heldBytes } from '../../../../test/fixtures/held-bytes.ts';
import type { ServerExchange } from '../exchange.ts';
import { Http2Connection } from './connection.ts';
import { CLIENT_PREFACE, FRAME, writeFrameHeader } from './frames.ts';
import { HpackEncoder } from './hpack-encoder.ts';

const MIB = 1024 * 1024;
const LIMITS = {
  streamWindowBytes: 4 * MIB,
  maxStreamWindowBytes: 4 * MIB,
  windowGrowthBytes: 0,
  connectionWindowBytes: 16 * MIB,
  maxFrameBytes: MIB,
  maxHeaderListBytes: 16_384,
  maxConcurrentStreams: 100,
};
const FRAMES = 400_000;

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  writeFrameHeader(header, 0, { length: payload.length, type, flags, streamId });
  return Buffer.concat([header, payload]);
}

test('a stream that nobody reads holds about the bytes that it was sent, in however small frames they came', async () => {
  const [peer, transport] = duplexPair();
  peer.resume();
  const opened = Promise.withResolvers<ServerExchange>();
  const connection = new Http2Connection(transport, {
    role: 'server',
    limits: LIMITS,
    onRequest: opened.resolve,
    onClose: () => undefined,
  });
  peer.write(CLIENT_PREFACE);
  peer.write(frame(FRAME.SETTINGS, 0, 0, Buffer.of()));
  const request = new HpackEncoder().encode([':method', 'CONNECT', ':authority', 'a:1']);
  peer.write(frame(FRAME.HEADERS, 4, 1, Buffer.from(request)));
  const exchange = await opened.promise;
  const before = heldBytes();
  const single = frame(FRAME.DATA, 0, 1, Buffer.of(7));
  const many = Buffer.concat(Array.from({ length: 1000 }, () => single));
  for (let sent = 0; sent < FRAMES; sent += 1000) {
    if (!peer.write(many)) await once(peer, 'drain');
  }
  await turn();
  expect(heldBytes() - before).toBeLessThan(10 * FRAMES);
  let received = 0;
  exchange.receive({
    onData: (chunk) => {
      received += chunk.length;
    },
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClose: () => undefined,
  });
  expect(received).toBe(FRAMES);
  connection.abort();
});
