import { ERRORS, toMeshError } from '../errors.ts';
import type { ResponseFlag } from '../telemetry/labels.ts';

/** How a connection ended. `policy` is the `namespace/name` that decided, when one did. */
export interface Outcome {
  readonly flag: ResponseFlag;
  /** Null for a normal end. */
  readonly error: string | null;
  readonly policy?: string | null;
}

/**
 * What to record for anything that was thrown while connecting. `io error` is said of a next hop, `connection failed` of
 * the application of this proxy's own pod (spec ztunnel 9.2).
 */
export function failureOutcome(caught: unknown, kind: 'io error' | 'connection failed'): Outcome {
  const { code, message } = toMeshError(caught);
  const { flag, isWhole } = ERRORS[code];
  return { flag, error: isWhole ? message : `${kind}: ${message}` };
}

/** Ends of a copy that are part of normal life (spec ztunnel 9.2): somebody gave up. That a tunnel broke is none. */
const NORMAL_ENDS: ReadonlySet<string> = new Set(['ZT_RESET', 'HB_STREAM_CANCELLED']);

/** How a copy that ended is recorded; `wasAborted` if this proxy ended it, since its time to finish was over. */
export function copyOutcome(error: Error | null, wasAborted: boolean): Outcome {
  if (wasAborted) return { flag: 'CONNECT', error: 'connection closed due to connection drain' };
  if (error === null) return { flag: '-', error: null };
  const { code, message } = toMeshError(error);
  if (NORMAL_ENDS.has(code)) return { flag: '-', error: null };
  if (code === 'HB_CERT_REVOKED') return { flag: 'CERT_REVOKED', error: message };
  return { flag: 'CONNECT', error: `io error: ${message}` };
}
