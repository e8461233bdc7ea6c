import { once } from 'node:events';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer } from 'node:tls';
import { Http2Connection, type ServerExchange } from '@aquifer/http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { type Tunnels, tunnelsTo } from '../../../test/fixtures/tunnels.ts';
import { serverLimits } from './http2-settings.ts';
import type { WorkloadCertificate } from './tls.ts';
import type { AnswerTimes } from './tunnel.ts';

const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';
/** A tenth of the real ones. */
const SOON: AnswerTimes = {
  handshakeMs: 1000,
  probeAfterMs: 100,
  signOfLifeMs: 200,
  deadlineMs: 2000,
};

let authority: TestAuthority;
let certificate: WorkloadCertificate;
beforeAll(() => {
  authority = new TestAuthority();
  certificate = authority.issue(SERVER);
});
afterAll(() => {
  authority[Symbol.dispose]();
});

function accept(exchange: ServerExchange): void {
  exchange.respond({ status: 200, headers: [] }, null);
}

/** A peer that allows so many streams, in front of which a wire can be cut without anybody being told. */
async function startPeer(
  maxStreams: number,
  onRequest: (stream: ServerExchange) => void = accept,
  onConnection: (connection: Http2Connection) => void = () => undefined,
) {
  const { key, chain: cert, roots: ca } = certificate;
  const server = createServer({ key, cert, ca, ALPNProtocols: ['h2'] }, (socket) => {
    const connection = new Http2Connection(socket, {
      role: 'server',
      limits: serverLimits(maxStreams),
      onRequest,
      onClose: () => undefined,
    });
    sockets.push(() => connection.abort());
    onConnection(connection);
  });
  const sockets: (() => void)[] = [];
  const wires: [Socket, Socket][] = [];
  const wire = createTcpServer((client) => {
    const behind = connect((server.address() as AddressInfo).port, '127.0.0.1');
    for (const socket of [client, behind]) socket.on('error', () => undefined);
    client.pipe(behind).pipe(client);
    wires.push([client, behind]);
  });
  for (const each of [server, wire]) {
    each.listen(0, '127.0.0.1');
    await once(each, 'listening');
  }
  onTestFinished(() => {
    for (const end of sockets) end();
    for (const ends of wires) for (const socket of ends) socket.destroy();
    server.close();
    wire.close();
  });
  const { port } = wire.address() as AddressInfo;
  return {
    /** A pool for this peer. */
    tunnels: (maxStreams?: number, dial?: () => Promise<Socket>): Tunnels =>
      tunnelsTo(port, {
        certificate,
        answerTimes: SOON,
        ...(maxStreams !== undefined && { maxStreams }),
        ...(dial && { dial }),
      }),
    port,
    /** From now on nothing passes, in neither direction, and nobody hears of it. */
    cutSilently: () => {
      for (const [client, behind] of wires.splice(0)) {
        client.unpipe();
        behind.unpipe();
        client.pause();
        behind.pause();
      }
    },
  };
}

test('a thousand connects at once to a peer without a tunnel all get a stream, on as few tunnels as hold them', async () => {
  const peer = await startPeer(200);
  const tunnels = peer.tunnels();
  const connects = Array.from({ length: 1000 }, () => tunnels.lease());
  const settled = await Promise.allSettled(connects);
  expect(settled.filter(({ status }) => status === 'rejected')).toEqual([]);
  expect([tunnels.dialled, tunnels.pool.size]).toEqual([10, 10]);
});

test('with room for one stream on a tunnel, two connects at once get a tunnel each (C184)', async () => {
  const peer = await startPeer(200);
  const tunnels = peer.tunnels(1);
  await Promise.all([tunnels.lease(), tunnels.lease()]);
  expect(tunnels.pool.size).toBe(2);
});

test('a peer that allows fewer streams than the pool is never asked for more', async () => {
  const peer = await startPeer(3);
  const tunnels = peer.tunnels();
  await Promise.all(Array.from({ length: 8 }, () => tunnels.lease()));
  expect([tunnels.dialled, tunnels.pool.size]).toEqual([3, 3]);
});

test('a peer that allows no streams fails its callers, and is not dialled for ever', async () => {
  const peer = await startPeer(0);
  const tunnels = peer.tunnels();
  await expect(tunnels.lease()).rejects.toThrow('allows no streams');
  expect(tunnels.dialled).toBe(1);
});

test('a tunnel whose peer vanished without a word costs the next connect seconds, not its failure', async () => {
  const peer = await startPeer(200);
  const tunnels = peer.tunnels();
  const first = await tunnels.lease();
  peer.cutSilently();
  await tunnels.lease();
  expect(tunnels.dialled).toBe(2);
  const startedMs = performance.now();
  await tunnels.lease();
  expect(performance.now() - startedMs).toBeLessThan(SOON.probeAfterMs);
  expect(tunnels.dialled).toBe(2);
  // What the silent tunnel carries is not cut on a suspicion.
  expect(first.exchange.isOver).toBe(false);
});

test('a peer that lives but never answers a CONNECT fails it at its deadline, and only once', async () => {
  let asked = 0;
  const peer = await startPeer(200, () => {
    asked += 1;
  });
  const startedMs = performance.now();
  await expect(peer.tunnels().lease()).rejects.toMatchObject({
    code: 'HB_NO_ANSWER',
    message: 'no answer to CONNECT within 2 s',
  });
  expect(performance.now() - startedMs).toBeGreaterThan(SOON.deadlineMs - 100);
  expect(asked).toBe(1);
});

test('an answer that takes long is waited for while the peer lives', async () => {
  const peer = await startPeer(200, (stream) => {
    setTimeout(() => accept(stream), 800);
  });
  const tunnels = peer.tunnels();
  await tunnels.lease();
  expect(tunnels.dialled).toBe(1);
});

test('a tunnel that is being made when the pool is aborted ends with it', async () => {
  const peer = await startPeer(200);
  const made: Socket[] = [];
  const tunnels = peer.tunnels(undefined, async () => {
    const socket = connect(peer.port, '127.0.0.1');
    await once(socket, 'connect');
    made.push(socket);
    return socket;
  });
  const leasing = tunnels.lease();
  await delay(0);
  tunnels.pool.abort();
  await expect(leasing).rejects.toThrow('has ended');
  await expect.poll(() => made.length).toBe(1);
  await expect.poll(() => made[0]!.destroyed).toBe(true);
  expect(tunnels.pool.size).toBe(0);
  await expect(tunnels.lease()).rejects.toThrow('has ended');
});

test('a caller that gives up waits no longer, and neither its stream nor its place in the queue stays', async () => {
  const asked: ServerExchange[] = [];
  const peer = await startPeer(1, (exchange) => void asked.push(exchange));
  const tunnels = peer.tunnels();
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const leases = Promise.allSettled([
    tunnels.lease('a:1', {}, { signal }),
    tunnels.lease('a:1', {}, { signal }),
    tunnels.lease('a:1', {}, { deadlineMs: 300 }),
  ]);
  await expect.poll(() => asked.length).toBeGreaterThan(0);
  giveUp.abort();
  expect(await leases).toMatchObject([
    { reason: { code: 'HB_GIVEN_UP' } },
    { reason: { code: 'HB_GIVEN_UP' } },
    { reason: { code: 'HB_NO_ANSWER', message: 'no stream within 0.3 s' } },
  ]);
  await expect.poll(() => asked.every(({ isOver }) => isOver)).toBe(true);
  const late = tunnels.lease('a:1', {}, { signal });
  await expect(late).rejects.toMatchObject({ code: 'HB_GIVEN_UP' });
});

test('who connects while the pool drains is still served, on a tunnel that nobody keeps', async () => {
  const peer = await startPeer(200);
  const tunnels = peer.tunnels();
  const connecting = tunnels.lease();
  tunnels.pool.drain();
  const { exchange } = await connecting;
  expect(tunnels.pool.size).toBe(0);
  expect(exchange.isOver).toBe(false);
  await tunnels.lease();
  expect(tunnels.pool.size).toBe(0);
});

test('a peer that keeps a connection alive without ever saying that it speaks HTTP/2 fails its callers in time', async () => {
  const { key, chain: cert, roots: ca } = certificate;
  const server = createServer({ key, cert, ca, ALPNProtocols: ['h2'] }, (socket) => {
    // The first bytes of SETTINGS, and then more of them, slowly.
    socket.write(Buffer.of(0, 6, 0, 4, 0, 0, 0, 0, 0));
    const trickle = setInterval(() => socket.write(Buffer.of(0)), 50);
    socket.on('close', () => clearInterval(trickle)).on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const answerTimes = { ...SOON, handshakeMs: 500 };
  const tunnels = tunnelsTo(port, { certificate, answerTimes });
  const connects = [tunnels.lease(), tunnels.lease()];
  const settled = await Promise.allSettled(connects);
  for (const each of settled) expect(each).toMatchObject({ reason: { code: 'HB_NO_ANSWER' } });
  await expect
    .poll(() => new Promise((resolve) => server.getConnections((_, n) => resolve(n))))
    .toBe(0);
});

/** The same numbers for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test.each([1, 2, 3, 4])(
  'whatever a peer does and whenever the pool ends, every connect settles and no tunnel stays (%i)',
  async (seed) => {
    const random = randomNumbers(seed);
    const connections: Http2Connection[] = [];
    const answers: ((exchange: ServerExchange) => void)[] = [
      accept,
      accept,
      (exchange) => exchange.reset('REFUSED_STREAM'),
      (exchange) => exchange.respond({ status: 503, headers: [] }, 0),
      () => undefined,
    ];
    const peer = await startPeer(
      3,
      (stream) => answers[Math.floor(random() * answers.length)]!(stream),
      (connection) => {
        connections.push(connection);
        if (random() < 0.2) connection.close();
      },
    );
    let most = 0;
    const made: Socket[] = [];
    const tunnels = peer.tunnels(2, async () => {
      if (random() < 0.1) throw new Error('refused');
      const socket = connect(peer.port, '127.0.0.1');
      made.push(socket);
      await once(socket, 'connect');
      return socket;
    });
    const connects: Promise<unknown>[] = [];
    for (let step = 0; step < 60; step++) {
      const used = tunnels.lease().then(async ({ exchange }) => {
        most = Math.max(most, ...connections.map(({ openStreams }) => openStreams));
        await delay(random() * 30);
        exchange.reset('CANCEL');
      });
      connects.push(used.catch(() => undefined));
      const deed = random();
      if (deed < 0.1) connections.at(-1)?.close();
      else if (deed < 0.15) connections.at(-1)?.abort();
      else if (deed < 0.18) peer.cutSilently();
      if (random() < 0.5) await delay(random() * 10);
    }
    if (random() < 0.5) tunnels.pool.drain();
    else tunnels.pool.abort();
    await Promise.all(connects);
    expect(most).toBeLessThanOrEqual(2);
    tunnels.pool.abort();
    expect(tunnels.pool.size).toBe(0);
    const open = (): number => made.filter(({ destroyed }) => !destroyed).length;
    await expect.poll(open, { timeout: 5000 }).toBe(0);
  },
);

test('a peer that takes connections only to end them fails its callers, and is not dialled for ever', async () => {
  const peer = await startPeer(200, accept, (connection) => connection.close());
  const tunnels = peer.tunnels();
  const connects = Array.from({ length: 20 }, () => tunnels.lease());
  const settled = await Promise.allSettled(connects);
  expect(settled.map(({ status }) => status)).toEqual(Array(20).fill('rejected'));
  expect(settled[0]).toMatchObject({ reason: { code: 'HB_HTTP2_FAILED' } });
  expect(tunnels.dialled).toBe(3);
});

test('tunnels that their peer ends with its first words are kept by nobody', async () => {
  const peer = await startPeer(200, accept, (connection) => connection.close());
  const tunnels = peer.tunnels();
  const leases = Array.from({ length: 10 }, () => tunnels.lease());
  await Promise.allSettled(leases);
  expect(tunnels.pool.size).toBe(0);
});
