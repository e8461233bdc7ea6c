import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type SecureContextOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import { boundListener } from './bound-listener.ts';

const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';
const CLIENT = 'spiffe://cluster.local/ns/shop/sa/client';

const authority = new TestAuthority();
const strangers = new TestAuthority();
const folder = mkdtempSync(join(tmpdir(), 'aquifer-bound-listener-'));
const paths = {
  chainPath: join(folder, 'cert-chain.pem'),
  keyPath: join(folder, 'key.pem'),
  rootsPath: join(folder, 'root-cert.pem'),
};
const { chain, key, roots } = authority.issue(SERVER);
writeFileSync(paths.chainPath, chain);
writeFileSync(paths.keyPath, key);
writeFileSync(paths.rootsPath, roots);

/** Tells every client who it is. */
const listener = boundListener(paths, (socket, principal) => socket.end(principal));

beforeAll(async () => {
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
});
afterAll(() => {
  listener.close();
  authority[Symbol.dispose]();
  strangers[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function port(): number {
  return (listener.address() as AddressInfo).port;
}

/** What the listener says to a client with this key and certificate: nothing, or an error, if it is cut off. */
function answerTo(offer: SecureContextOptions): Promise<string> {
  return text(
    connect({ port: port(), host: '127.0.0.1', ca: roots, ...offer, checkServerIdentity }),
  );
}

/** By its SPIFFE identity, not by the name of a host. */
function checkServerIdentity(): undefined {
  return undefined;
}

describe('a listener with mutual TLS', () => {
  test('knows a client by the identity in its certificate', async () => {
    const client = authority.issue(CLIENT);
    expect(await answerTo({ key: client.key, cert: client.chain })).toBe(CLIENT);
  });

  test('cuts off clients without a certificate, and those of another authority', async () => {
    const stranger = strangers.issue(CLIENT);
    const hears = (offer: SecureContextOptions) => answerTo(offer).catch(() => '');
    expect(await hears({})).toBe('');
    expect(await hears({ key: stranger.key, cert: stranger.chain })).toBe('');
  });

  test('cuts off plaintext', async () => {
    const socket = connectTcp(port(), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: server\r\n\r\n');
    expect(await text(socket)).not.toContain('spiffe');
  });
});
