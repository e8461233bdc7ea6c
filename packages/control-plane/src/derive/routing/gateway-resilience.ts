/** Timeouts and retries of routes of the Gateway API (spec l7 1.10, 4.6). */
import { durationMs } from './durations.ts';
import type { GatewayRule } from './gateway-route.ts';
import { DEFAULT_RETRIES, type ForwardAction, type Retries } from './route-rule.ts';

/**
 * `request` bounds the whole exchange, `backendRequest` one attempt. Istio without a `retry` stanza drops `request`
 * where both are set; here both hold. A stanza also retries resets and attempts that time out, with or without codes.
 */
export function resilience({
  timeouts,
  retry,
}: Pick<GatewayRule, 'timeouts' | 'retry'>): Pick<ForwardAction, 'timeoutMs' | 'retries'> {
  const attemptMs = durationMs(timeouts.backendRequest ?? '0s');
  const requestMs = timeouts.request === undefined ? null : durationMs(timeouts.request);
  const perTryTimeoutMs = attemptMs === 0 ? null : attemptMs;
  if (retry !== undefined && retry.attempts !== 0) {
    return { timeoutMs: requestMs ?? 0, retries: { ...stanzaRetries(retry), perTryTimeoutMs } };
  }
  const isDefault = retry === undefined;
  if (requestMs === null) {
    return { timeoutMs: attemptMs, retries: isDefault ? DEFAULT_RETRIES : null };
  }
  // Without retries one attempt is all there is, and it may take no longer than either says.
  const onlyMs = attemptMs === 0 ? requestMs : attemptMs;
  return isDefault
    ? { timeoutMs: requestMs, retries: { ...DEFAULT_RETRIES, perTryTimeoutMs } }
    : { timeoutMs: onlyMs, retries: null };
}

type RetryStanza = NonNullable<GatewayRule['retry']>;

function stanzaRetries({ attempts, codes = [], backoff }: RetryStanza): Retries {
  return {
    ...DEFAULT_RETRIES,
    attempts: attempts ?? DEFAULT_RETRIES.attempts,
    on: 'connect-failure,refused-stream,unavailable,cancelled,reset,retriable-status-codes',
    codes,
    // Envoy takes no base below 1 ms.
    backoffMs: backoff === undefined ? null : Math.max(1, durationMs(backoff)),
  };
}
