import { once } from 'node:events';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer } from 'node:tls';
import { Http2Connection, type Http2Stream } from '@aquifer/http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { type AnswerTimes, openTunnel, type Tunnel } from './connect-dialer.ts';
import { serverLimits } from './http2-settings.ts';
import { expectSans } from './peer-identity.ts';
import { hboneSecureContext, type WorkloadCertificate } from './tls.ts';
import { TunnelPool } from './tunnel-pool.ts';

const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';
const HEAD = { authority: 'a:1', headers: {} };
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

function accept(stream: Http2Stream): void {
  stream.sendHeaders([':status', '200']);
  stream.pause();
}

/** A peer that allows so many streams, in front of which a wire can be cut without anybody being told. */
async function startPeer(
  maxStreams: number,
  onRequest: (stream: Http2Stream) => void = accept,
  onConnection: (connection: Http2Connection) => void = () => undefined,
) {
  const { key, chain: cert, roots: ca } = certificate;
  const server = createServer({ key, cert, ca, ALPNProtocols: ['h2'] }, (socket) => {
    const connection = new Http2Connection(socket, {
      role: 'server',
      limits: serverLimits(maxStreams),
      handler: { onReady: () => undefined, onRequest, onClose: () => undefined },
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
  let dialed = 0;
  return {
    dial: (): Promise<Tunnel> => {
      dialed += 1;
      return openTunnel(connect((wire.address() as AddressInfo).port, '127.0.0.1'), {
        secureContext: hboneSecureContext(certificate),
        verifyPeer: expectSans([SERVER]),
        answerTimes: SOON,
      });
    },
    dialed: () => dialed,
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

function newPool(maxStreams?: number): TunnelPool {
  const pool = new TunnelPool(maxStreams === undefined ? {} : { maxStreams });
  onTestFinished(() => pool.abort());
  return pool;
}

test('a thousand connects at once to a peer without a tunnel all get a stream, on as few tunnels as hold them', async () => {
  const peer = await startPeer(200);
  const pool = newPool();
  const connects = Array.from({ length: 1000 }, () => pool.connect('k', peer.dial, HEAD));
  const settled = await Promise.allSettled(connects);
  expect(settled.filter(({ status }) => status === 'rejected')).toEqual([]);
  expect([peer.dialed(), pool.size]).toEqual([10, 10]);
});

test('with room for one stream on a tunnel, two connects at once get a tunnel each', async () => {
  const peer = await startPeer(200);
  const pool = newPool(1);
  await Promise.all([pool.connect('k', peer.dial, HEAD), pool.connect('k', peer.dial, HEAD)]);
  expect(pool.size).toBe(2);
});

test('a peer that allows fewer streams than the pool is never asked for more', async () => {
  const peer = await startPeer(3);
  const pool = newPool();
  await Promise.all(Array.from({ length: 8 }, () => pool.connect('k', peer.dial, HEAD)));
  expect([peer.dialed(), pool.size]).toEqual([3, 3]);
});

test('a peer that allows no streams fails its callers, and is not dialled for ever', async () => {
  const peer = await startPeer(0);
  await expect(newPool().connect('k', peer.dial, HEAD)).rejects.toThrow('allows no streams');
  expect(peer.dialed()).toBe(1);
});

test('a tunnel whose peer vanished without a word costs the next connect seconds, not its failure', async () => {
  const peer = await startPeer(200);
  const pool = newPool();
  const first = await pool.connect('k', peer.dial, HEAD);
  peer.cutSilently();
  await pool.connect('k', peer.dial, HEAD);
  expect(peer.dialed()).toBe(2);
  const startedMs = performance.now();
  await pool.connect('k', peer.dial, HEAD);
  expect(performance.now() - startedMs).toBeLessThan(SOON.probeAfterMs);
  expect(peer.dialed()).toBe(2);
  // What the silent tunnel carries is not cut on a suspicion.
  expect(first.stream.http2.isClosed).toBe(false);
});

test('a peer that lives but never answers a CONNECT fails it at its deadline, and only once', async () => {
  let asked = 0;
  const peer = await startPeer(200, () => {
    asked += 1;
  });
  const startedMs = performance.now();
  await expect(newPool().connect('k', peer.dial, HEAD)).rejects.toMatchObject({
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
  await newPool().connect('k', peer.dial, HEAD);
  expect(peer.dialed()).toBe(1);
});

test('a tunnel that is being made when the pool is aborted ends with it', async () => {
  const peer = await startPeer(200);
  const pool = newPool();
  const made: Tunnel[] = [];
  const dial = async (): Promise<Tunnel> => {
    const tunnel = await peer.dial();
    made.push(tunnel);
    return tunnel;
  };
  const connecting = pool.connect('k', dial, HEAD);
  await delay(0);
  pool.abort();
  await expect(connecting).rejects.toThrow('has ended');
  await expect.poll(() => made.length).toBe(1);
  await expect.poll(() => made[0]!.isUsable).toBe(false);
  expect(pool.size).toBe(0);
  await expect(pool.connect('k', dial, HEAD)).rejects.toThrow('has ended');
});

test('who connects while the pool drains is still served, on a tunnel that nobody keeps', async () => {
  const peer = await startPeer(200);
  const pool = newPool();
  const connecting = pool.connect('k', peer.dial, HEAD);
  pool.drain();
  const { stream } = await connecting;
  expect(pool.size).toBe(0);
  expect(stream.http2.isClosed).toBe(false);
  await pool.connect('k', peer.dial, HEAD);
  expect(pool.size).toBe(0);
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
  const dial = (): Promise<Tunnel> =>
    openTunnel(connect(port, '127.0.0.1'), {
      secureContext: hboneSecureContext(certificate),
      verifyPeer: expectSans([SERVER]),
      answerTimes: { ...SOON, handshakeMs: 500 },
    });
  const pool = newPool();
  const connects = [pool.connect('k', dial, HEAD), pool.connect('k', dial, HEAD)];
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
    const answers: ((stream: Http2Stream) => void)[] = [
      accept,
      accept,
      (stream) => stream.reset('REFUSED_STREAM'),
      (stream) => stream.sendHeaders([':status', '503'], true),
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
    const pool = newPool(2);
    const made: Tunnel[] = [];
    let most = 0;
    const dial = async (): Promise<Tunnel> => {
      if (random() < 0.1) throw new Error('refused');
      const tunnel = await peer.dial();
      made.push(tunnel);
      return tunnel;
    };
    const connects: Promise<unknown>[] = [];
    for (let step = 0; step < 60; step++) {
      const used = pool.connect('k', dial, HEAD).then(async ({ stream }) => {
        most = Math.max(most, ...made.map(({ openStreams }) => openStreams));
        await delay(random() * 30);
        stream.http2.reset('CANCEL');
      });
      connects.push(used.catch(() => undefined));
      const deed = random();
      if (deed < 0.1) connections.at(-1)?.close();
      else if (deed < 0.15) connections.at(-1)?.abort();
      else if (deed < 0.18) peer.cutSilently();
      if (random() < 0.5) await delay(random() * 10);
    }
    if (random() < 0.5) pool.drain();
    else pool.abort();
    await Promise.all(connects);
    expect(most).toBeLessThanOrEqual(2);
    pool.abort();
    expect(pool.size).toBe(0);
    await expect.poll(() => made.filter(({ isUsable }) => isUsable)).toEqual([]);
  },
);

test('a peer that takes connections only to end them fails its callers, and is not dialled for ever', async () => {
  const peer = await startPeer(200, accept, (connection) => connection.close());
  const pool = newPool();
  const connects = Array.from({ length: 20 }, () => pool.connect('k', peer.dial, HEAD));
  const settled = await Promise.allSettled(connects);
  expect(settled.map(({ status }) => status)).toEqual(Array(20).fill('rejected'));
  expect(settled[0]).toMatchObject({ reason: { code: 'HB_HTTP2_FAILED' } });
  expect(peer.dialed()).toBe(3);
});
