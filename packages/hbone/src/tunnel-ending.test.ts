import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { eventually } from '../../../test/fixtures/eventually.ts';
import { type Tunnels, tunnelsTo } from '../../../test/fixtures/tunnels.ts';
import { ConnectListener } from './connect-listener.ts';
import { exchangeDuplex, whenTunnelEnds } from './exchange-duplex.ts';

/** Each end of a tunnel hears that the other goes away, and what the tunnel carries goes on. */
let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
afterAll(() => {
  authority[Symbol.dispose]();
});

async function open(options: { readonly idleMs?: number } = {}): Promise<{
  readonly listener: ConnectListener;
  readonly tunnels: Tunnels;
  readonly client: Duplex;
  readonly server: Duplex;
}> {
  const accepted = Promise.withResolvers<Duplex>();
  const listener = new ConnectListener({
    certificate: authority.issue('spiffe://cluster.local/ns/shop/sa/server'),
    trustDomain: 'cluster.local',
    onConnect: (request) => accepted.resolve(exchangeDuplex(request.accept())),
    onHandshakeFailed: () => undefined,
  });
  listener.server.listen(0, '127.0.0.1');
  await once(listener.server, 'listening');
  onTestFinished(() => listener.abort());
  const { port } = listener.server.address() as AddressInfo;
  const certificate = authority.issue('spiffe://cluster.local/ns/shop/sa/client');
  const tunnels = tunnelsTo(port, { certificate, ...options });
  const client = await tunnels.open();
  return { listener, tunnels, client, server: await accepted.promise };
}

function ending(stream: Duplex): Promise<void> {
  return new Promise((resolve) => whenTunnelEnds(stream, resolve));
}

const SAID = ['said afterwards', 'answered'];

/** What each end reads of what the other writes from now on, until its end. */
async function talk(one: Duplex, other: Duplex): Promise<string[]> {
  one.end(SAID[0]);
  other.end(SAID[1]);
  return [String(await buffer(other)), String(await buffer(one))];
}

test('a pool that drains tells the servers at once, whose streams go on', async () => {
  const { tunnels, client, server } = await open();
  tunnels.pool.drain();
  await ending(server);
  expect(await talk(client, server)).toEqual(SAID);
});

test('a listener that drains tells its clients, whose streams go on', async () => {
  const { listener, client, server } = await open();
  listener.drain();
  await ending(client);
  expect(await talk(client, server)).toEqual(SAID);
});

test('who asks later hears of it, too', async () => {
  const { listener, client } = await open();
  listener.drain();
  await ending(client);
  let isTold = false;
  whenTunnelEnds(client, () => {
    isTold = true;
  });
  expect(isTold).toBe(true);
});

test('a tunnel that is given up for idleness says nothing while a stream is open', async () => {
  const { tunnels, client, server } = await open({ idleMs: 50 });
  let isTold = false;
  whenTunnelEnds(server, () => {
    isTold = true;
  });
  await eventually(() => tunnels.pool.size === 0);
  expect(await talk(client, server)).toEqual(SAID);
  expect(isTold).toBe(false);
});
