import { STATUS_CODES } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import type { Identity } from '@aquifer/model';
import { HboneError } from './errors.ts';
import {
  CONNECTION_WINDOW_BYTES,
  keepAlive,
  MAX_FRAME_BYTES,
  STREAM_WINDOW_BYTES,
} from './http2-settings.ts';
import { spiffeIdentities } from './peer-identity.ts';
import { HBONE_ALPN } from './tls.ts';

/** Beyond TCP's own 10 s: a peer that accepts and then stays silent must not hold a caller for ever. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

export interface DialOptions {
  readonly secureContext: SecureContext;
  /** Judges the SPIFFE identities that the peer proved: null to trust it, else why not. */
  readonly verifyPeer: (presented: readonly Identity[]) => string | null;
}

/** The answer to an accepted CONNECT. */
export interface ConnectedStream {
  readonly stream: Duplex;
  /** Identity that the peer proved in the TLS handshake. */
  readonly peerIdentity: Identity;
  header(name: string): string | null;
}

/** One mTLS HTTP/2 connection to a peer, carrying many CONNECT streams. */
export class Tunnel {
  readonly peerIdentity: Identity;
  readonly #session: ClientHttp2Session;
  #openStreams = 0;

  constructor(session: ClientHttp2Session, identity: Identity) {
    this.#session = session;
    this.peerIdentity = identity;
  }

  get openStreams(): number {
    return this.#openStreams;
  }

  /** False once the peer said GOAWAY, the connection failed, or it was closed here. */
  get isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** Limit the peer set for concurrent streams. */
  get maxStreams(): number {
    return this.#session.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
  }

  onClose(listener: () => void): void {
    this.#session.once('close', listener);
  }

  /** Resolves when the peer answered 200; any other answer, or none, is an `HboneError`. */
  connect(authority: string, headers: Readonly<Record<string, string>>): Promise<ConnectedStream> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ':method': 'CONNECT',
        ':authority': authority,
        ...headers,
      });
      this.#openStreams += 1;
      stream.once('close', () => {
        this.#openStreams -= 1;
      });
      const onError = (error: Error): void => {
        reject(
          new HboneError('HB_HTTP2_FAILED', `http2 error: ${error.message}`, { cause: error }),
        );
      };
      stream.once('error', onError);
      stream.once('response', (response) => {
        const status = response[':status'] ?? 0;
        if (status !== 200) {
          stream.resume();
          stream.close();
          reject(
            new HboneError(
              'HB_REFUSED_STATUS',
              `http status: ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd(),
              { status },
            ),
          );
          return;
        }
        resolve({
          stream: detached(stream, onError),
          peerIdentity: this.peerIdentity,
          header: (name) => (response[name] as string | undefined) ?? null,
        });
      });
      stream.once('close', () => {
        reject(new HboneError('HB_HTTP2_FAILED', 'http2 error: stream closed before a response'));
      });
    });
  }

  /** Ends the connection once its streams have finished. */
  close(): void {
    this.#session.close();
  }

  abort(): void {
    this.#session.destroy();
  }
}

function detached(stream: ClientHttp2Stream, onError: (error: Error) => void): Duplex {
  stream.off('error', onError);
  stream.on('error', () => undefined);
  return stream;
}

/**
 * Turns a TCP connection (connected or still connecting) into a tunnel: TLS with our certificate, the peer's
 * certificate verified against our roots and the expected identities, then HTTP/2.
 */
export async function openTunnel(socket: Socket, options: DialOptions): Promise<Tunnel> {
  const tls = await handshake(socket, options);
  const identity = verify(tls, options.verifyPeer);
  const session = connectHttp2('https://hbone', {
    createConnection: () => tls,
    settings: {
      enablePush: false,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxFrameSize: MAX_FRAME_BYTES,
      maxHeaderListSize: 16_384,
    },
  });
  await settingsExchanged(session);
  session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  session.on('error', () => session.destroy());
  keepAlive(session, () => session.destroy());
  return new Tunnel(session, identity);
}

function handshake(socket: Socket, options: DialOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({
      socket,
      secureContext: options.secureContext,
      ALPNProtocols: [...HBONE_ALPN],
      // The name is not the identity: SPIFFE URIs are compared after the handshake, and no SNI is sent.
      checkServerIdentity: () => undefined,
    });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      tls.destroy();
      reject(
        new HboneError('HB_TLS_FAILED', `tls handshake error: ${error.message}`, { cause: error }),
      );
    };
    const timer = setTimeout(() => {
      fail(new Error('timed out'));
    }, HANDSHAKE_TIMEOUT_MS);
    tls.once('error', fail);
    tls.once('close', () => {
      fail(new Error('connection closed'));
    });
    tls.once('secureConnect', () => {
      clearTimeout(timer);
      tls.off('error', fail);
      tls.removeAllListeners('close');
      resolve(tls);
    });
  });
}

function verify(tls: TLSSocket, verifyPeer: DialOptions['verifyPeer']): Identity {
  const certificate = tls.getPeerX509Certificate();
  const identities = certificate === undefined ? [] : spiffeIdentities(certificate);
  const mismatch = identities.length === 0 ? 'peer has no SPIFFE identity' : verifyPeer(identities);
  if (mismatch !== null) {
    tls.destroy();
    throw new HboneError('HB_IDENTITY_MISMATCH', mismatch);
  }
  return identities[0]!;
}

function settingsExchanged(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      session.destroy();
      reject(
        new HboneError('HB_HTTP2_FAILED', `http2 handshake error: ${error.message}`, {
          cause: error,
        }),
      );
    };
    const onClose = (): void => {
      fail(new Error('connection closed'));
    };
    session.once('error', fail);
    session.once('close', onClose);
    session.once('remoteSettings', () => {
      session.off('error', fail);
      session.off('close', onClose);
      resolve();
    });
  });
}
