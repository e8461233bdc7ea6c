import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { tunnelsTo } from '../../../test/fixtures/tunnels.ts';
import { ConnectListener } from './connect-listener.ts';
import { exchangeDuplex } from './exchange-duplex.ts';
import { hboneSecureContext, type WorkloadCertificate } from './tls.ts';
import type { TunnelLease } from './tunnel.ts';
import { TunnelPool, type TunnelPoolOptions, type TunnelTarget } from './tunnel-pool.ts';

const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';

let authority: TestAuthority;
let certificate: WorkloadCertificate;
let listener: ConnectListener;
let port: number;

async function listen(as: WorkloadCertificate): Promise<ConnectListener> {
  const made = new ConnectListener({
    certificate: as,
    trustDomain: 'cluster.local',
    onConnect: (request) => {
      const exchange = exchangeDuplex(request.accept());
      exchange.on('error', () => undefined).pipe(exchange);
    },
    onHandshakeFailed: () => undefined,
  });
  made.server.listen(0, '127.0.0.1');
  await once(made.server, 'listening');
  return made;
}

beforeAll(async () => {
  authority = new TestAuthority();
  certificate = authority.issue(SERVER);
  listener = await listen(certificate);
  ({ port } = listener.server.address() as AddressInfo);
});
afterAll(() => {
  listener.abort();
  authority[Symbol.dispose]();
});

/** A pool, and how many connections it has made and still has. */
function aPool(options: Omit<TunnelPoolOptions, 'dialer'> = {}) {
  const sockets: Socket[] = [];
  const secureContext = hboneSecureContext(certificate);
  const pool = new TunnelPool({
    ...options,
    dialer: {
      secureContext: () => secureContext,
      dial: async () => {
        const socket = connect(port, '127.0.0.1');
        sockets.push(socket);
        await once(socket, 'connect');
        return socket;
      },
    },
  });
  onTestFinished(() => pool.abort());
  return {
    pool,
    lease: (change: Partial<TunnelTarget> = {}): Promise<TunnelLease> =>
      pool.lease({
        hop: { ip: '127.0.0.1', port },
        identity: SERVER,
        peer: { match: 'exact', uris: [SERVER] },
        clientIp: '10.0.0.1',
        connect: { authority: 'a:1', headers: {} },
        ...change,
      }),
    made: () => sockets.length,
    open: () => sockets.filter(({ destroyed }) => !destroyed).length,
  };
}

async function use({ exchange }: TunnelLease): Promise<void> {
  const stream = exchangeDuplex(exchange);
  stream.end('hello');
  expect(String(await buffer(stream))).toBe('hello');
}

test('connections share a tunnel, at once and one after the other, and it ends with the pool (C180)', async () => {
  const { pool, lease, made, open } = aPool({ maxStreams: 3 });
  for (let round = 0; round < 2; round++) {
    await Promise.all((await Promise.all([lease(), lease()])).map(use));
  }
  expect([made(), open()]).toEqual([1, 1]);
  pool.drain();
  await expect.poll(open).toBe(0);
});

test('whoever calls, for whom, and whom, has tunnels of its own (C181)', async () => {
  const { lease, made } = aPool();
  const changes: Partial<TunnelTarget>[] = [
    {},
    { identity: 'spiffe://cluster.local/ns/shop/sa/client' },
    { clientIp: '10.0.0.2' },
    { hop: { ip: '127.0.0.2', port } },
    { peer: { match: 'exact', uris: [SERVER, 'spiffe://cluster.local/ns/shop/sa/other'] } },
  ];
  for (const change of [...changes, ...changes]) await lease(change);
  expect(made()).toBe(changes.length);
});

test('a full tunnel is joined by another, and more by more (C182)', async () => {
  const { lease, made } = aPool({ maxStreams: 2 });
  const first = await Promise.all(Array.from({ length: 4 }, () => lease()));
  expect(made()).toBe(2);
  await Promise.all(Array.from({ length: 5 }, () => lease()));
  expect(made()).toBe(5);
  // What has become free is used again.
  await Promise.all(first.map(use));
  await Promise.all([lease(), lease()]);
  expect(made()).toBe(5);
});

test.for([
  { streams: 100, keys: 1 },
  { streams: 100, keys: 100 },
  { streams: 300, keys: 3 },
])(
  '$streams connections at once of $keys callers make $keys tunnels (C185)',
  async ({ streams, keys }) => {
    const { lease, made } = aPool({ maxStreams: 101 });
    const leases = Array.from({ length: streams }, (_, i) =>
      lease({ clientIp: `10.0.0.${i % keys}` }),
    );
    await Promise.all((await Promise.all(leases)).map(use));
    expect(made()).toBe(keys);
  },
);

test('a tunnel that nobody uses any more is closed, and one that somebody uses is not (C186)', async () => {
  const unused = aPool({ idleMs: 100 });
  await use(await unused.lease());
  const used = aPool({ idleMs: 100 });
  const held = await used.lease();
  await expect.poll(unused.open).toBe(0);
  await expect.poll(() => used.pool.size).toBe(0);
  expect(used.open()).toBe(1);
  await use(held);
  await expect.poll(used.open).toBe(0);
});

test('peers of two authorities understand each other if both trust both (C154)', async () => {
  using other = new TestAuthority();
  const roots = `${authority.rootPem}\n${other.rootPem}`;
  const theirs = await listen({ ...other.issue(SERVER), roots });
  onTestFinished(() => theirs.abort());
  const { port: theirPort } = theirs.server.address() as AddressInfo;
  const trusting = tunnelsTo(theirPort, { certificate: { ...certificate, roots } });
  await use(await trusting.lease());
  const distrusting = tunnelsTo(theirPort, { certificate });
  await expect(distrusting.lease()).rejects.toMatchObject({ code: 'HB_TLS_FAILED' });
});
