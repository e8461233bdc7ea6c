import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { exchangeDuplex, type HboneSecureContext, TunnelPool } from '@aquifer/hbone';
import { formatSocketAddress } from '@aquifer/wire';
import type { HostAddress } from '../clusters/host.ts';
import type { UpstreamTls } from '../compile/upstream-tls.ts';
import { beginTls } from './begin-tls.ts';
import { publicAddresses } from './public-addresses.ts';

const HBONE_PORT = 15_008;
const TUNNEL_CONNECT_TIMEOUT_MS = 10_000;

export interface DialerOptions {
  /** TLS context of this proxy's own identity; null while there is no certificate. */
  readonly secureContext: () => HboneSecureContext | null;
  /** Prefixes of SPIFFE URIs of which a tunnel's peer must match one. */
  readonly trustedPrefixes: () => readonly string[];
  /** Who this proxy says it is, for `baggage`. */
  readonly baggage: string;
  /** What names that clients chose resolve to. Default: what DNS says, without addresses of this machine. */
  readonly addressesOf?: typeof publicAddresses;
}

/** An endpoint took too long to accept a connection. */
export class ConnectTimeout extends Error {
  constructor() {
    super('connection timeout');
    this.name = 'ConnectTimeout';
  }
}

/** Opens byte streams to endpoints: plain TCP, or a CONNECT stream on a pooled tunnel. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #tunnels: TunnelPool;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#tunnels = new TunnelPool({
      dialer: {
        secureContext: () => this.#secureContext(),
        dial: ({ ip, port }) => connectTcp([ip], port, TUNNEL_CONNECT_TIMEOUT_MS),
      },
    });
  }

  /**
   * Throws if the endpoint cannot be reached, not in time if without a tunnel, or is not who it should be. TLS is begun
   * within the tunnel.
   */
  async dial(
    address: HostAddress,
    connectTimeoutMs: number,
    tls: UpstreamTls | null,
  ): Promise<Duplex> {
    const stream = await this.#reach(address, connectTimeoutMs);
    return tls === null ? stream : await secured(stream, tls, connectTimeoutMs);
  }

  async #reach(address: HostAddress, connectTimeoutMs: number): Promise<Duplex> {
    if (address.kind === 'named') {
      const { addressesOf = publicAddresses } = this.#options;
      const found = await addressesOf(address.ip, address.family);
      return connectTcp(found, address.port, connectTimeoutMs);
    }
    if (address.kind === 'plain') {
      const { ip, port, alternatives = [] } = address;
      return connectTcp([ip, ...alternatives], port, connectTimeoutMs);
    }
    const { exchange } = await this.#tunnels.lease({
      hop: { ip: address.ip, port: HBONE_PORT },
      // The only one there is.
      identity: '',
      peer: { match: 'prefix', uris: this.#options.trustedPrefixes() },
      clientIp: '',
      connect: {
        authority: formatSocketAddress(address),
        headers: { baggage: this.#options.baggage },
      },
    });
    return exchangeDuplex(exchange);
  }

  close(): void {
    this.#tunnels.drain();
  }

  #secureContext(): HboneSecureContext {
    const secureContext = this.#options.secureContext();
    if (secureContext === null) throw new Error('no certificate of our own yet');
    return secureContext;
  }
}

async function secured(stream: Duplex, tls: UpstreamTls, timeoutMs: number): Promise<Duplex> {
  const timer = setTimeout(() => stream.destroy(new ConnectTimeout()), timeoutMs);
  try {
    return await beginTls(stream, tls);
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** To the first of an endpoint's addresses that answers: Node asks the next after 250 ms, families by turns (RFC 8305). */
function connectTcp(
  addresses: readonly string[],
  port: number,
  timeoutMs: number,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      // More than one is no address, so that `lookup` says which there are.
      host: addresses.join(),
      port,
      noDelay: true,
      allowHalfOpen: true,
      ...(addresses.length > 1 && { autoSelectFamily: true, lookup: answering(addresses) }),
    });
    const timer = setTimeout(() => socket.destroy(new ConnectTimeout()), timeoutMs);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      // Of several addresses none has answered: the last says why.
      reject(error instanceof AggregateError ? error.errors.at(-1) : error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

function answering(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_name, _options, done) => done(null, found);
}
