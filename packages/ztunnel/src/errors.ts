import { HboneError, type HboneErrorCode } from '@aquifer/hbone';
import type { Outcome } from './telemetry/connection-record.ts';
import type { ResponseFlag } from './telemetry/labels.ts';

/** Which flag a failed tunnel leaves in metrics (spec ztunnel 9.1). */
const FLAGS: Readonly<Record<HboneErrorCode, ResponseFlag>> = {
  HB_DIAL_FAILED: 'CONNECT',
  HB_CONNECT_TIMEOUT: 'NETWORK_POLICY',
  HB_TLS_FAILED: 'CONNECT',
  HB_IDENTITY_MISMATCH: 'CONNECT',
  HB_HTTP2_FAILED: 'H2_HANDSHAKE_FAILURE',
  HB_REFUSED_STATUS: 'CONNECT',
};

/** A certificate that this pod needs and does not have. */
export class IdentityError extends Error {
  constructor(message: string) {
    super(`identity error: ${message}`);
    this.name = 'IdentityError';
  }
}

/** What to record for anything that was thrown while connecting. */
export function failureOutcome(error: unknown): Outcome {
  if (error instanceof HboneError) return { flag: FLAGS[error.code], error: error.message };
  if (error instanceof IdentityError) return { flag: 'IDENTITY_ERROR', error: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { flag: 'CONNECT', error: `connection failed: ${message}` };
}

/** Ends of a copy that are part of normal life (spec ztunnel 9.2). */
const NORMAL_ENDS: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ENOTCONN',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** How a copy that ended is recorded. */
export function copyOutcome(error: Error | null): Outcome {
  if (error === null || NORMAL_ENDS.has((error as NodeJS.ErrnoException).code ?? '')) {
    return { flag: '-', error: null };
  }
  return { flag: 'CONNECT', error: `io error: ${error.message}` };
}
