import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type SecureContextOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { boundListener } from './bound-listener.ts';

const POLL_MS = 50;
const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';
const RENEWED = 'spiffe://cluster.local/ns/shop/sa/renewed';
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
const listener = boundListener(paths, (socket, principal) => socket.end(principal), POLL_MS);

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

/** What the listener's certificate is for. */
async function serverName(): Promise<string | undefined> {
  const socket = connect({ port: port(), host: '127.0.0.1', rejectUnauthorized: false });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const name = socket.getPeerX509Certificate()?.subjectAltName;
  socket.destroy();
  return name;
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

  test('trusts another authority as soon as the file of roots says so, and the one before no more', async () => {
    const [known, stranger] = [authority.issue(CLIENT), strangers.issue(CLIENT)];
    const hears = (client: typeof known) =>
      answerTo({ key: client.key, cert: client.chain }).catch(() => '');
    writeFileSync(paths.rootsPath, stranger.roots);
    await eventually(async () => (await hears(stranger)) === CLIENT, { what: 'the new root' });
    expect(await hears(known)).toBe('');
  });

  test.for(['', 'no certificate'])(
    'keeps to the roots that it has when the file says %j',
    async (text) => {
      writeFileSync(paths.rootsPath, text);
      await delay(4 * POLL_MS);
      const stranger = strangers.issue(CLIENT);
      expect(await answerTo({ key: stranger.key, cert: stranger.chain })).toBe(CLIENT);
    },
  );

  test('takes a certificate whose key is written after it', async () => {
    const renewed = authority.issue(RENEWED);
    writeFileSync(paths.chainPath, renewed.chain);
    await delay(4 * POLL_MS);
    expect(await serverName()).toBe(`URI:${SERVER}`);
    writeFileSync(paths.keyPath, renewed.key);
    writeFileSync(paths.rootsPath, strangers.issue(CLIENT).roots);
    await eventually(async () => (await serverName()) === `URI:${RENEWED}`, {
      what: 'the new key',
    });
  });
});
