// hot path: picks a host for every attempt
import type { BalanceDeps, Balanced, Balancer, SlowStart } from './balancer.ts';
import { weightedTurns } from './weighted-turns.ts';

/** One after the other, from anywhere; by weight where they have different ones. */
export function roundRobin<H extends Balanced>(
  hosts: readonly H[],
  slowStart: SlowStart | null,
  deps: BalanceDeps,
): Balancer<H> {
  const weighted = weightedTurns(hosts, { ...deps, slowStart, weightOf: ({ weight }) => weight });
  if (weighted !== null) return weighted;
  let next = Math.floor(deps.random() * hosts.length);
  return {
    choose: () => {
      next = next + 1 < hosts.length ? next + 1 : 0;
      return hosts[next]!;
    },
  };
}
