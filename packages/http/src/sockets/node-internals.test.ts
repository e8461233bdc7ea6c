import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import { acceptedSocket, readInto } from './node-internals.ts';

test('this version of Node lets a socket read into our buffer', async () => {
  const server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  const ours = Buffer.alloc(100);
  const read = Promise.withResolvers<string>();
  const isShared = readInto(socket, ours, (length, buffer) => {
    if (buffer === ours) read.resolve(buffer.toString('latin1', 0, length));
    return true;
  });
  expect(isShared).toBe(true);
  socket.resume();
  expect(await read.promise).toBe('hello');
});

test('this version of Node tells which accepted socket became a TLS socket', async () => {
  using authority = new TestAuthority();
  const { key, chain: cert, roots: ca } = authority.issue('spiffe://cluster.local/ns/a/sa/b');
  const server = createTlsServer({ key, cert }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const secured = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const { port } = server.address() as AddressInfo;
  const client = connectTls({ port, host: '127.0.0.1', ca, checkServerIdentity: () => undefined });
  onTestFinished(() => void client.destroy());
  expect(acceptedSocket((await secured)[0])).toBe((await accepted)[0]);
});
