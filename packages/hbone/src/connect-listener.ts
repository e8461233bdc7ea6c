import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import {
  acceptedSocket,
  type Exchange,
  Http2Connection,
  joinHeader,
  type ServerExchange,
} from '@aquifer/http';
import { formatIdentity, type Identity, type MeshError } from '@aquifer/model';
import { type HboneErrorCode, revokedError, streamError } from './errors.ts';
import {
  type Http2Sizes,
  KEEP_ALIVE,
  MAX_STREAMS_AS_SERVER,
  SERVER_TIMES,
  serverLimits,
} from './http2-settings.ts';
import { spiffeIdentities } from './peer-identity.ts';
import type { Revocations } from './revocation/revocations.ts';
import { contextOptions, HBONE_ALPN, type TlsRules, type WorkloadCertificate } from './tls.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;

/** A verified client at the other end of a tunnel. */
export interface TunnelPeer {
  readonly identity: Identity;
  readonly ip: string;
  readonly port: number;
  /** The listener's own address on this connection. */
  readonly localIp: string;
  readonly localPort: number;
  readonly certificate: X509Certificate;
}

/** One request on a tunnel, before it is answered. Exactly one of `accept` and `refuse` is called. */
export interface ConnectRequest {
  readonly peer: TunnelPeer;
  readonly method: string;
  readonly authority: string;
  /** Only until `accept`. */
  header(name: string): string | null;
  /** Answers 200 and hands over the stream; what it carries waits for `receive`. */
  accept(headers?: Readonly<Record<string, string>>): Exchange;
  /** Answers with the status, without a body, and ends the stream. */
  refuse(status: number): void;
  /** Called, with what happened, if the client gives up before an answer, or its tunnel ends. */
  onAbort(listener: (error: MeshError<HboneErrorCode>) => void): void;
}

/** Where a connection that failed came from, and which of our addresses it dialled. */
interface FailedPeer {
  readonly ip: string;
  readonly port: number;
  readonly localIp: string;
}

export interface ConnectListenerOptions {
  readonly certificate: WorkloadCertificate;
  /** Clients of other trust domains are turned away after the handshake. */
  readonly trustDomain: string;
  /** Default: TLS 1.3 with any key exchange. */
  readonly tlsRules?: TlsRules;
  /** Refuse a client that is revoked, and end its tunnels when it becomes so. Default: nothing is revoked. */
  readonly revocations?: Revocations | null;
  readonly maxConcurrentStreams?: number;
  /** Default: as Istio's ztunnel. */
  readonly http2?: Http2Sizes;
  readonly onConnect: (request: ConnectRequest) => void;
  /** A connection that never became a tunnel: plaintext, a bad certificate, a stranger. */
  readonly onHandshakeFailed: (peer: FailedPeer, error: Error) => void;
}

/** Terminates HBONE: mTLS with a SPIFFE client certificate, HTTP/2, CONNECT. */
export class ConnectListener {
  readonly server: Server;
  readonly #options: ConnectListenerOptions;
  /** What clients are verified against. */
  #roots: string;
  readonly #connections = new Set<Http2Connection>();
  #phase: 'serving' | 'draining' | 'aborted' = 'serving';
  /** Of accepted sockets: one whose client gave up does not know them any more. */
  readonly #addresses = new WeakMap<Socket, FailedPeer>();

  constructor(options: ConnectListenerOptions) {
    this.#options = options;
    this.#roots = options.certificate.roots;
    this.server = createServer({
      ...contextOptions(options.certificate, options.tlsRules),
      ALPNProtocols: [...HBONE_ALPN],
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      noDelay: true,
    });
    this.server.on('secureConnection', (socket) => {
      this.#onSecureConnection(socket);
    });
    this.server.on('tlsClientError', (error, socket) => {
      const text = `tls handshake error: ${handshakeErrorText(error)}`;
      options.onHandshakeFailed(this.#addressOf(socket), new Error(text, { cause: error }));
      socket.destroy();
    });
    this.server.on('connection', (socket) => this.#addresses.set(socket, addressOf(socket)));
  }

  /** Takes effect for connections accepted from now on. */
  setCertificate(certificate: WorkloadCertificate): void {
    this.#roots = certificate.roots;
    this.server.setSecureContext(contextOptions(certificate, this.#options.tlsRules));
  }

  /** Stops accepting and lets open streams finish; new streams are refused. */
  drain(): void {
    this.#phase = 'draining';
    this.server.close();
    for (const connection of this.#connections) connection.close();
  }

  /** Ends everything now. */
  abort(): void {
    this.#phase = 'aborted';
    this.server.close();
    for (const connection of this.#connections) connection.abort();
  }

  #onSecureConnection(socket: TLSSocket): void {
    const certificate = socket.getPeerX509Certificate();
    const identities = certificate === undefined ? [] : spiffeIdentities(certificate);
    const { trustDomain } = this.#options;
    if (certificate === undefined || !identities.some((id) => id.trustDomain === trustDomain)) {
      const got = identities.map(formatIdentity).join(',');
      const text = `tls handshake error: identity verification error: peer did not present the expected trustdomain (${trustDomain}), got ${got}`;
      this.#refuse(socket, new Error(text));
      return;
    }
    const { revocations = null } = this.#options;
    if (revocations !== null && !this.#watch(socket, certificate, revocations)) {
      this.#refuse(socket, revokedError('tls handshake error'));
      return;
    }
    const peer: TunnelPeer = {
      identity: identities[0]!,
      ...this.#addressOf(socket),
      localPort: socket.localPort ?? 0,
      certificate,
    };
    this.#serve(socket, peer);
  }

  #refuse(socket: TLSSocket, error: Error): void {
    this.#options.onHandshakeFailed(this.#addressOf(socket), error);
    socket.destroy();
  }

  /** Whether the client is not revoked; it is watched from now on. */
  #watch(socket: TLSSocket, certificate: X509Certificate, revocations: Revocations): boolean {
    const peer = { certificate, roots: this.#roots, role: 'client' } as const;
    const watch = revocations.watch(peer, () => {
      socket.destroy(revokedError('connection closed'));
    });
    if (watch === null) return false;
    socket.once('close', () => watch[Symbol.dispose]());
    return true;
  }

  #addressOf(socket: TLSSocket): FailedPeer {
    const accepted = acceptedSocket(socket);
    return (accepted && this.#addresses.get(accepted)) ?? addressOf(socket);
  }

  #serve(socket: TLSSocket, peer: TunnelPeer): void {
    const { maxConcurrentStreams = MAX_STREAMS_AS_SERVER, http2 } = this.#options;
    const connection = new Http2Connection(socket, {
      role: 'server',
      limits: serverLimits(maxConcurrentStreams, http2),
      keepAlive: KEEP_ALIVE,
      times: SERVER_TIMES,
      onRequest: (exchange) => this.#options.onConnect(new ReceivedConnect(peer, exchange)),
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    // It shook hands while the others were told.
    if (this.#phase === 'draining') connection.close();
    if (this.#phase === 'aborted') connection.abort();
  }
}

function addressOf(socket: Socket): FailedPeer {
  return {
    ip: unmapped(socket.remoteAddress ?? ''),
    port: socket.remotePort ?? 0,
    localIp: unmapped(socket.localAddress ?? ''),
  };
}

/** What ztunnel's TLS library says where OpenSSL says this. */
const HANDSHAKE_ERRORS: Readonly<Record<string, string>> = {
  'http request': 'Custom { kind: InvalidData, error: InvalidMessage(InvalidContentType) }',
  'wrong version number': 'Custom { kind: InvalidData, error: InvalidMessage(InvalidContentType) }',
  'packet length too long':
    'Custom { kind: InvalidData, error: InvalidMessage(InvalidContentType) }',
  'peer did not return a certificate':
    'Custom { kind: InvalidData, error: NoCertificatesPresented }',
};

function handshakeErrorText(error: Error): string {
  if (error.message === 'socket hang up') {
    return 'Custom { kind: UnexpectedEof, error: "tls handshake eof" }';
  }
  const { reason = error.message } = error as Error & { readonly reason?: string };
  return (Object.hasOwn(HANDSHAKE_ERRORS, reason) ? HANDSHAKE_ERRORS[reason] : null) ?? reason;
}

function unmapped(ip: string): string {
  return ip.startsWith('::ffff:') ? ip.slice(7) : ip;
}

class ReceivedConnect implements ConnectRequest {
  readonly peer: TunnelPeer;
  readonly method: string;
  readonly authority: string;
  readonly #exchange: ServerExchange;
  #isAnswered = false;

  constructor(peer: TunnelPeer, exchange: ServerExchange) {
    this.peer = peer;
    this.#exchange = exchange;
    this.method = exchange.head.method;
    this.authority = exchange.head.authority ?? '';
  }

  header(name: string): string | null {
    return joinHeader(this.#exchange.head.headers, name);
  }

  accept(headers: Readonly<Record<string, string>> = {}): Exchange {
    const list: string[] = [];
    for (const name of Object.keys(headers)) list.push(name, headers[name]!);
    this.#isAnswered = true;
    this.#exchange.respond({ status: 200, headers: list }, null);
    // Nobody asks for them any more, and the connection may stay open for days.
    this.#exchange.head.headers.length = 0;
    return this.#exchange;
  }

  refuse(status: number): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#exchange.respond({ status, headers: [] }, 0);
    // Frees the client's half of the stream, which nobody reads.
    this.#exchange.reset('NO_ERROR');
  }

  onAbort(listener: (error: MeshError<HboneErrorCode>) => void): void {
    this.#exchange.whenReset((error) => listener(streamError(error)));
  }
}
