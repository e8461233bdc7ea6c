// hot path: picks a host for every attempt
import {
  type BalanceDeps,
  type Balanced,
  type Balancer,
  type BalancerSettings,
  randomOf,
} from './balancer.ts';
import { weightedTurns } from './weighted-turns.ts';

type Settings = Extract<BalancerSettings, { kind: 'least-request' }>;

/**
 * The host with the fewest requests under way of a few random ones. Where hosts have different weights they have turns
 * by them, and requests under way count against a weight.
 */
export function leastRequest<H extends Balanced>(
  hosts: readonly H[],
  { choices, activeRequestBias, slowStart }: Settings,
  deps: BalanceDeps,
): Balancer<H> {
  const weightOf =
    activeRequestBias === 1
      ? ({ weight, active }: H) => weight / (active + 1)
      : ({ weight, active }: H) => weight / (active + 1) ** activeRequestBias;
  const weighted = weightedTurns(hosts, { ...deps, slowStart, weightOf });
  if (weighted !== null) return weighted;
  const { random } = deps;
  return {
    choose: () => {
      let best = randomOf(hosts, random);
      for (let i = 1; i < choices; i++) {
        const other = randomOf(hosts, random);
        if (other.active < best.active) best = other;
      }
      return best;
    },
  };
}
