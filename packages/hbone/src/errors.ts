import type { HttpError } from '@aquifer/http';
import { type ErrorFacts, MeshError } from '@aquifer/model';

/** Code of a failed tunnel, CONNECT or stream. */
export type HboneErrorCode =
  | 'HB_CONNECT_TIMEOUT'
  | 'HB_TLS_FAILED'
  | 'HB_IDENTITY_MISMATCH'
  | 'HB_CERT_REVOKED'
  | 'HB_HTTP2_FAILED'
  | 'HB_NO_ANSWER'
  | 'HB_GIVEN_UP'
  | 'HB_REFUSED_STATUS'
  | 'HB_STREAM_CANCELLED'
  | 'HB_STREAM_RESET'
  | 'HB_TUNNEL_LOST'
  | 'HB_PEER_SILENT'
  | 'HB_TUNNEL_ABORTED';

/**
 * What can go wrong on a tunnel. `HB_CONNECT_TIMEOUT` is kept apart from what the system says of a connection that
 * failed, because a silent drop on port 15008 usually means a NetworkPolicy. `safe`: nothing has been sent through a stream before it is answered.
 */
const FACTS: Readonly<Record<HboneErrorCode, ErrorFacts>> = {
  HB_CONNECT_TIMEOUT: { origin: 'upstream', retry: 'safe' },
  HB_TLS_FAILED: { origin: 'upstream', retry: 'safe' },
  HB_IDENTITY_MISMATCH: { origin: 'upstream', retry: 'safe' },
  HB_CERT_REVOKED: { origin: 'upstream', retry: 'safe' },
  HB_HTTP2_FAILED: { origin: 'upstream', retry: 'safe' },
  HB_NO_ANSWER: { origin: 'upstream', retry: 'safe' },
  HB_GIVEN_UP: { origin: 'downstream', retry: 'never' },
  HB_REFUSED_STATUS: { origin: 'upstream', retry: 'never' },
  HB_STREAM_CANCELLED: { origin: 'upstream', retry: 'never' },
  HB_STREAM_RESET: { origin: 'upstream', retry: 'never' },
  HB_TUNNEL_LOST: { origin: 'upstream', retry: 'never' },
  HB_PEER_SILENT: { origin: 'upstream', retry: 'never' },
  HB_TUNNEL_ABORTED: { origin: 'internal', retry: 'never' },
};

/** `message` is what access logs show. */
export function hboneError(
  code: HboneErrorCode,
  message: string,
  cause?: unknown,
): MeshError<HboneErrorCode> {
  return new MeshError(code, message, { ...FACTS[code], cause });
}

/** Whether it is one of this package's. */
export function isHboneError(error: unknown): error is MeshError<HboneErrorCode> {
  return error instanceof MeshError && Object.hasOwn(FACTS, error.code);
}

/** The peer's certificate, or one that it depends on, is on a revocation list. */
export function revokedError(
  what: 'tls handshake error' | 'connection closed',
): MeshError<HboneErrorCode> {
  return hboneError('HB_CERT_REVOKED', `${what}: peer certificate revoked by CRL`);
}

/** Where a failure happened, as logs say it; its code if nothing better is known. */
type Stage = 'tls handshake error' | 'http2 handshake error' | 'http2 error';

const CODE_AT: Readonly<Record<Stage, HboneErrorCode>> = {
  'tls handshake error': 'HB_TLS_FAILED',
  'http2 handshake error': 'HB_HTTP2_FAILED',
  'http2 error': 'HB_HTTP2_FAILED',
};

/** Makes a `MeshError` of anything that was caught before a stream was answered. */
export function toMeshError(caught: unknown, stage: Stage): MeshError<HboneErrorCode> {
  if (isHboneError(caught)) return caught;
  if (caught instanceof Error && isHboneError(caught.cause)) return caught.cause;
  const message = caught instanceof Error ? caught.message : String(caught);
  return hboneError(CODE_AT[stage], `${stage}: ${message}`, caught);
}

/** How an open stream was cut: by its peer, or with the tunnel under it. */
export function streamError(error: HttpError): MeshError<HboneErrorCode> {
  // This side has said why.
  if (isHboneError(error.cause)) return error.cause;
  return hboneError(codeOfCut(error), error.message, error);
}

function codeOfCut({ kind, reason }: HttpError): HboneErrorCode {
  switch (kind) {
    case 'reset':
      return reason === 'CANCEL' || reason === 'NO_ERROR'
        ? 'HB_STREAM_CANCELLED'
        : 'HB_STREAM_RESET';
    case 'lost':
      return 'HB_TUNNEL_LOST';
    case 'silent':
      return 'HB_PEER_SILENT';
    case 'violation':
      return 'HB_HTTP2_FAILED';
    case 'aborted':
      return 'HB_TUNNEL_ABORTED';
  }
}
