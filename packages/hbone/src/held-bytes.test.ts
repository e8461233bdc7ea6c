import { duplexPair } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Http2Connection, type Http2Stream } from '@aquifer/http';
import { expect, onTestFinished, test } from 'vitest';
import { heldBytes } from '../../../test/fixtures/held-bytes.ts';
import { StuckTransport } from '../../../test/fixtures/stuck-transport.ts';
import { CLIENT_LIMITS, serverLimits } from './http2-settings.ts';
import { splice } from './splice.ts';
import { TunnelStream } from './tunnel-stream.ts';

const NO_COUNTERS = { received: () => undefined, sent: () => undefined };
const IGNORE = {
  onHeaders: () => undefined,
  onData: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
/** Below what a stream holds before it tells its peer to wait. */
const PIECES = 60_000;

/** Both ends of a CONNECT stream; the server's is paused. */
async function streamPair(): Promise<readonly [client: Http2Stream, server: Http2Stream]> {
  const [near, far] = duplexPair();
  const served = Promise.withResolvers<Http2Stream>();
  const handler = { onReady: () => undefined, onClose: () => undefined };
  const client = new Http2Connection(near, {
    role: 'client',
    limits: CLIENT_LIMITS,
    handler: { ...handler, onRequest: () => undefined },
  });
  const server = new Http2Connection(far, {
    role: 'server',
    limits: serverLimits(10),
    handler: {
      ...handler,
      onRequest: (stream) => {
        stream.pause();
        served.resolve(stream);
      },
    },
  });
  onTestFinished(() => {
    client.abort();
    server.abort();
  });
  const head = [':method', 'CONNECT', ':authority', 'a:1'];
  return [client.request(head, IGNORE, { isEnd: false }), await served.promise];
}

function sendPieces(stream: Http2Stream): void {
  for (let i = 0; i < PIECES; i++) stream.write(Buffer.of(i % 256));
}

function isInOrder(bytes: Buffer): boolean {
  return bytes.every((byte, at) => byte === at % 256);
}

test('a tunnel that nobody reads holds about its bytes, in however small pieces they came', async () => {
  const [client, server] = await streamPair();
  const duplex = new TunnelStream(server).duplex();
  duplex.read(0);
  const before = heldBytes();
  sendPieces(client);
  await expect.poll(() => heldBytes() - before).toBeLessThan(20 * PIECES);
  client.end();
  const received = await buffer(duplex);
  expect([received.length, isInOrder(received)]).toEqual([PIECES, true]);
});

test('a copy to a side that reads nothing holds about its bytes, in however small pieces they came', async () => {
  const [client, server] = await streamPair();
  const upstream = new StuckTransport();
  const copied = splice(new TunnelStream(server), upstream, NO_COUNTERS);
  const before = heldBytes();
  sendPieces(client);
  client.end();
  await expect.poll(() => upstream.writableLength).toBeGreaterThan(0);
  await expect.poll(() => heldBytes() - before).toBeLessThan(20 * PIECES);
  upstream.unstick();
  upstream.push(null);
  await copied;
  const received = Buffer.concat(upstream.taken);
  expect([received.length, isInOrder(received)]).toEqual([PIECES, true]);
});
