import type { Hash64 } from './hash64.ts';

/** What balancing reads of a host. */
export interface Balanced {
  readonly weight: number;
  /** Requests under way. */
  readonly active: number;
  /** What Envoy hashes of an endpoint. */
  readonly hashKey: string;
  /** When it began to take requests, as `nowMs` has it; null while it takes none. */
  readonly servingSinceMs: number | null;
}

/** Chooses among hosts that stay the same; another set of hosts has another balancer. */
export interface Balancer<H extends Balanced> {
  /**
   * `key` is what a request is hashed to, which most balancers ignore; null if it has nothing to hash. `attempt` counts
   * the hosts that the same choice has passed over.
   */
  choose(key: Hash64 | null, attempt: number): H;
}

/** A host and its part of the requests; those of a list add up to 1. */
export interface Share<H extends Balanced> {
  readonly host: H;
  readonly part: number;
}

/** How a cluster chooses a host (spec l7 2.2). */
export type BalancerSettings =
  | { readonly kind: 'round-robin'; readonly slowStart: SlowStart | null }
  | {
      readonly kind: 'least-request';
      /** Hosts of which the one with the fewest requests is taken. */
      readonly choices: number;
      /** Where hosts have weights: how much requests under way count against a host; 0 is not at all. */
      readonly activeRequestBias: number;
      readonly slowStart: SlowStart | null;
    }
  | { readonly kind: 'random' }
  | HashSettings;

export type HashSettings =
  | { readonly kind: 'ring-hash'; readonly minRingSize: number; readonly maxRingSize: number }
  /** `tableSize` is prime. */
  | { readonly kind: 'maglev'; readonly tableSize: number };

/** A host that has just begun to take requests gets fewer of them at first. */
export interface SlowStart {
  readonly windowMs: number;
  /** 1: the weight grows evenly; more: faster at first. */
  readonly aggression: number;
  readonly minWeightPercent: number;
}

export interface BalanceDeps {
  /** Numbers from 0 to below 1. */
  readonly random: () => number;
  readonly nowMs: () => number;
}

export function isHashing(settings: BalancerSettings): settings is HashSettings {
  return settings.kind === 'ring-hash' || settings.kind === 'maglev';
}

export function randomOf<T>(all: readonly T[], random: () => number): T {
  return all[Math.floor(random() * all.length)]!;
}
