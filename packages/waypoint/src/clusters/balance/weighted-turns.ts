// hot path: picks a host for every attempt of a cluster whose hosts have weights
import type { BalanceDeps, Balanced, Balancer, SlowStart } from './balancer.ts';
import { EarliestDeadline } from './earliest-deadline.ts';
import { hasStarting, slowStartFactor } from './slow-start.ts';

interface Weighing<H extends Balanced> extends BalanceDeps {
  readonly slowStart: SlowStart | null;
  readonly weightOf: (host: H) => number;
}

/** Hosts have turns by their weights; null where all have the same weight, which is simpler without. */
export function weightedTurns<H extends Balanced>(
  hosts: readonly H[],
  { slowStart, weightOf, random, nowMs }: Weighing<H>,
): Balancer<H> | null {
  const isStarting = slowStart !== null && hasStarting(hosts, slowStart, nowMs());
  if (!isStarting && hosts.every(({ weight }) => weight === hosts[0]!.weight)) return null;
  const weightAt = isStarting
    ? (at: number) => weightOf(hosts[at]!) * slowStartFactor(hosts[at]!, slowStart, nowMs())
    : (at: number) => weightOf(hosts[at]!);
  const skipped = Math.floor(random() * hosts.length);
  const turns = new EarliestDeadline(hosts.length, weightAt, skipped);
  return { choose: () => hosts[turns.pick()]! };
}
