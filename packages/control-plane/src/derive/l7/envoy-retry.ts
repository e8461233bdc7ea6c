/** Retries of rules in Envoy's terms (spec l7 1.10). */
import type { RetryPolicySchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { PreviousHostsPredicateSchema } from '@aquifer/wire/gen/envoy/extensions/retry/host/previous_hosts/v3_pb';
import { PreviousPrioritiesConfigSchema } from '@aquifer/wire/gen/envoy/extensions/retry/priority/previous_priorities/v3_pb';
import type { Retries } from '../routing/route-rule.ts';
import { duration, extension, type Init } from './packed.ts';

const HOST_SELECTIONS = 5n;
const PRIORITIES_EVERY = 2;

const PREVIOUS_HOSTS = extension(
  'envoy.retry_host_predicates.previous_hosts',
  PreviousHostsPredicateSchema,
);

/** `isHashed`: requests belong to one endpoint, and are tried there again unless something else is said. */
export function retryPolicy(retries: Retries, isHashed: boolean): Init<typeof RetryPolicySchema> {
  const { attempts, on, codes, perTryTimeoutMs, backoffMs, previousHosts, localities } = retries;
  const avoidsHosts = previousHosts === 'default' ? !isHashed : previousHosts === 'avoided';
  return {
    retryOn: on,
    numRetries: attempts,
    retriableStatusCodes: [...codes],
    ...(avoidsHosts && { retryHostPredicate: [PREVIOUS_HOSTS] }),
    ...(localities === 'other' && {
      retryPriority: extension(
        'envoy.retry_priorities.previous_priorities',
        PreviousPrioritiesConfigSchema,
        { updateFrequency: PRIORITIES_EVERY },
      ),
    }),
    hostSelectionRetryMaxAttempts: HOST_SELECTIONS,
    ...(perTryTimeoutMs !== null && { perTryTimeout: duration(perTryTimeoutMs) }),
    ...(backoffMs !== null && { retryBackOff: { baseInterval: duration(backoffMs) } }),
  };
}
