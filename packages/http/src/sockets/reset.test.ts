import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { resetSocket } from './reset.ts';

async function connectedPair(): Promise<{ readonly own: Socket; readonly peer: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true });
  const [own] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    peer.destroy();
    server.close();
  });
  return { own, peer };
}

test('an idle socket is reset', async () => {
  const { own, peer } = await connectedPair();
  resetSocket(own);
  await expect(once(peer, 'data')).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('a peer that has not been sent everything sees a reset, though the end was asked for', async () => {
  const { own, peer } = await connectedPair();
  peer.pause();
  own.end(Buffer.alloc(50_000_000));
  await once(peer, 'connect');
  resetSocket(own);
  await expect(buffer(peer)).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('a socket whose end is under way is closed after what it sent', async () => {
  const { own, peer } = await connectedPair();
  own.end('all');
  const closed = once(own, 'close');
  resetSocket(own);
  await closed;
  expect((await buffer(peer)).toString()).toBe('all');
});
