import { getHeader } from '@aquifer/http';
import type {
  RetryPolicy as PbRetryPolicy,
  RetryPolicy_RetryPriority as RetryPriority,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { PreviousPrioritiesConfigSchema } from '@aquifer/wire/gen/envoy/extensions/retry/priority/previous_priorities/v3_pb';
import { durationMs, unpack } from './any.ts';
import { ConfigProblem } from './problem.ts';

/** Why an attempt did not give a usable answer. */
export type AttemptFailure =
  | 'connect-failure'
  | 'connect-timeout'
  /** A circuit breaker refused it. Never retried. */
  | 'overflow'
  /** The connection ended. */
  | 'reset'
  /** The upstream gave up this one request. */
  | 'remote-reset'
  /** The upstream has not looked at the request. */
  | 'refused-stream'
  /** The answer was no HTTP. */
  | 'protocol-error'
  /** A kept connection closed as it was used again, before it answered anything. */
  | 'stale-connection'
  | 'per-try-timeout';

export interface RetryPolicy {
  /** Attempts beyond the first. */
  readonly retries: number;
  readonly perTryTimeoutMs: number;
  readonly baseBackOffMs: number;
  readonly maxBackOffMs: number;
  /** How often another host is looked for that was not tried yet; 0 takes whichever comes. */
  readonly hostSelectionAttempts: number;
  /** After every so many attempts, priorities that were tried are left for others; 0 is never. */
  readonly triesPerPriority: number;
  /** Whether an answer with this head is to be retried. */
  retriesAnswer(status: number, headers: readonly string[]): boolean;
  retriesFailure(failure: AttemptFailure): boolean;
}

const DEFAULT_BASE_MS = 25;
const GRPC_STATUS: ReadonlyMap<string, string> = new Map([
  ['cancelled', '1'],
  ['deadline-exceeded', '4'],
  ['resource-exhausted', '8'],
  ['internal', '13'],
  ['unavailable', '14'],
]);
const KNOWN = new Set([
  ...GRPC_STATUS.keys(),
  ...['5xx', 'gateway-error', 'reset', 'reset-before-request', 'connect-failure', 'refused-stream'],
  ...['retriable-4xx', 'retriable-status-codes', 'retriable-headers'],
  'http3-post-connect-failure',
]);

/** Null when nothing is ever retried (spec l7 3.1). */
export function compileRetryPolicy(
  policy: PbRetryPolicy | undefined,
  path: string,
): RetryPolicy | null {
  if (policy === undefined || policy.retryOn === '') return null;
  const on = new Set(policy.retryOn.split(',').map((token) => token.trim()));
  for (const token of on) {
    if (!KNOWN.has(token))
      throw new ConfigProblem(`${path}.retry_on`, `${JSON.stringify(token)} is unknown`);
  }
  const codes = on.has('retriable-status-codes') ? new Set(policy.retriableStatusCodes) : new Set();
  const grpc = new Set(
    [...on].map((token) => GRPC_STATUS.get(token)).filter((code) => code !== undefined),
  );
  const baseBackOffMs = durationMs(policy.retryBackOff?.baseInterval) ?? DEFAULT_BASE_MS;
  const hasPredicate = policy.retryHostPredicate.length > 0;
  return {
    retries: policy.numRetries ?? 1,
    perTryTimeoutMs: durationMs(policy.perTryTimeout) ?? 0,
    baseBackOffMs,
    maxBackOffMs: baseBackOffMs * 10,
    triesPerPriority: triesPerPriority(policy.retryPriority, `${path}.retry_priority`),
    hostSelectionAttempts: hasPredicate ? Number(policy.hostSelectionRetryMaxAttempts) || 1 : 0,
    retriesAnswer: (status, headers) => {
      // Whoever limits rates does not want to be asked again.
      if (getHeader(headers, 'x-envoy-ratelimited') !== null) return on.has('envoy-ratelimited');
      const grpcStatus = grpc.size > 0 ? getHeader(headers, 'grpc-status') : null;
      return (
        (status >= 500 && on.has('5xx')) ||
        (status >= 502 && status <= 504 && on.has('gateway-error')) ||
        (status === 409 && on.has('retriable-4xx')) ||
        codes.has(status) ||
        (grpcStatus !== null && grpc.has(grpcStatus))
      );
    },
    retriesFailure: (failure) =>
      failure !== 'overflow' &&
      (on.has('5xx') || on.has('gateway-error') || CAUSES[failure].some((token) => on.has(token))),
  };
}

function triesPerPriority(priority: RetryPriority | undefined, path: string): number {
  if (priority === undefined) return 0;
  const { updateFrequency } = unpack(
    priority.configType.value,
    PreviousPrioritiesConfigSchema,
    path,
  );
  if (updateFrequency < 1) throw new ConfigProblem(`${path}.update_frequency`, 'is below 1');
  return updateFrequency;
}

/** Tokens that retry a failure without an answer. */
const CAUSES: Readonly<Record<AttemptFailure, readonly string[]>> = {
  'connect-failure': ['reset', 'connect-failure'],
  'connect-timeout': ['reset', 'connect-failure'],
  overflow: [],
  reset: ['reset'],
  'remote-reset': ['reset'],
  'refused-stream': ['reset', 'refused-stream'],
  'protocol-error': ['reset'],
  'stale-connection': ['reset', 'reset-before-request', 'connect-failure'],
  'per-try-timeout': ['reset'],
};
