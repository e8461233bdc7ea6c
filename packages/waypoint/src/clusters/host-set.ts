// hot path: picks a host for every attempt
import {
  type BalanceDeps,
  type Balancer,
  type BalancerSettings,
  type HashSettings,
  isHashing,
  type Share,
} from './balance/balancer.ts';
import { EarliestDeadline } from './balance/earliest-deadline.ts';
import { newBalancer, newHashBalancer } from './balance/new-balancer.ts';
import type { Host } from './host.ts';
import type { PriorityLoad } from './priority-load.ts';

/** Hosts of one locality at one priority. */
export interface LocalityHosts {
  /** 0 for a locality without a weight, which gets nothing where localities are weighted. */
  readonly weight: number;
  readonly hosts: readonly Host[];
}

/** How hosts of one priority are chosen. */
export interface BalancingSettings {
  readonly balancer: BalancerSettings;
  /** Whether a locality is chosen by its weight before a host is. */
  readonly localities: 'merged' | 'weighted';
  /** Below so many percent of healthy hosts all are used; 0 is never. */
  readonly panicPercent: number;
}

export interface HostSetOptions extends BalanceDeps {
  readonly balancing: BalancingSettings;
  readonly overprovisioningPercent: number;
}

/** Chooses among the hosts of one priority as their health is now; null if none of them may be used. */
export function balancerOf(
  localities: readonly LocalityHosts[],
  uses: PriorityLoad['uses'],
  options: HostSetOptions,
): Balancer<Host> | null {
  const { balancer, localities: mode } = options.balancing;
  const usable = (hosts: readonly Host[]): readonly Host[] =>
    uses === 'all' ? hosts : hosts.filter(({ isUsable }) => isUsable);
  const all = localities.flatMap(({ hosts }) => usable(hosts));
  if (all.length === 0) return null;
  if (isHashing(balancer)) {
    const shares =
      mode === 'weighted'
        ? sharesOf(localities.map(({ weight, hosts }) => ({ weight, hosts: usable(hosts) })))
        : sharesOf([{ weight: 1, hosts: all }]);
    return shares.length === 0 ? null : newHashBalancer(shares, balancer, options);
  }
  if (mode === 'weighted' && uses === 'healthy') {
    const byLocality = weightedLocalities(localities, balancer, options);
    if (byLocality !== null) return byLocality;
  }
  return newBalancer(all, balancer, options);
}

/** Of a locality its weight's part, of that each host its own. */
function sharesOf(localities: readonly LocalityHosts[]): Share<Host>[] {
  const total = localities.reduce((sum, { weight }) => sum + weight, 0);
  return localities.flatMap(({ weight, hosts }) => {
    if (weight === 0) return [];
    const sum = hosts.reduce((all, host) => all + host.weight, 0);
    return hosts.map((host) => ({ host, part: (host.weight * (weight / total)) / sum }));
  });
}

/** Null if no locality has a weight and a usable host: then all hosts are balanced together. */
function weightedLocalities(
  localities: readonly LocalityHosts[],
  settings: Exclude<BalancerSettings, HashSettings>,
  options: HostSetOptions,
): Balancer<Host> | null {
  const balancers: Balancer<Host>[] = [];
  const weights: number[] = [];
  for (const { weight, hosts } of localities) {
    const healthy = hosts.filter(({ isUsable }) => isUsable);
    if (weight === 0 || healthy.length === 0) continue;
    const available = (options.overprovisioningPercent / 100) * (healthy.length / hosts.length);
    balancers.push(newBalancer(healthy, settings, options));
    weights.push(weight * Math.min(1, available));
  }
  if (balancers.length === 0) return null;
  if (balancers.length === 1) return balancers[0]!;
  const skipped = Math.floor(options.random() * balancers.length);
  const turns = new EarliestDeadline(weights.length, (at) => weights[at]!, skipped);
  return { choose: (key, attempt) => balancers[turns.pick()]!.choose(key, attempt) };
}
