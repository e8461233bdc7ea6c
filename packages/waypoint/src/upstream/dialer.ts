import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { openTunnel, TunnelPool } from '@aquifer/hbone';
import { formatIdentity, type Identity } from '@aquifer/model';
import { formatSocketAddress } from '@aquifer/wire';
import type { HostAddress } from '../clusters/host.ts';

const HBONE_PORT = 15_008;
const CONNECT_TIMEOUT_MS = 10_000;

export interface DialerOptions {
  /** TLS context of this proxy's own identity; null while there is no certificate. */
  readonly secureContext: () => SecureContext | null;
  /** Prefixes of SPIFFE URIs of which a tunnel's peer must match one. */
  readonly trustedPrefixes: () => readonly string[];
  /** Who this proxy says it is, for `baggage`. */
  readonly baggage: string;
}

/** Opens byte streams to endpoints: plain TCP, or a CONNECT stream on a pooled tunnel. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #tunnels = new TunnelPool();

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** Throws if the endpoint cannot be reached or is not who it should be. */
  async dial(address: HostAddress): Promise<Duplex> {
    if (address.kind === 'plain') return connectTcp(address.ip, address.port);
    const authority = formatSocketAddress(address);
    const key = address.ip;
    const { stream } = await this.#tunnels.connect(key, () => this.#openTunnel(address.ip), {
      authority,
      headers: { baggage: this.#options.baggage },
    });
    return stream.duplex();
  }

  close(): void {
    this.#tunnels.drain();
  }

  async #openTunnel(ip: string) {
    const secureContext = this.#options.secureContext();
    if (secureContext === null) throw new Error('no certificate of our own yet');
    const socket = await connectTcp(ip, HBONE_PORT);
    const prefixes = this.#options.trustedPrefixes();
    return openTunnel(socket, {
      secureContext,
      verifyPeer: (presented) => judge(presented, prefixes),
    });
  }
}

function judge(presented: readonly Identity[], prefixes: readonly string[]): string | null {
  const got = presented.map(formatIdentity);
  if (got.some((san) => prefixes.some((prefix) => san.startsWith(prefix)))) return null;
  return `peer did not present an expected SAN (${prefixes.join(', ')}), got ${got.join(', ')}`;
}

function connectTcp(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    const timer = setTimeout(
      () => socket.destroy(new Error('connection timeout')),
      CONNECT_TIMEOUT_MS,
    );
    const onError = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}
