import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { ServerExchange } from '../exchange.ts';
import { Http1ClientConnection } from './client-connection.ts';
import { Http1ServerConnection } from './server-connection.ts';

/** Reads share one buffer and writes reuse slabs, so bytes of one message could end up in another. They must not. */

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Passes each request on to a connection of its own, and waits whenever the receiver does. */
async function startRelay(originPort: number): Promise<number> {
  const relay = (exchange: ServerExchange): void => {
    const upstream = connect({ port: originPort, host: '127.0.0.1', allowHalfOpen: true });
    const client = new Http1ClientConnection(upstream);
    const { head, body } = exchange;
    const request = client.request(head, body, {
      isUpgrade: false,
      listener: {
        onHead: (answer, bytes) => {
          exchange.respond(answer, bytes);
          request.receive({
            onData: (chunk) => {
              if (!exchange.write(chunk)) request.pause();
            },
            onBatch: () => exchange.flush(),
            onEnd: () => {
              exchange.end();
              client.close();
            },
            onDrain: () => exchange.resume(),
            onClose: (error) => {
              if (error !== null) exchange.reset();
            },
          });
        },
        onDrain: () => exchange.resume(),
        onFailure: () => exchange.reset(),
      },
    });
    exchange.receive({
      onData: (chunk) => {
        if (!request.write(chunk)) exchange.pause();
      },
      onBatch: () => request.flush(),
      onEnd: () => request.end(),
      onDrain: () => request.resume(),
      onClose: (error) => {
        if (error !== null) client.abort();
      },
    });
  };
  const handler = { onRequest: relay, onProblem: () => undefined, onClose: () => undefined };
  return portOf(
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      new Http1ServerConnection(socket, handler);
    }),
  );
}

/** Sends the body back, with a length if it came with one and else in chunks; the digest says what arrived. */
async function startOrigin(): Promise<number> {
  return portOf(
    createHttpServer((request, response) => {
      const { 'content-length': length } = request.headers;
      if (length !== undefined) response.setHeader('content-length', length);
      request.pipe(response);
    }),
  );
}

async function roundTrip(
  port: number,
  { bytes, isChunked, isSlow }: { bytes: number; isChunked: boolean; isSlow: boolean },
): Promise<{ sent: string; received: string }> {
  const body = randomBytes(bytes);
  const headers = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': bytes };
  const call = httpRequest({ port, host: '127.0.0.1', method: 'POST', headers, agent: false });
  const answered = once(call, 'response') as Promise<[NodeJS.ReadableStream]>;
  const pieces = [0.01, 0.5, 1].map((share) => Math.floor(bytes * share));
  let from = 0;
  for (const to of pieces) {
    call.write(body.subarray(from, to));
    from = to;
    await delay(1);
  }
  call.end();
  const [response] = await answered;
  const received = createHash('sha256');
  for await (const chunk of response) {
    received.update(chunk as Buffer);
    if (isSlow) await delay(1);
  }
  const sent = createHash('sha256').update(body);
  return { sent: sent.digest('hex'), received: received.digest('hex') };
}

test('bodies of any size and framing pass whole through many connections at once', async () => {
  const port = await startRelay(await startOrigin());
  const sizes = [1, 100, 4_095, 4_097, 16_384, 65_535, 65_537, 300_000, 3_000_000];
  const loads = sizes.flatMap((bytes) =>
    [true, false].flatMap((isChunked) =>
      [true, false].map((isSlow) => ({ bytes, isChunked, isSlow })),
    ),
  );
  const trips = await Promise.all(loads.map((load) => roundTrip(port, load)));
  for (const [i, { sent, received }] of trips.entries()) {
    expect({ ...loads[i], received }).toEqual({ ...loads[i], received: sent });
  }
}, 20_000);
