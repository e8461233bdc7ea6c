import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { refuseSocket } from './plain-listener.ts';

/** A client of a server that turns everybody away, and how its connection ends. */
async function client(onConnect: (socket: Socket) => void): Promise<{ error: string; ms: number }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, refuseSocket);
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Before the server can have accepted it.
  const beganAtMs = performance.now();
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  onConnect(socket);
  const [error] = (await once(socket.resume(), 'error').catch((thrown: unknown) => [thrown])) as [
    NodeJS.ErrnoException,
  ];
  return { error: error.code ?? '', ms: performance.now() - beganAtMs };
}

test('a client that is turned away has connected, and is reset when it says something', async () => {
  // Nothing happens by itself.
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { error } = await client((socket) => void setImmediate(() => socket.write('GET /')));
  expect(error).toBe('ECONNRESET');
});

test('a client that waits to be spoken to is reset a moment later', async () => {
  const { error, ms } = await client(() => undefined);
  expect(error).toBe('ECONNRESET');
  expect(ms).toBeGreaterThan(40);
});
