/** Timeouts and retries of routes (spec l7 1.10, 4.6). */
import type { RetryPolicySchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { PreviousHostsPredicateSchema } from '@aquifer/wire/gen/envoy/extensions/retry/host/previous_hosts/v3_pb';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { extension, type Init } from './packed.ts';
import type { RouteRule } from './route-rule.ts';

type RetryPolicy = Init<typeof RetryPolicySchema>;

const DEFAULT_RETRIES = 2;
const DEFAULT_RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled';
const HOST_SELECTIONS = 5n;

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds of a Gateway API duration (GEP-2257), such as `1h2m`, `1s500ms`, `0s`. */
function durationMs(text: string): number {
  let total = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+)(ms|[hms])/g)) {
    total += Number(count) * (UNIT_MS[unit] ?? 0);
  }
  return total;
}

/** Istio's retries where no route says anything. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = retryPolicy(DEFAULT_RETRY_ON, DEFAULT_RETRIES);

function retryPolicy(retryOn: string, numRetries: number): RetryPolicy {
  return {
    retryOn: `${retryOn},retriable-status-codes`,
    numRetries,
    retryHostPredicate: [
      extension('envoy.retry_host_predicates.previous_hosts', PreviousHostsPredicateSchema),
    ],
    hostSelectionRetryMaxAttempts: HOST_SELECTIONS,
  };
}

interface Resilience {
  /** Milliseconds; 0 is no limit. */
  readonly timeoutMs: number;
  readonly retryPolicy: RetryPolicy | null;
}

/**
 * `request` bounds the whole exchange, `backendRequest` one attempt. Istio without a `retry` stanza drops `request`
 * where both are set; here both hold. A stanza also retries resets and attempts that time out, with or without codes.
 */
export function resilience({ timeouts, retry }: RouteRule): Resilience {
  const attemptMs = durationMs(timeouts.backendRequest ?? '0s');
  const requestMs = timeouts.request === undefined ? null : durationMs(timeouts.request);
  const perTry = attemptMs === 0 ? {} : { perTryTimeout: durationFromMs(attemptMs) };
  if (retry !== undefined && retry.attempts !== 0) {
    return { timeoutMs: requestMs ?? 0, retryPolicy: { ...stanzaPolicy(retry), ...perTry } };
  }
  const isDefault = retry === undefined;
  if (requestMs === null) {
    return { timeoutMs: attemptMs, retryPolicy: isDefault ? DEFAULT_RETRY_POLICY : null };
  }
  // Without retries one attempt is all there is, and it may take no longer than either says.
  const onlyMs = attemptMs === 0 ? requestMs : attemptMs;
  return isDefault
    ? { timeoutMs: requestMs, retryPolicy: { ...DEFAULT_RETRY_POLICY, ...perTry } }
    : { timeoutMs: onlyMs, retryPolicy: null };
}

type RetryStanza = NonNullable<RouteRule['retry']>;

function stanzaPolicy({ attempts = DEFAULT_RETRIES, codes = [], backoff }: RetryStanza) {
  return {
    ...retryPolicy(`${DEFAULT_RETRY_ON},reset`, attempts),
    retriableStatusCodes: codes,
    ...(backoff !== undefined && { retryBackOff: backOff(durationMs(backoff)) }),
  };
}

/** Envoy draws up to the base for the first retry and grows to ten times it; a base below 1 ms is invalid. */
function backOff(baseMs: number) {
  return { baseInterval: durationFromMs(Math.max(1, baseMs)) };
}
