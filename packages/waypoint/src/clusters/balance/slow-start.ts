// hot path: the weight of a host at its turn
import type { Balanced, SlowStart } from './balancer.ts';

/** By how much the weight of a host counts, from above 0 to 1 (Envoy's `EdfLoadBalancerBase::applySlowStartFactor`). */
export function slowStartFactor(
  { servingSinceMs }: Balanced,
  { windowMs, aggression, minWeightPercent }: SlowStart,
  nowMs: number,
): number {
  if (servingSinceMs === null) return 1;
  const ageMs = nowMs - servingSinceMs;
  if (ageMs >= windowMs) return 1;
  const grown = (Math.max(1, ageMs) / windowMs) ** (1 / aggression);
  return Math.max(grown, minWeightPercent / 100);
}

export function hasStarting(
  hosts: readonly Balanced[],
  { windowMs }: SlowStart,
  nowMs: number,
): boolean {
  return hosts.some(
    ({ servingSinceMs }) => servingSinceMs !== null && nowMs - servingSinceMs < windowMs,
  );
}
