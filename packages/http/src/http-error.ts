import type { HttpProblem } from './problem.ts';

/** Error codes of RST_STREAM and GOAWAY (RFC 9113 section 7). */
export const ERROR_CODES = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const;

/** Name of an error code. */
export type ErrorReason = keyof typeof ERROR_CODES;

/** The name of a code that arrived; codes that nobody defined read as INTERNAL_ERROR (RFC 9113 section 7). */
export function errorReason(code: number): ErrorReason {
  for (const name of Object.keys(ERROR_CODES) as ErrorReason[]) {
    if (ERROR_CODES[name] === code) return name;
  }
  return 'INTERNAL_ERROR';
}

/**
 * What happened: the peer reset it, the connection ended or broke, nothing came for longer than is waited, the peer
 * broke the protocol, or this side ended it.
 */
export type FailureKind = 'reset' | 'lost' | 'silent' | 'violation' | 'aborted';

/** Why an exchange, or all of a connection, ended before its time. */
export class HttpError extends Error {
  readonly reason: ErrorReason;
  readonly kind: FailureKind;
  /** Whether this one exchange ended, or the connection with all that it carried. */
  readonly scope: 'exchange' | 'connection';
  /** The peer did not look at the request: sending it again is safe (RFC 9113 section 8.7). */
  readonly isUnprocessed: boolean;
  /** How the peer was answered that broke the protocol within its request; null if it was not. */
  readonly answered: AnsweredProblem | null;

  constructor(message: string, facts: HttpErrorFacts) {
    super(message, { cause: facts.cause });
    this.name = 'HttpError';
    this.reason = facts.reason;
    this.kind = facts.kind;
    this.scope = facts.scope;
    this.isUnprocessed = facts.isUnprocessed ?? false;
    this.answered = facts.answered ?? null;
  }
}

/** A broken rule, and how many bytes of body the answer had. */
export interface AnsweredProblem {
  readonly problem: HttpProblem;
  readonly bytesSent: number;
}

interface HttpErrorFacts {
  readonly reason: ErrorReason;
  readonly kind: FailureKind;
  readonly scope: 'exchange' | 'connection';
  /** Default false. */
  readonly isUnprocessed?: boolean;
  /** Default null. */
  readonly answered?: AnsweredProblem;
  /** What a connection was destroyed with. */
  readonly cause?: Error | undefined;
}

/** The peer broke a rule that the connection depends on, which ends (RFC 9113 section 5.4.1). */
export function violation(reason: ErrorReason, message: string): HttpError {
  return new HttpError(message, { reason, kind: 'violation', scope: 'connection' });
}

/** The connection ended or broke under an exchange. */
export function connectionLost(message: string, cause?: Error): HttpError {
  const facts = { reason: 'INTERNAL_ERROR', kind: 'lost', scope: 'connection' } as const;
  return new HttpError(message, { ...facts, cause });
}

/** A request was to be sent on a connection that takes no more of them. */
export function notUsable(): HttpError {
  return new HttpError('the connection takes no more requests', {
    reason: 'REFUSED_STREAM',
    kind: 'aborted',
    scope: 'exchange',
    isUnprocessed: true,
  });
}
