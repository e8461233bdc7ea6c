import {
  type BalanceDeps,
  type Balanced,
  type Balancer,
  type BalancerSettings,
  type HashSettings,
  randomOf,
  type Share,
} from './balancer.ts';
import { leastRequest } from './least-request.ts';
import { Maglev } from './maglev.ts';
import { RingHash } from './ring-hash.ts';
import { roundRobin } from './round-robin.ts';

/** For one host or more. */
export function newBalancer<H extends Balanced>(
  hosts: readonly H[],
  settings: Exclude<BalancerSettings, HashSettings>,
  deps: BalanceDeps,
): Balancer<H> {
  switch (settings.kind) {
    case 'round-robin':
      return roundRobin(hosts, settings.slowStart, deps);
    case 'least-request':
      return leastRequest(hosts, settings, deps);
    case 'random':
      return { choose: () => randomOf(hosts, deps.random) };
  }
}

/** For one host or more. */
export function newHashBalancer<H extends Balanced>(
  shares: readonly Share<H>[],
  settings: HashSettings,
  { random }: BalanceDeps,
): Balancer<H> {
  switch (settings.kind) {
    case 'ring-hash':
      return new RingHash(shares, settings, random);
    case 'maglev':
      return new Maglev(shares, settings.tableSize, random);
  }
}
