import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createServer } from 'node:tls';
import { Http2Connection, type Http2Stream } from '@aquifer/http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { openTunnel } from './connect-dialer.ts';
import { serverLimits } from './http2-settings.ts';
import { expectSans } from './peer-identity.ts';
import { splice } from './splice.ts';
import { hboneSecureContext, type WorkloadCertificate } from './tls.ts';
import { TunnelPool } from './tunnel-pool.ts';

/** What only a peer that is not our listener does. */
const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';
const REQUEST = { authority: 'a:1', headers: {} };

let authority: TestAuthority;
let certificate: WorkloadCertificate;
beforeAll(() => {
  authority = new TestAuthority();
  certificate = authority.issue(SERVER);
});
afterAll(() => {
  authority[Symbol.dispose]();
});

/** A pool to a server that gives each CONNECT stream to `onRequest`. */
async function poolTo(
  onRequest: (stream: Http2Stream, connection: Http2Connection) => void,
): Promise<{ open: () => ReturnType<TunnelPool['connect']>; tunnelsMade: () => number }> {
  const { key, chain: cert, roots: ca } = certificate;
  const server = createServer({ key, cert, ca, ALPNProtocols: ['h2'] }, (socket) => {
    const connection = new Http2Connection(socket, {
      role: 'server',
      limits: serverLimits(10),
      handler: {
        onReady: () => undefined,
        onRequest: (stream) => onRequest(stream, connection),
        onClose: () => undefined,
      },
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const pool = new TunnelPool();
  onTestFinished(() => {
    pool.abort();
    server.close();
  });
  let tunnelsMade = 0;
  const dial = () => {
    tunnelsMade += 1;
    return openTunnel(connect((server.address() as AddressInfo).port, '127.0.0.1'), {
      secureContext: hboneSecureContext(certificate),
      verifyPeer: expectSans([SERVER]),
    });
  };
  return { open: () => pool.connect('k', dial, REQUEST), tunnelsMade: () => tunnelsMade };
}

function answer(stream: Http2Stream, text: string): void {
  stream.sendHeaders([':status', '200']);
  stream.write(Buffer.from(text));
  stream.end();
}

test('a request that the peer did not look at is sent again', async () => {
  let seen = 0;
  const { open } = await poolTo((stream) => {
    seen += 1;
    if (seen < 3) stream.reset('REFUSED_STREAM');
    else answer(stream, 'third');
  });
  const stream = (await open()).stream.duplex();
  stream.end();
  expect((await buffer(stream)).toString()).toBe('third');
});

test('a request that the peer did look at and cut is not', async () => {
  let seen = 0;
  const { open } = await poolTo((stream) => {
    seen += 1;
    stream.reset('INTERNAL_ERROR');
  });
  await expect(open()).rejects.toThrow('http2 error: stream was reset: INTERNAL_ERROR');
  expect(seen).toBe(1);
});

test('a tunnel that the peer is closing finishes what it carries, and the next one is new', async () => {
  const { open, tunnelsMade } = await poolTo((stream, connection) => {
    connection.close();
    // Long after GOAWAY has told the client.
    setTimeout(() => answer(stream, 'last words'), 50);
  });
  const stream = (await open()).stream.duplex();
  stream.end();
  await open();
  expect(tunnelsMade()).toBe(2);
  expect((await buffer(stream)).toString()).toBe('last words');
});

test('a stream that was cut before its copy begins ends the copy and the other side', async () => {
  const served: Http2Stream[] = [];
  const { open } = await poolTo((stream) => {
    stream.sendHeaders([':status', '200']);
    served.push(stream);
  });
  const first = (await open()).stream;
  const second = (await open()).stream;
  served[0]!.reset('INTERNAL_ERROR');
  await expect.poll(() => first.http2.isClosed).toBe(true);
  await splice(first, second, { received: () => undefined, sent: () => undefined });
  expect(second.http2.isClosed).toBe(true);
});
