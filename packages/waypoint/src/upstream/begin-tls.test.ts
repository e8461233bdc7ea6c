import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import type { UpstreamTls } from '../compile/upstream-tls.ts';
import { beginTls } from './begin-tls.ts';

function authority(): TestAuthority {
  const made = new TestAuthority();
  onTestFinished(() => made[Symbol.dispose]());
  return made;
}

/** The port of a server with a certificate for that name, and for spiffe://td/x. */
async function startServer(signer: TestAuthority, dnsName = 'cart.test'): Promise<number> {
  const { key, chain } = signer.issue('spiffe://td/x', { dnsName });
  const server = createServer({ key, cert: chain }, (socket) => socket.end('hello'));
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function begin(port: number, pem: string, names: UpstreamTls['names']): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  const roots = { kind: 'given', pem } as const;
  const tls = { serverName: 'cart.test', alpn: [], roots, names, certificate: null };
  const [bytes] = await once(await beginTls(socket, tls), 'data');
  return String(bytes);
}

test('an authority that configuration brings is believed, for the names that it says', async () => {
  const signer = authority();
  const port = await startServer(signer);
  expect(await begin(port, signer.rootPem, ['cart.test'])).toBe('hello');
  await expect(begin(port, signer.rootPem, ['nobody.invalid'])).rejects.toThrow(
    'the certificate is for none of nobody.invalid',
  );
});

test('another authority than the one that signed is not believed', async () => {
  const port = await startServer(authority());
  await expect(begin(port, authority().rootPem, ['cart.test'])).rejects.toThrow('unable to verify');
});

test.for([
  ['spiffe://td/x', 'hello'],
  ['spiffe://td/X', 'none of'],
  ['a.shop.test', 'hello'],
  ['a.b.shop.test', 'none of'],
  ['shop.test', 'none of'],
] as const)(
  'a certificate for spiffe://td/x and *.shop.test, asked for %s: %s',
  async ([name, said]) => {
    const signer = authority();
    const port = await startServer(signer, '*.shop.test');
    expect(await begin(port, signer.rootPem, [name]).catch(String)).toContain(said);
  },
);
