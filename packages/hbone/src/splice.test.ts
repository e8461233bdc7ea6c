import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../test/fixtures/eventually.ts';
import { splice } from './splice.ts';

const NO_COUNTERS = { received: () => undefined, sent: () => undefined };

/** Both ends of a TCP connection. */
async function pair(): Promise<readonly [client: Socket, server: Socket]> {
  const listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [[server]] = (await Promise.all([
    once(listener, 'connection'),
    once(client, 'connect'),
  ])) as [[Socket], unknown];
  listener.close();
  onTestFinished(() => {
    client.destroy();
    server.destroy();
  });
  return [client, server];
}

/** Reads what a socket has, as somebody does who wants to know what it carries. */
async function peek(socket: Socket): Promise<Buffer> {
  for (;;) {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) return chunk;
    await once(socket, 'readable');
  }
}

test('bytes that a stream holds already go to the other side, from both', async () => {
  const [client, downstream] = await pair();
  const [server, upstream] = await pair();
  client.end('from the client');
  server.end('from the server');
  downstream.unshift(await peek(downstream));
  upstream.unshift(await peek(upstream));
  let received = 0;
  const done = splice(downstream, upstream, {
    received: (bytes) => {
      received += bytes;
    },
    sent: () => undefined,
  });
  expect(String(await buffer(server))).toBe('from the client');
  expect(String(await buffer(client))).toBe('from the server');
  expect(await done).toBeNull();
  expect(received).toBe(15);
});

test('everything passes that came in several pieces before the splice began', async () => {
  const [client, downstream] = await pair();
  const [server, upstream] = await pair();
  downstream.resume();
  downstream.pause();
  for (const piece of ['one ', 'two ', 'three ']) {
    const held = downstream.readableLength;
    client.write(piece);
    await eventually(() => downstream.readableLength > held);
  }
  const done = splice(downstream, upstream, NO_COUNTERS);
  client.end('four');
  server.end();
  expect(String(await buffer(server))).toBe('one two three four');
  expect(await done).toBeNull();
});

test('what was read of a stream that has ended by now goes first, and its end after it', async () => {
  const [client, downstream] = await pair();
  const [server, upstream] = await pair();
  client.end('all of it');
  const early = await peek(downstream);
  downstream.resume();
  if (!downstream.readableEnded) await once(downstream, 'end');
  const done = splice(downstream, upstream, NO_COUNTERS, early);
  server.end('answer');
  expect(String(await buffer(server))).toBe('all of it');
  expect(String(await buffer(client))).toBe('answer');
  expect(await done).toBeNull();
});

test('a large block that is held already passes whole to a side that reads slowly', async () => {
  const [client, downstream] = await pair();
  const [server, upstream] = await pair();
  const block = Buffer.alloc(4_000_000, 'x');
  client.end(block);
  const first = await peek(downstream);
  downstream.unshift(first);
  server.pause();
  const done = splice(downstream, upstream, NO_COUNTERS);
  expect((await buffer(server)).length).toBe(block.length);
  server.end();
  client.resume();
  expect(await done).toBeNull();
});
