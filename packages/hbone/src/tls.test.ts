import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createServer,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { openTunnel } from './connect-dialer.ts';
import { ConnectListener } from './connect-listener.ts';
import { hboneSecureContext, type TlsRules, type WorkloadCertificate } from './tls.ts';

const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';
const ANY: TlsRules = { keyExchange: 'any', allowsTls12: false };
const PQC: TlsRules = { keyExchange: 'pqc', allowsTls12: false };
const OLD: TlsRules = { keyExchange: 'any', allowsTls12: true };

let authority: TestAuthority;
let server: WorkloadCertificate;
let client: WorkloadCertificate;
beforeAll(() => {
  authority = new TestAuthority();
  server = authority.issue(SERVER);
  client = authority.issue('spiffe://cluster.local/ns/shop/sa/client');
});
afterAll(() => {
  authority[Symbol.dispose]();
});

/** What a listener with these rules agrees on with a client that has only this; null if they do not agree. */
async function asServer(tlsRules: TlsRules, offer: ConnectionOptions): Promise<string | null> {
  const listener = new ConnectListener({
    certificate: server,
    trustDomain: 'cluster.local',
    tlsRules,
    onConnect: () => undefined,
    onHandshakeFailed: () => undefined,
  });
  onTestFinished(() => listener.abort());
  listener.server.listen(0, '127.0.0.1');
  await once(listener.server, 'listening');
  const { port } = listener.server.address() as AddressInfo;
  const socket = connect({
    ...{ port, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false },
    ...{ key: client.key, cert: client.chain },
    ...offer,
  });
  onTestFinished(() => void socket.destroy());
  return agreement(socket);
}

function agreement(socket: TLSSocket): Promise<string | null> {
  return new Promise((resolve) => {
    socket.once('secureConnect', () => resolve(describeTls(socket)));
    socket.once('error', () => resolve(null));
  });
}

function describeTls(socket: TLSSocket): string {
  return `${socket.getProtocol()} ${socket.getCipher().name}`;
}

/** Whether the handshake of a tunnel with these rules succeeds against a server that has only this. */
async function asClient(rules: TlsRules, offer: TlsOptions): Promise<boolean> {
  const agreed = Promise.withResolvers<boolean>();
  const listener = createServer(
    { key: server.key, cert: server.chain, ALPNProtocols: ['h2'], ...offer },
    () => agreed.resolve(true),
  );
  listener.on('tlsClientError', () => agreed.resolve(false));
  onTestFinished(() => void listener.close());
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = connectTcp((listener.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  openTunnel(socket, {
    secureContext: hboneSecureContext(client, rules),
    peer: { match: 'exact', uris: [SERVER] },
    onClose: () => undefined,
  }).catch(() => agreed.resolve(false));
  return agreed.promise;
}

const TLS12 = { maxVersion: 'TLSv1.2' } as const;
const CLASSIC = { ecdhCurve: 'X25519:P-256' };
const HYBRID = { ecdhCurve: 'X25519MLKEM768' };

describe('a listener', () => {
  test.for([
    ['by default', ANY, CLASSIC, 'TLSv1.3 TLS_AES_256_GCM_SHA384'],
    ['by default', ANY, TLS12, null],
    ['that must be safe from quantum computers', PQC, HYBRID, 'TLSv1.3 TLS_AES_256_GCM_SHA384'],
    ['that must be safe from quantum computers', PQC, CLASSIC, null],
    ['with both', { ...PQC, allowsTls12: true }, TLS12, null],
    ['with TLS 1.2', OLD, TLS12, 'TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384'],
    ['with TLS 1.2', OLD, { ...TLS12, ciphers: 'ECDHE-ECDSA-AES128-SHA256' }, null],
    ['with TLS 1.2', OLD, {}, 'TLSv1.3 TLS_AES_256_GCM_SHA384'],
  ] as const)('%s: %o and a client with %o agree on %s', async ([, rules, offer, agreed]) => {
    expect(await asServer(rules, offer)).toBe(agreed);
  });
});

describe('a tunnel', () => {
  test.for([
    ['by default', ANY, CLASSIC, true],
    ['by default', ANY, TLS12, false],
    ['that must be safe from quantum computers', PQC, HYBRID, true],
    ['that must be safe from quantum computers', PQC, CLASSIC, false],
    ['with TLS 1.2', OLD, TLS12, true],
  ] as const)('%s: %o is made with a server that has %o: %s', async ([, rules, offer, made]) => {
    expect(await asClient(rules, offer)).toBe(made);
  });
});
