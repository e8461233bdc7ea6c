import { duplexPair } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Exchange, Http2Connection, type ServerExchange } from '@aquifer/http';
import { expect, onTestFinished, test } from 'vitest';
import { heldBytes } from '../../../test/fixtures/held-bytes.ts';
import { StuckTransport } from '../../../test/fixtures/stuck-transport.ts';
import { exchangeDuplex } from './exchange-duplex.ts';
import { clientLimits, serverLimits } from './http2-settings.ts';
import { splice } from './splice.ts';

const NO_COUNTERS = { received: () => undefined, sent: () => undefined };
/** Below what a stream holds before it tells its peer to wait. */
const PIECES = 60_000;

/** Both ends of a CONNECT stream; nobody has received the server's yet. */
async function streamPair(): Promise<readonly [client: Exchange, server: ServerExchange]> {
  const [near, far] = duplexPair();
  const served = Promise.withResolvers<ServerExchange>();
  const client = new Http2Connection(near, {
    role: 'client',
    limits: clientLimits(),
    onReady: () => undefined,
    onClose: () => undefined,
  });
  const server = new Http2Connection(far, {
    role: 'server',
    limits: serverLimits(10),
    onRequest: served.resolve,
    onClose: () => undefined,
  });
  onTestFinished(() => {
    client.abort();
    server.abort();
  });
  const head = { method: 'CONNECT', scheme: null, authority: 'a:1', path: '', headers: [] };
  const listener = { onHead: () => undefined, onFailure: () => undefined };
  return [client.request(head, null, { listener, isUpgrade: false }), await served.promise];
}

function sendPieces(stream: Exchange): void {
  for (let i = 0; i < PIECES; i++) stream.write(Buffer.of(i % 256));
}

function isInOrder(bytes: Buffer): boolean {
  return bytes.every((byte, at) => byte === at % 256);
}

test('a tunnel that nobody reads holds about its bytes, in however small pieces they came', async () => {
  const [client, server] = await streamPair();
  const duplex = exchangeDuplex(server);
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
  server.respond({ status: 200, headers: [] }, null);
  const upstream = new StuckTransport();
  const copied = splice(server, upstream, NO_COUNTERS);
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
