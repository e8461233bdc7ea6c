/** Hosts of one priority; the order of priorities is that of the list. */
interface PriorityHealth {
  readonly hosts: number;
  readonly healthy: number;
}

/** What a priority gets of the requests. */
export interface PriorityLoad {
  /** Whole; those of all priorities add up to 100, or to 0 if no host may be used. */
  readonly percent: number;
  /** All of them when so few are healthy that those would be overwhelmed. */
  readonly uses: 'healthy' | 'all';
}

interface SpreadSettings {
  /** Below so many percent of healthy hosts all are used; 0 is never. */
  readonly panicPercent: number;
  /** A priority takes all of its load while so much less than all of its hosts is healthy: 140 for 71.4 %. */
  readonly overprovisioningPercent: number;
}

/** Spreads requests over priorities by the health of their hosts (Envoy's `LoadBalancerBase`; spec l7 2.3). */
export function priorityLoads(
  priorities: readonly PriorityHealth[],
  { panicPercent, overprovisioningPercent }: SpreadSettings,
): readonly PriorityLoad[] {
  const available = priorities.map((priority) => availability(priority, overprovisioningPercent));
  const total = totalOf(available);
  const panics = priorities.map((priority) => total < 100 && isPanicking(priority, panicPercent));
  if (panics.every(Boolean)) return byHosts(priorities);
  const percents = byAvailability(available, total);
  return percents.map((percent, i) => ({ percent, uses: panics[i] ? 'all' : 'healthy' }));
}

/**
 * Percentages for a request that leaves the priorities it has tried in vain; null if no other has a healthy host
 * (Envoy's `previous_priorities`).
 */
export function percentsWithout(
  priorities: readonly PriorityHealth[],
  left: ReadonlySet<number>,
  overprovisioningPercent: number,
): readonly number[] | null {
  const available = priorities.map((priority, i) =>
    left.has(i) ? 0 : availability(priority, overprovisioningPercent),
  );
  const total = totalOf(available);
  return total === 0 ? null : byAvailability(available, total);
}

function availability({ hosts, healthy }: PriorityHealth, overprovisioningPercent: number): number {
  return hosts === 0 ? 0 : Math.min(100, Math.floor((overprovisioningPercent * healthy) / hosts));
}

function totalOf(available: readonly number[]): number {
  return Math.min(
    100,
    available.reduce((sum, percent) => sum + percent, 0),
  );
}

function isPanicking({ hosts, healthy }: PriorityHealth, panicPercent: number): boolean {
  const healthyPercent = hosts === 0 ? 0 : (100 * healthy) / hosts;
  return healthyPercent < panicPercent;
}

/** From the first on, each as much as it can take. What rounding leaves is for the first that takes any. */
function byAvailability(available: readonly number[], total: number): number[] {
  if (total === 0) return available.map(() => 0);
  let left = 100;
  const percents = available.map((percent) => {
    const taken = Math.min(left, Math.floor((percent * 100) / total));
    left -= taken;
    return taken;
  });
  percents[available.findIndex((percent) => percent > 0)]! += left;
  return percents;
}

/** Where no priority is healthy enough, each as many as it has hosts. */
function byHosts(priorities: readonly PriorityHealth[]): PriorityLoad[] {
  const total = priorities.reduce((sum, { hosts }) => sum + hosts, 0);
  if (total === 0) return priorities.map(() => ({ percent: 0, uses: 'all' }));
  const percents = priorities.map(({ hosts }) => Math.floor((100 * hosts) / total));
  const left = 100 - percents.reduce((sum, percent) => sum + percent, 0);
  percents[priorities.findIndex(({ hosts }) => hosts > 0)]! += left;
  return percents.map((percent) => ({ percent, uses: 'all' }));
}
