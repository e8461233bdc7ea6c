import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Http2Connection } from '@aquifer/http';
import type { Identity } from '@aquifer/model';
import { hboneError, revokedError, toMeshError } from './errors.ts';
import { clientLimits, type Http2Sizes, KEEP_ALIVE } from './http2-settings.ts';
import { type PeerExpectation, spiffeIdentities, unexpected } from './peer-identity.ts';
import type { Revocations } from './revocation/revocations.ts';
import { HBONE_ALPN, type HboneSecureContext } from './tls.ts';
import { type AnswerTimes, Tunnel } from './tunnel.ts';

const ANSWER_TIMES: AnswerTimes = {
  handshakeMs: 10_000,
  probeAfterMs: 1000,
  signOfLifeMs: 2000,
  deadlineMs: 20_000,
};

/** What holds for every tunnel of a proxy. */
export interface TunnelRules {
  /** Refuse a peer that is revoked, and end the tunnel when it becomes so. Default: nothing is revoked. */
  readonly revocations?: Revocations | null | undefined;
  /** Default: as Istio's ztunnel. */
  readonly http2?: Http2Sizes | undefined;
}

export interface OpenTunnelOptions extends TunnelRules {
  readonly secureContext: HboneSecureContext;
  /** Who the peer has to prove to be. */
  readonly peer: PeerExpectation;
  /**
   * Default: 10 s to make the connection. About a CONNECT the peer is asked after 1 s, given up for the time being 2 s
   * later, and at the latest after 20 s.
   */
  readonly answerTimes?: AnswerTimes;
  /** The connection of a tunnel that was made has ended. */
  readonly onClose: () => void;
}

/**
 * Turns a byte stream, such as a TCP connection (connected or still connecting), into a tunnel: TLS with our certificate, the peer's
 * certificate verified against our roots and the expected identities, then HTTP/2. Settles within the time for that;
 * throws a `MeshError`.
 */
export async function openTunnel(socket: Duplex, options: OpenTunnelOptions): Promise<Tunnel> {
  const answerTimes = options.answerTimes ?? ANSWER_TIMES;
  const tls = connectTls({
    socket,
    secureContext: options.secureContext.tls,
    ALPNProtocols: [...HBONE_ALPN],
    // Whatever the environment says (NODE_TLS_REJECT_UNAUTHORIZED).
    rejectUnauthorized: true,
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
    const identity = verify(tls, options.peer);
    const watch = watchPeer(tls, options);
    const onClose = (): void => {
      watch?.[Symbol.dispose]();
      options.onClose();
    };
    return await speakHttp2(tls, identity, { ...options, answerTimes, onClose });
  } catch (error) {
    if (!isLate) throw error;
    const text = `no tunnel within ${answerTimes.handshakeMs / 1000} s: ${(error as Error).message}`;
    throw hboneError('HB_NO_ANSWER', text, error);
  } finally {
    clearTimeout(timer);
  }
}

function handshake(tls: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      tls.destroy();
      reject(toMeshError(error, 'tls handshake error'));
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

function verify(tls: TLSSocket, expected: PeerExpectation): Identity {
  const certificate = tls.getPeerX509Certificate();
  const identities = certificate === undefined ? [] : spiffeIdentities(certificate);
  const mismatch =
    identities.length === 0 ? 'peer has no SPIFFE identity' : unexpected(identities, expected);
  if (mismatch !== null) {
    tls.destroy();
    throw hboneError('HB_IDENTITY_MISMATCH', mismatch);
  }
  return identities[0]!;
}

/** Null if nothing can be revoked. */
function watchPeer(
  tls: TLSSocket,
  { revocations = null, secureContext: { roots } }: OpenTunnelOptions,
): Disposable | null {
  if (revocations === null) return null;
  const certificate = tls.getPeerX509Certificate()!;
  const peer = { certificate, roots, role: 'server' } as const;
  const watch = revocations.watch(peer, () => tls.destroy(revokedError('connection closed')));
  if (watch !== null) return watch;
  tls.destroy();
  throw revokedError('tls handshake error');
}

/** Waits for the peer's SETTINGS: with TLS 1.3 only they tell that it accepted our certificate. */
function speakHttp2(
  tls: TLSSocket,
  identity: Identity,
  { answerTimes, onClose, http2 }: OpenTunnelOptions & { readonly answerTimes: AnswerTimes },
): Promise<Tunnel> {
  return new Promise((resolve, reject) => {
    const connection = new Http2Connection(tls, {
      role: 'client',
      limits: clientLimits(http2),
      keepAlive: KEEP_ALIVE,
      onReady: () => resolve(new Tunnel(connection, identity, answerTimes)),
      onClose: (error) => {
        reject(toMeshError(error ?? new Error('connection closed'), 'http2 handshake error'));
        onClose();
      },
    });
  });
}
