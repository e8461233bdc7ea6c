import type {
  CircuitBreakers,
  CircuitBreakers_Thresholds,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { RoutingPriority } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { type BreakerLimits, DEFAULT_LIMITS } from '../clusters/breakers.ts';
import { ConfigProblem } from './problem.ts';

const DEFAULT_BUDGET_PERCENT = 20;
const DEFAULT_BUDGET_LEAST = 3;

/** Of two thresholds for a priority Envoy takes the first. No route here has high priority, so its limits bind nobody. */
export function compileBreakers(
  breakers: CircuitBreakers | undefined,
  path: string,
): BreakerLimits {
  const thresholds = breakers?.thresholds ?? [];
  const at = thresholds.findIndex(({ priority }) => priority === RoutingPriority.DEFAULT);
  return at < 0 ? DEFAULT_LIMITS : limitsOf(thresholds[at]!, `${path}.thresholds[${at}]`);
}

function limitsOf(threshold: CircuitBreakers_Thresholds, path: string): BreakerLimits {
  return {
    connections: threshold.maxConnections ?? DEFAULT_LIMITS.connections,
    pending: threshold.maxPendingRequests ?? DEFAULT_LIMITS.pending,
    requests: threshold.maxRequests ?? DEFAULT_LIMITS.requests,
    retries: retryLimit(threshold, path),
  };
}

/** A budget takes the place of the number of retries. */
function retryLimit(
  { retryBudget: budget, maxRetries }: CircuitBreakers_Thresholds,
  path: string,
): BreakerLimits['retries'] {
  if (budget === undefined)
    return maxRetries === undefined
      ? DEFAULT_LIMITS.retries
      : { kind: 'count', retries: maxRetries };
  const percent = budget.budgetPercent?.value ?? DEFAULT_BUDGET_PERCENT;
  if (!(percent >= 0 && percent <= 100))
    throw new ConfigProblem(`${path}.retry_budget.budget_percent`, 'is no percentage');
  const least = budget.minRetryConcurrency ?? DEFAULT_BUDGET_LEAST;
  return { kind: 'budget', percent, least };
}
