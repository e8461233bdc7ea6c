import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createServer } from 'node:tls';
import { Http2Connection, type HttpError, type ServerExchange } from '@aquifer/http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { type Tunnels, tunnelsTo } from '../../../test/fixtures/tunnels.ts';
import { serverLimits } from './http2-settings.ts';
import { splice } from './splice.ts';
import type { WorkloadCertificate } from './tls.ts';

/** What only a peer that is not our listener does. */
const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';

let authority: TestAuthority;
let certificate: WorkloadCertificate;
beforeAll(() => {
  authority = new TestAuthority();
  certificate = authority.issue(SERVER);
});
afterAll(() => {
  authority[Symbol.dispose]();
});

/** Tunnels to a server that gives each CONNECT to `onRequest`. */
async function tunnelsToServer(
  onRequest: (exchange: ServerExchange, connection: Http2Connection) => void,
): Promise<Tunnels> {
  const { key, chain: cert, roots: ca } = certificate;
  const server = createServer({ key, cert, ca, ALPNProtocols: ['h2'] }, (socket) => {
    const connection = new Http2Connection(socket, {
      role: 'server',
      limits: serverLimits(10),
      onRequest: (exchange) => onRequest(exchange, connection),
      onClose: () => undefined,
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return tunnelsTo((server.address() as AddressInfo).port, { certificate });
}

function answer(exchange: ServerExchange, text: string): void {
  exchange.respond({ status: 200, headers: [] }, null);
  exchange.write(Buffer.from(text));
  exchange.end();
}

test('a request that the peer did not look at is sent again', async () => {
  let seen = 0;
  const tunnels = await tunnelsToServer((exchange) => {
    seen += 1;
    if (seen < 3) exchange.reset('REFUSED_STREAM');
    else answer(exchange, 'third');
  });
  const stream = await tunnels.open();
  stream.end();
  expect((await buffer(stream)).toString()).toBe('third');
});

test('a request that the peer did look at and cut is not', async () => {
  let seen = 0;
  const tunnels = await tunnelsToServer((exchange) => {
    seen += 1;
    exchange.reset('INTERNAL_ERROR');
  });
  await expect(tunnels.lease()).rejects.toThrow('http2 error: stream was reset: INTERNAL_ERROR');
  expect(seen).toBe(1);
});

test('a tunnel that the peer is closing finishes what it carries, and the next one is new (C183)', async () => {
  const tunnels = await tunnelsToServer((exchange, connection) => {
    connection.close();
    // Long after GOAWAY has told the client.
    setTimeout(() => answer(exchange, 'last words'), 50);
  });
  const stream = await tunnels.open();
  stream.end();
  await tunnels.lease();
  expect(tunnels.dialled).toBe(2);
  expect((await buffer(stream)).toString()).toBe('last words');
});

test('a stream that was cut before its copy begins ends the copy and the other side', async () => {
  const served: ServerExchange[] = [];
  const tunnels = await tunnelsToServer((exchange) => {
    exchange.respond({ status: 200, headers: [] }, null);
    served.push(exchange);
  });
  const first = (await tunnels.lease()).exchange;
  const second = (await tunnels.lease()).exchange;
  served[0]!.reset('INTERNAL_ERROR');
  await expect.poll(() => first.isOver).toBe(true);
  const ended = await splice(first, second, { received: () => undefined, sent: () => undefined });
  expect(ended).toMatchObject({ code: 'HB_STREAM_RESET' });
  expect(second.isOver).toBe(true);
});

test('what a tunnel had brought is read when its peer is gone, and not when this side ends it (C187)', async () => {
  for (const { end, received } of [
    { end: 'peer', received: 5 },
    { end: 'us', received: 0 },
  ]) {
    const connections: Http2Connection[] = [];
    const tunnels = await tunnelsToServer((exchange, connection) => {
      connections.push(connection);
      exchange.respond({ status: 200, headers: [] }, null);
      exchange.write(Buffer.from('some '));
    });
    const { exchange } = await tunnels.lease();
    // It has arrived by the time that another stream has been answered.
    await tunnels.lease();
    if (end === 'peer') connections[0]!.abort();
    else tunnels.pool.abort();
    await expect.poll(() => exchange.isOver).toBe(true);
    let bytes = 0;
    const closed = Promise.withResolvers<HttpError | null>();
    exchange.receive({
      onData: (chunk) => {
        bytes += chunk.length;
      },
      onEnd: () => expect.unreachable(),
      onDrain: () => undefined,
      onClose: closed.resolve,
    });
    expect((await closed.promise)?.kind).toBe(end === 'peer' ? 'lost' : 'aborted');
    expect(bytes).toBe(received);
  }
});
