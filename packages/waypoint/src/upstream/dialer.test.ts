import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Dialer } from './dialer.ts';

/** Nobody is there, and nobody says so: reserved for documentation (RFC 5737). */
const SILENT = '192.0.2.1';
/** Loopback without a server. */
const REFUSING = '127.0.0.9';

async function listen(host: string): Promise<number> {
  const server = createServer((socket) => socket.end()).listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const dialer = new Dialer({ secureContext: () => null, trustedPrefixes: () => [], baggage: '' });

test.for([
  ['refuses', REFUSING],
  ['is silent', SILENT],
] as const)('an endpoint whose first address %s is reached at the next', async ([, first]) => {
  const port = await listen('127.0.0.1');
  const address = { kind: 'plain' as const, ip: first, port, alternatives: ['127.0.0.1'] };
  const stream = await dialer.dial(address, 5000, null);
  expect(stream).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: port });
  stream.destroy();
});

test('an endpoint none of whose addresses answers cannot be reached', async () => {
  const port = await listen('127.0.0.1');
  const address = { kind: 'plain' as const, ip: REFUSING, port, alternatives: ['127.0.0.8'] };
  await expect(dialer.dial(address, 5000, null)).rejects.toThrow('ECONNREFUSED');
});
