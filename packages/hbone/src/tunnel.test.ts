import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { type Tunnels, tunnelsTo } from '../../../test/fixtures/tunnels.ts';
import { openTunnel } from './connect-dialer.ts';
import { ConnectListener, type ConnectRequest } from './connect-listener.ts';
import { exchangeDuplex } from './exchange-duplex.ts';
import { splice } from './splice.ts';
import { hboneSecureContext, type WorkloadCertificate } from './tls.ts';

const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';
const CLIENT = 'spiffe://cluster.local/ns/shop/sa/client';
const NO_COUNT = { received: () => undefined, sent: () => undefined };

let authority: TestAuthority;
let certificates: {
  server: WorkloadCertificate;
  client: WorkloadCertificate;
  stranger: WorkloadCertificate;
};
beforeAll(() => {
  authority = new TestAuthority();
  certificates = {
    server: authority.issue(SERVER),
    client: authority.issue(CLIENT),
    stranger: authority.issue('spiffe://elsewhere.org/ns/shop/sa/client'),
  };
});
afterAll(() => {
  authority[Symbol.dispose]();
});

async function listen(
  onConnect: (request: ConnectRequest) => void,
  failures: string[] = [],
): Promise<{ port: number; listener: ConnectListener }> {
  const listener = new ConnectListener({
    certificate: certificates.server,
    trustDomain: 'cluster.local',
    onConnect,
    onHandshakeFailed: (_peer, error) => failures.push(error.message),
  });
  listener.server.listen(0, '127.0.0.1');
  await once(listener.server, 'listening');
  onTestFinished(() => {
    listener.abort();
  });
  return { port: (listener.server.address() as AddressInfo).port, listener };
}

function dial(
  port: number,
  options: { as?: WorkloadCertificate; expect?: string[]; maxStreams?: number } = {},
): Tunnels {
  const { as = certificates.client, expect: uris = [SERVER], ...rest } = options;
  return tunnelsTo(port, { certificate: as, peer: { match: 'exact', uris }, ...rest });
}

async function echoServer(): Promise<{ port: number; server: Server }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.pipe(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server };
}

/** Connects accepted streams to an echo server over TCP, as an inbound proxy does. */
async function proxyToEcho(): Promise<number> {
  const echo = await echoServer();
  const { port } = await listen((request) => {
    const upstream = connect({ port: echo.port, host: '127.0.0.1', allowHalfOpen: true });
    upstream.once('connect', () => {
      void splice(request.accept(), upstream, NO_COUNT);
    });
  });
  return port;
}

describe('a tunnel', () => {
  test('carries bytes both ways and keeps a half-closed connection open for the answer', async () => {
    const lease = await dial(await proxyToEcho()).lease('127.0.0.1:80');
    const stream = exchangeDuplex(lease.exchange);
    expect(lease.peerIdentity.serviceAccount).toBe('server');
    const payload = Buffer.alloc(3_000_000, 'abcdefg');
    stream.end(payload);
    expect((await buffer(stream)).equals(payload)).toBe(true);
  });

  test('tells the server who the client is', async () => {
    const seen: string[] = [];
    const { port } = await listen((request) => {
      seen.push(
        request.peer.identity.serviceAccount,
        request.method,
        request.authority,
        String(request.header('baggage')),
      );
      request.refuse(401);
    });
    await expect(
      dial(port).lease('10.0.0.3:8080', { baggage: 'k8s.namespace.name=shop' }),
    ).rejects.toThrow('http status: 401');
    expect(seen).toEqual(['client', 'CONNECT', '10.0.0.3:8080', 'k8s.namespace.name=shop']);
  });

  test('is not opened to a peer with another identity', async () => {
    const { port } = await listen((request) => {
      request.refuse(503);
    });
    const other = 'spiffe://cluster.local/ns/shop/sa/other';
    await expect(dial(port, { expect: [other] }).lease()).rejects.toThrow(
      `peer did not present the expected SAN (${other}), got ${SERVER}`,
    );
    await expect(dial(port, { expect: [] }).lease()).rejects.toThrow('expected SAN');
  });

  test('is not opened to a stranger, whatever the environment says about certificates', async () => {
    const { port } = await listen((request) => request.refuse(503));
    using foreign = new TestAuthority();
    const trusting = foreign.issue(CLIENT);
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    onTestFinished(() => {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    });
    const client = { ...certificates.client, roots: trusting.roots };
    await expect(dial(port, { as: client }).lease()).rejects.toMatchObject({
      code: 'HB_TLS_FAILED',
    });
  });

  test('is refused to a client of another trust domain (C082)', async () => {
    const failures: string[] = [];
    const { port } = await listen(() => expect.unreachable(), failures);
    const attempt = dial(port, { as: certificates.stranger }).lease();
    await expect(attempt).rejects.toThrow(/tls|http2/);
    expect(failures.join()).toContain(
      'expected trustdomain (cluster.local), got spiffe://elsewhere.org/',
    );
  });

  test('is refused to a client whose certificate another authority signed', async () => {
    using foreign = new TestAuthority();
    const forged = { ...foreign.issue(CLIENT), roots: authority.rootPem };
    const failures: string[] = [];
    const { port } = await listen(() => expect.unreachable(), failures);
    const attempt = dial(port, { as: forged }).lease();
    await expect(attempt).rejects.toThrow(/tls|http2/);
    expect(failures).toHaveLength(1);
  });

  test('garbage on the port ends that connection only', async () => {
    const failures: string[] = [];
    const { port } = await listen((request) => void request.accept(), failures);
    const tunnels = dial(port);
    await tunnels.lease();
    const garbage = connect(port, '127.0.0.1');
    garbage.write('GET / HTTP/1.1\r\n\r\n');
    garbage.resume();
    await once(garbage, 'close');
    expect(failures).toEqual([expect.stringMatching(/^tls handshake error: .*InvalidContentType/)]);
    await tunnels.lease();
    expect(tunnels.dialled).toBe(1);
  });

  test('a client that gives up before it has spoken is known by its addresses', async () => {
    const failed = Promise.withResolvers<object>();
    const listener = new ConnectListener({
      certificate: certificates.server,
      trustDomain: 'cluster.local',
      onConnect: () => expect.unreachable(),
      onHandshakeFailed: (peer, error) => failed.resolve({ ...peer, error: error.message }),
    });
    onTestFinished(() => listener.abort());
    listener.server.listen(0, '127.0.0.1');
    await once(listener.server, 'listening');
    const client = connect((listener.server.address() as AddressInfo).port, '127.0.0.1');
    await once(client, 'connect');
    const { localPort } = client;
    client.destroy();
    expect(await failed.promise).toEqual({
      ip: '127.0.0.1',
      port: localPort,
      localIp: '127.0.0.1',
      error: 'tls handshake error: Custom { kind: UnexpectedEof, error: "tls handshake eof" }',
    });
  });

  /** Whether a tunnel came of a handshake that was under way when its peer went away, and can still be used. */
  async function handshakeDuring(ending: 'drain' | 'abort'): Promise<boolean> {
    const { port, listener } = await listen((request) => request.refuse(500));
    const socket = connect({ host: '127.0.0.1', port });
    await once(listener.server, 'connection');
    listener[ending]();
    const tunnel = await openTunnel(socket, {
      secureContext: hboneSecureContext(certificates.client),
      peer: { match: 'exact', uris: [SERVER] },
      onClose: () => undefined,
    }).catch(() => null);
    // What the peer says right after the handshake has arrived by then.
    await delay(20);
    return tunnel?.isUsable ?? false;
  }

  test('is not usable if its peer went away during the handshake', async () => {
    expect(await handshakeDuring('drain')).toBe(false);
    expect(await handshakeDuring('abort')).toBe(false);
  });

  test('an upstream that resets ends the stream with an error, not a clean end', async () => {
    const rude = createServer((socket) => {
      socket.once('data', () => {
        socket.write('partial', () => socket.resetAndDestroy());
      });
    });
    rude.listen(0, '127.0.0.1');
    await once(rude, 'listening');
    onTestFinished(() => {
      rude.close();
    });
    const { port } = await listen((request) => {
      const upstream = connect((rude.address() as AddressInfo).port, '127.0.0.1');
      upstream.once('connect', () => void splice(request.accept(), upstream, NO_COUNT));
    });
    const stream = await dial(port).open();
    stream.write('hello');
    expect(await readEnd(stream)).toBe('cut');
  });
});

function readEnd(stream: Duplex): Promise<'end' | 'cut'> {
  return new Promise((resolve) => {
    stream.resume();
    stream.once('end', () => resolve('end'));
    stream.once('close', () => resolve('cut'));
  });
}

describe('the pool', () => {
  test('shares one tunnel between connections and opens another when it is full', async () => {
    const tunnels = dial(await proxyToEcho(), { maxStreams: 2 });
    await Promise.all([tunnels.lease(), tunnels.lease()]);
    expect(tunnels.pool.size).toBe(1);
    await tunnels.lease();
    expect(tunnels.pool.size).toBe(2);
  });

  test('a failed dial fails its callers and is forgotten', async () => {
    let mayFail = true;
    const port = await proxyToEcho();
    const tunnels = tunnelsTo(port, {
      certificate: certificates.client,
      dial: async (hop) => {
        if (mayFail) throw new Error('no route');
        return connect(hop.port, hop.ip);
      },
    });
    const attempts = await Promise.allSettled([tunnels.lease(), tunnels.lease()]);
    expect(attempts.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(tunnels.dialled).toBe(1);
    mayFail = false;
    await tunnels.lease();
  });

  test('a tunnel that the peer closed is not used again', async () => {
    const { port, listener } = await listen((request) => void request.accept());
    const tunnels = dial(port);
    await tunnels.lease();
    listener.abort();
    await expect.poll(() => tunnels.pool.size).toBe(0);
  });
});
