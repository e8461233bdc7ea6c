import { duplexPair } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import type { Exchange, ServerExchange } from '../exchange.ts';
import type { HttpError } from '../http-error.ts';
import { Http2Connection } from './connection.ts';

const LIMITS = {
  streamWindowBytes: 65_535,
  maxStreamWindowBytes: 65_535,
  windowGrowthBytes: 0,
  connectionWindowBytes: 65_535,
  maxFrameBytes: 16_384,
  maxHeaderListBytes: 16_384,
  maxConcurrentStreams: 100,
};
const GET = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: [] };

test('a client that has used all stream numbers opens no more, and what is open goes on', async () => {
  const [near, far] = duplexPair();
  const served: ServerExchange[] = [];
  const server = new Http2Connection(far, {
    role: 'server',
    limits: LIMITS,
    onRequest: (exchange) => void served.push(exchange),
    onClose: () => undefined,
  });
  const closed = Promise.withResolvers<HttpError | null>();
  const client = new Http2Connection(near, {
    role: 'client',
    limits: { ...LIMITS, maxConcurrentStreams: null },
    firstStreamId: 0x7fff_fffd,
    onReady: () => undefined,
    onClose: closed.resolve,
  });
  onTestFinished(() => {
    client.abort();
    server.abort();
  });
  let ended = 0;
  const ask = (): Exchange => {
    const exchange = client.request(GET, 0, {
      isUpgrade: false,
      listener: {
        onHead: () => {
          exchange.receive({
            onData: () => undefined,
            onEnd: () => undefined,
            onDrain: () => undefined,
            onClose: (error) => {
              if (error === null) ended += 1;
            },
          });
        },
        onFailure: () => undefined,
      },
    });
    return exchange;
  };
  ask();
  expect(client.isOpen).toBe(true);
  ask();
  expect([client.isOpen, client.isUsable]).toEqual([false, false]);
  expect(ask).toThrow('takes no more');
  await expect.poll(() => served.length).toBe(2);
  for (const exchange of served) {
    exchange.respond({ status: 200, headers: [] }, null);
    exchange.write(Buffer.from('late, but whole'));
    exchange.end();
  }
  expect(await closed.promise).toBe(null);
  expect(ended).toBe(2);
});
