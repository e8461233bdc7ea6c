/**
 * Carries each connection to a port of 127.0.0.1 through HBONE to one service, as a node proxy does for its pods; what it
 * needs is in the JSON file that the only argument names.
 */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { hboneSecureContext, splice, TunnelPool } from '@aquifer/hbone';
import type { TestCertificate } from '../../fixtures/certificates.ts';

export interface TunnelClientConfig {
  readonly port: number;
  /** The waypoint. */
  readonly hop: { readonly ip: string; readonly port: number };
  /** `ip:port` of the service. */
  readonly authority: string;
  readonly certificate: TestCertificate;
}

const config = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as TunnelClientConfig;
const secureContext = hboneSecureContext(config.certificate);
const tunnels = new TunnelPool({
  dialer: {
    secureContext: () => secureContext,
    dial: async ({ ip: host, port }) => connect({ host, port, noDelay: true }),
  },
});

async function carry(socket: Socket): Promise<void> {
  const { exchange } = await tunnels.lease({
    hop: config.hop,
    identity: '',
    peer: { match: 'prefix', uris: ['spiffe://'] },
    clientIp: '',
    connect: { authority: config.authority, headers: {} },
  });
  await splice(socket, exchange, { received: () => undefined, sent: () => undefined });
}

const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  carry(socket).catch(() => socket.destroy());
});
server.listen(config.port, '127.0.0.1');
process.stdin.resume().once('end', () => process.exit(0));
