import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import {
  getHeader,
  type HeaderList,
  Http2Connection,
  type Http2Error,
  type Http2Stream,
  type Http2StreamListener,
} from '@aquifer/http';
import type { Identity } from '@aquifer/model';
import { HboneError } from './errors.ts';
import { CLIENT_LIMITS, KEEP_ALIVE } from './http2-settings.ts';
import { spiffeIdentities } from './peer-identity.ts';
import { HBONE_ALPN } from './tls.ts';
import { TunnelStream } from './tunnel-stream.ts';

/** How long a peer may take to answer, in ms. */
export interface AnswerTimes {
  /** For TLS and the first SETTINGS together: a peer that accepts and then stays silent must not hold a caller for ever. */
  readonly handshakeMs: number;
  /** Without an answer to CONNECT for so long, the peer is asked whether it is there. */
  readonly probeAfterMs: number;
  /** Without any sign of life for so long after that, the tunnel is not used for the time being. */
  readonly signOfLifeMs: number;
  /** Beyond the 10 s that the peer waits for its application, and the 5 s for its control plane. */
  readonly deadlineMs: number;
}

const ANSWER_TIMES: AnswerTimes = {
  handshakeMs: 10_000,
  probeAfterMs: 1000,
  signOfLifeMs: 2000,
  deadlineMs: 20_000,
};

export interface DialOptions {
  readonly secureContext: SecureContext;
  /** Judges the SPIFFE identities that the peer proved: null to trust it, else why not. */
  readonly verifyPeer: (presented: readonly Identity[]) => string | null;
  /**
   * Default: 10 s to make the connection. About a CONNECT the peer is asked after 1 s, given up for the time being 2 s
   * later, and at the latest after 20 s.
   */
  readonly answerTimes?: AnswerTimes;
}

/** The answer to an accepted CONNECT. */
export interface ConnectedStream {
  readonly stream: TunnelStream;
  /** Identity that the peer proved in the TLS handshake. */
  readonly peerIdentity: Identity;
  header(name: string): string | null;
}

/** One mTLS HTTP/2 connection to a peer, carrying many CONNECT streams. */
export class Tunnel {
  readonly peerIdentity: Identity;
  readonly #connection: Http2Connection;
  readonly #closed: Promise<void>;
  readonly #answerTimes: AnswerTimes;
  /** What the connection had read when its peer was found silent. */
  #silentSinceRead: number | null = null;

  /** `closed` resolves when the connection has ended. */
  constructor(
    connection: Http2Connection,
    options: {
      readonly identity: Identity;
      readonly closed: Promise<void>;
      readonly answerTimes: AnswerTimes;
    },
  ) {
    this.#connection = connection;
    this.peerIdentity = options.identity;
    this.#closed = options.closed;
    this.#answerTimes = options.answerTimes;
  }

  get openStreams(): number {
    return this.#connection.openStreams;
  }

  /** False once the peer said GOAWAY, the connection failed, or it was closed here. */
  get isUsable(): boolean {
    return this.#connection.isOpen;
  }

  /** The peer did not answer when it was asked, and has not been heard of since. Its streams live on. */
  get isSilent(): boolean {
    return this.#silentSinceRead === this.#connection.reads;
  }

  /** Limit the peer set for concurrent streams. */
  get maxStreams(): number {
    return this.#connection.maxStreams;
  }

  onClose(listener: () => void): void {
    void this.#closed.then(listener);
  }

  /**
   * Resolves when the peer answered 200; any other answer, or none, is an `HboneError`. The stream counts as open when
   * this returns.
   */
  connect(authority: string, headers: Readonly<Record<string, string>>): Promise<ConnectedStream> {
    return new Promise((resolve, reject) => {
      const attempt = new ConnectAttempt(this.peerIdentity, { resolve, reject });
      const list = [':method', 'CONNECT', ':authority', authority];
      for (const name of Object.keys(headers)) list.push(name, headers[name]!);
      try {
        attempt.stream = this.#connection.request(list, attempt, { isEnd: false });
        attempt.timer = setTimeout(() => this.#probe(attempt), this.#answerTimes.probeAfterMs);
      } catch (error) {
        reject(http2Failure('http2 error', error));
      }
    });
  }

  #probe(attempt: ConnectAttempt): void {
    const { probeAfterMs, signOfLifeMs, deadlineMs } = this.#answerTimes;
    const before = this.#connection.reads;
    this.#connection.ping();
    attempt.timer = setTimeout(() => {
      if (this.#connection.reads === before) {
        this.#silentSinceRead = before;
        attempt.giveUp('the peer gives no sign of life');
        return;
      }
      attempt.timer = setTimeout(
        () => attempt.giveUp(`no answer to CONNECT within ${deadlineMs / 1000} s`),
        deadlineMs - probeAfterMs - signOfLifeMs,
      );
    }, signOfLifeMs);
  }

  /** Ends the connection once its streams have finished. */
  close(): void {
    this.#connection.close();
  }

  abort(): void {
    this.#connection.abort();
  }
}

/** Waits for the answer to a CONNECT. */
class ConnectAttempt implements Http2StreamListener {
  stream: Http2Stream | null = null;
  /** Runs until there is an answer. */
  timer: NodeJS.Timeout | undefined;
  readonly #peerIdentity: Identity;
  readonly #resolve: (connected: ConnectedStream) => void;
  readonly #reject: (error: HboneError) => void;

  constructor(
    peerIdentity: Identity,
    settle: {
      readonly resolve: (connected: ConnectedStream) => void;
      readonly reject: (error: HboneError) => void;
    },
  ) {
    this.#peerIdentity = peerIdentity;
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
  }

  giveUp(why: string): void {
    this.stream!.reset('CANCEL');
    this.#reject(new HboneError('HB_NO_ANSWER', why));
  }

  onHeaders(headers: HeaderList): void {
    clearTimeout(this.timer);
    const stream = this.stream!;
    const status = Number(headers[1]);
    if (status !== 200) {
      stream.reset('CANCEL');
      const text = `http status: ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd();
      this.#reject(new HboneError('HB_REFUSED_STATUS', text, { status }));
      return;
    }
    stream.pause();
    this.#resolve({
      stream: new TunnelStream(stream),
      peerIdentity: this.#peerIdentity,
      header: (name) => getHeader(headers, name),
    });
  }

  onData(): void {
    // Never called: data follows the answer, and then another listener has taken the stream.
  }

  onEnd(): void {
    // As with data.
  }

  onDrain(): void {
    // Nothing was written.
  }

  onClose(error: Http2Error | null): void {
    clearTimeout(this.timer);
    const reason = error ?? new Error('stream closed before a response');
    this.#reject(http2Failure('http2 error', reason));
  }
}

function http2Failure(context: string, error: unknown): HboneError {
  const message = error instanceof Error ? error.message : String(error);
  return new HboneError('HB_HTTP2_FAILED', `${context}: ${message}`, { cause: error });
}

/**
 * Turns a TCP connection (connected or still connecting) into a tunnel: TLS with our certificate, the peer's
 * certificate verified against our roots and the expected identities, then HTTP/2. Settles within the time for that.
 */
export async function openTunnel(socket: Socket, options: DialOptions): Promise<Tunnel> {
  const answerTimes = options.answerTimes ?? ANSWER_TIMES;
  const tls = connectTls({
    socket,
    secureContext: options.secureContext,
    ALPNProtocols: [...HBONE_ALPN],
    // The name is not the identity: SPIFFE URIs are compared after the handshake, and no SNI is sent.
    checkServerIdentity: () => undefined,
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    tls.destroy();
  }, answerTimes.handshakeMs);
  try {
    await handshake(tls);
    const identity = verify(tls, options.verifyPeer);
    return await speakHttp2(tls, identity, answerTimes);
  } catch (error) {
    if (!isLate) throw error;
    const text = `no tunnel within ${answerTimes.handshakeMs / 1000} s: ${(error as Error).message}`;
    throw new HboneError('HB_NO_ANSWER', text, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function handshake(tls: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      tls.destroy();
      reject(
        new HboneError('HB_TLS_FAILED', `tls handshake error: ${error.message}`, { cause: error }),
      );
    };
    tls.once('error', fail);
    tls.once('close', () => {
      fail(new Error('connection closed'));
    });
    tls.once('secureConnect', () => {
      tls.off('error', fail);
      tls.removeAllListeners('close');
      resolve();
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

/** Waits for the peer's SETTINGS: with TLS 1.3 only they tell that it accepted our certificate. */
function speakHttp2(tls: TLSSocket, identity: Identity, answerTimes: AnswerTimes): Promise<Tunnel> {
  return new Promise((resolve, reject) => {
    const closed = Promise.withResolvers<void>();
    const connection = new Http2Connection(tls, {
      role: 'client',
      limits: CLIENT_LIMITS,
      keepAlive: KEEP_ALIVE,
      handler: {
        onReady: () => {
          resolve(new Tunnel(connection, { identity, closed: closed.promise, answerTimes }));
        },
        onRequest: (stream) => {
          stream.reset('PROTOCOL_ERROR');
        },
        onClose: (error) => {
          closed.resolve();
          reject(http2Failure('http2 handshake error', error ?? new Error('connection closed')));
        },
      },
    });
  });
}
