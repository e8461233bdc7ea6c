import { constants } from 'node:os';
import { type HboneErrorCode, isHboneError } from '@aquifer/hbone';
import type { Outcome } from './telemetry/connection-record.ts';
import type { ResponseFlag } from './telemetry/labels.ts';

/** Which flag a failed tunnel leaves in metrics (spec ztunnel 9.1). */
const FLAGS: Readonly<Record<HboneErrorCode, ResponseFlag>> = {
  HB_DIAL_FAILED: 'CONNECT',
  HB_CONNECT_TIMEOUT: 'NETWORK_POLICY',
  HB_TLS_FAILED: 'CONNECT',
  HB_IDENTITY_MISMATCH: 'CONNECT',
  HB_HTTP2_FAILED: 'H2_HANDSHAKE_FAILURE',
  HB_NO_ANSWER: 'CONNECT',
  HB_GIVEN_UP: 'CONNECT',
  HB_REFUSED_STATUS: 'CONNECT',
  HB_STREAM_CANCELLED: 'CONNECT',
  HB_STREAM_RESET: 'CONNECT',
  HB_TUNNEL_LOST: 'CONNECT',
  HB_PEER_SILENT: 'CONNECT',
  HB_TUNNEL_ABORTED: 'CONNECT',
};

/** A certificate that this pod needs and does not have. */
export class IdentityError extends Error {
  constructor(message: string) {
    super(`identity error: ${message}`);
    this.name = 'IdentityError';
  }
}

/** The C library's words for what can happen to a connection; Node has its own, which operators do not search for. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  ECONNABORTED: 'Software caused connection abort',
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  EINVAL: 'Invalid argument',
  EMFILE: 'Too many open files',
  ENETDOWN: 'Network is down',
  ENETUNREACH: 'Network is unreachable',
  EPERM: 'Operation not permitted',
  EPIPE: 'Broken pipe',
  ETIMEDOUT: 'Connection timed out',
};

/** `Connection refused (os error 111)`, as ztunnel prints errors of the system; others as they are. */
function ioErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const text = Object.hasOwn(SYSTEM_ERRORS, code) ? SYSTEM_ERRORS[code] : undefined;
  if (text === undefined) return error.message;
  return `${text} (os error ${constants.errno[code as keyof typeof constants.errno]})`;
}

/**
 * What to record for anything that was thrown while connecting. `io error` is said of a next hop, `connection failed` of
 * the application of this proxy's own pod (spec ztunnel 9.2).
 */
export function failureOutcome(error: unknown, kind: 'io error' | 'connection failed'): Outcome {
  if (isHboneError(error)) return { flag: FLAGS[error.code], error: error.message };
  if (error instanceof IdentityError) return { flag: 'IDENTITY_ERROR', error: error.message };
  return { flag: 'CONNECT', error: `${kind}: ${ioErrorText(error)}` };
}

/** Ends of a copy that are part of normal life (spec ztunnel 9.2): somebody gave up. That a tunnel broke is none. */
const NORMAL_ENDS: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ENOTCONN',
  'ERR_STREAM_PREMATURE_CLOSE',
  'HB_STREAM_CANCELLED',
]);

/** How a copy that ended is recorded; `wasAborted` if this proxy ended it, since its time to finish was over. */
export function copyOutcome(error: Error | null, wasAborted: boolean): Outcome {
  if (wasAborted) return { flag: 'CONNECT', error: 'connection closed due to connection drain' };
  if (error === null || NORMAL_ENDS.has((error as NodeJS.ErrnoException).code ?? '')) {
    return { flag: '-', error: null };
  }
  return { flag: 'CONNECT', error: `io error: ${ioErrorText(error)}` };
}
