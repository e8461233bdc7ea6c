import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import { readShared } from './shared-reads.ts';

/** Both ends of a connection; nobody reads the server's yet. */
type Pair = readonly [client: Socket, server: Socket];

async function accept(
  server: Server,
  event: 'connection' | 'secureConnection',
  dial: (port: number) => Socket,
): Promise<Pair> {
  const accepted = once(server, event) as Promise<[Socket]>;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = dial((server.address() as AddressInfo).port);
  const [socket] = await accepted;
  onTestFinished(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return [client, socket];
}

const TRANSPORTS: Readonly<Record<string, () => Promise<Pair>>> = {
  TCP: () =>
    accept(createServer({ pauseOnConnect: true, allowHalfOpen: true }), 'connection', (port) =>
      connect({ port, host: '127.0.0.1' }),
    ),
  TLS: () => {
    using authority = new TestAuthority();
    const { key, chain: cert, roots: ca } = authority.issue('spiffe://test/ns/a/sa/b');
    return accept(createTlsServer({ key, cert }), 'secureConnection', (port) =>
      connectTls({ port, ca, checkServerIdentity: () => undefined }),
    );
  },
};

describe.for(Object.entries(TRANSPORTS))('over %s', ([, open]) => {
  test('bytes of many sockets that share the buffer do not mix', async () => {
    const pairs = await Promise.all(Array.from({ length: 5 }, open));
    const received = pairs.map(([client, server], index) => {
      const chunks: Buffer[] = [];
      readShared(server, (bytes) => chunks.push(Buffer.from(bytes)) > 0);
      server.resume();
      for (let n = 0; n < 50; n++) client.write(Buffer.alloc(20_000, index));
      client.end();
      return once(server, 'end').then(() => Buffer.concat(chunks));
    });
    for (const [index, bytes] of (await Promise.all(received)).entries()) {
      expect(bytes.equals(Buffer.alloc(1_000_000, index))).toBe(true);
    }
  });

  test('every read arrives in the same memory', async () => {
    const memory = new Set<ArrayBufferLike>();
    const pairs = [await open(), await open()];
    for (const [client, server] of pairs) {
      readShared(server, (bytes) => memory.add(bytes.buffer).size > 0);
      server.resume();
      client.end('hello');
      await once(server, 'end');
    }
    expect(memory.size).toBe(1);
  });

  test('a listener that answers false is left alone until the socket is resumed', async () => {
    const [client, server] = await open();
    let received = 0;
    let hasRoom = false;
    readShared(server, (bytes) => {
      received += bytes.length;
      return hasRoom;
    });
    server.resume();
    client.end(Buffer.alloc(8_000_000));
    await expect.poll(() => received).toBeGreaterThan(0);
    for (let n = 0; n < 50; n++) await turn();
    expect(received).toBeLessThan(1_000_000);
    hasRoom = true;
    server.resume();
    await once(server, 'end');
    expect(received).toBe(8_000_000);
  });
});

test('a stream that is no socket is read by its data events, what it held before included', async () => {
  const stream = new PassThrough();
  stream.write('early ');
  const words: string[] = [];
  readShared(stream, (bytes) => words.push(bytes.toString()) > 0);
  stream.end('late');
  await once(stream, 'end');
  expect(words.join('')).toBe('early late');
});
