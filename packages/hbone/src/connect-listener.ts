import { constants, type X509Certificate } from 'node:crypto';
import {
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Identity } from '@aquifer/model';
import {
  CONNECTION_WINDOW_BYTES,
  keepAlive,
  MAX_FRAME_BYTES,
  MAX_STREAMS_AS_SERVER,
  STREAM_WINDOW_BYTES,
} from './http2-settings.ts';
import { spiffeIdentities } from './peer-identity.ts';
import { HBONE_ALPN, TLS_OPTIONS, type WorkloadCertificate } from './tls.ts';

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
  header(name: string): string | null;
  /** Answers 200 and hands over the byte stream. */
  accept(headers?: Readonly<Record<string, string>>): Duplex;
  /** Answers with the status, without a body, and ends the stream. */
  refuse(status: number): void;
  /** Called if the client gives up before an answer. */
  onAbort(listener: () => void): void;
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
  readonly maxConcurrentStreams?: number;
  readonly onConnect: (request: ConnectRequest) => void;
  /** A connection that never became a tunnel: plaintext, a bad certificate, a stranger. */
  readonly onHandshakeFailed: (peer: FailedPeer, error: Error) => void;
}

/** Terminates HBONE: mTLS with a SPIFFE client certificate, HTTP/2, CONNECT. */
export class ConnectListener {
  readonly server: Server;
  readonly #options: ConnectListenerOptions;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(options: ConnectListenerOptions) {
    this.#options = options;
    this.server = createServer({
      ...contextOptions(options.certificate),
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
      options.onHandshakeFailed(addressOf(socket), error);
      socket.destroy();
    });
  }

  /** Takes effect for connections accepted from now on. */
  setCertificate(certificate: WorkloadCertificate): void {
    this.server.setSecureContext(contextOptions(certificate));
  }

  /** Stops accepting and lets open streams finish; new streams are refused. */
  drain(): void {
    this.server.close();
    for (const session of this.#sessions) session.close();
  }

  /** Ends everything now. */
  abort(): void {
    this.server.close();
    for (const session of this.#sessions) session.destroy();
  }

  #onSecureConnection(socket: TLSSocket): void {
    const certificate = socket.getPeerX509Certificate();
    const identities = certificate === undefined ? [] : spiffeIdentities(certificate);
    const { trustDomain } = this.#options;
    if (certificate === undefined || !identities.some((id) => id.trustDomain === trustDomain)) {
      const got = identities.map((id) => id.trustDomain).join(',');
      const text = `identity verification error: expected trustdomain (${trustDomain}), got ${got}`;
      this.#options.onHandshakeFailed(addressOf(socket), new Error(text));
      socket.destroy();
      return;
    }
    const peer: TunnelPeer = {
      identity: identities[0]!,
      ...addressOf(socket),
      localPort: socket.localPort ?? 0,
      certificate,
    };
    this.#serve(socket, peer);
  }

  #serve(socket: TLSSocket, peer: TunnelPeer): void {
    const session = performServerHandshake(socket, {
      settings: {
        maxConcurrentStreams: this.#options.maxConcurrentStreams ?? MAX_STREAMS_AS_SERVER,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxFrameSize: MAX_FRAME_BYTES,
        maxHeaderListSize: 65_536,
      },
    });
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    session.on('error', () => session.destroy());
    keepAlive(session, () => session.destroy());
    session.on('stream', (stream, headers) => {
      this.#options.onConnect(new Http2ConnectRequest(peer, stream, headers));
    });
  }
}

function contextOptions(certificate: WorkloadCertificate) {
  return {
    ...TLS_OPTIONS,
    secureOptions: constants.SSL_OP_NO_TICKET,
    key: certificate.key,
    cert: certificate.chain,
    ca: certificate.roots,
  };
}

function addressOf(socket: TLSSocket): FailedPeer {
  return {
    ip: unmapped(socket.remoteAddress ?? ''),
    port: socket.remotePort ?? 0,
    localIp: unmapped(socket.localAddress ?? ''),
  };
}

function unmapped(ip: string): string {
  return ip.startsWith('::ffff:') ? ip.slice(7) : ip;
}

class Http2ConnectRequest implements ConnectRequest {
  readonly peer: TunnelPeer;
  readonly method: string;
  readonly authority: string;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: Readonly<Record<string, string | string[] | undefined>>;

  constructor(
    peer: TunnelPeer,
    stream: ServerHttp2Stream,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ) {
    this.peer = peer;
    this.#stream = stream;
    this.#headers = headers;
    this.method = this.header(':method') ?? '';
    this.authority = this.header(':authority') ?? '';
    // Until someone splices it, an aborted stream must not crash the process.
    stream.on('error', () => undefined);
  }

  header(name: string): string | null {
    const value = this.#headers[name];
    if (value === undefined) return null;
    return typeof value === 'string' ? value : value.join(',');
  }

  accept(headers: Readonly<Record<string, string>> = {}): Duplex {
    if (!this.#stream.destroyed) this.#stream.respond({ ':status': 200, ...headers });
    return this.#stream;
  }

  refuse(status: number): void {
    if (this.#stream.destroyed) return;
    this.#stream.respond({ ':status': status }, { endStream: true });
    this.#stream.resume();
    // The answer must leave before the reset that frees the client's half of the stream.
    setImmediate(() => {
      this.#stream.close();
    });
  }

  onAbort(listener: () => void): void {
    this.#stream.once('close', listener);
  }
}
