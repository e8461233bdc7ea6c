// hot path: picks a host for every attempt
import type { UpstreamProtocol } from '../compile/upstream-protocol.ts';
import type { HttpVersion } from '../upstream/request-pool.ts';
import { type BalanceDeps, type Balancer, isHashing } from './balance/balancer.ts';
import { type Hash64, percentOf, randomHash } from './balance/hash64.ts';
import { Breakers } from './breakers.ts';
import type { Host } from './host.ts';
import { type BalancingSettings, balancerOf, type LocalityHosts } from './host-set.ts';
import { type PriorityLoad, percentsWithout, priorityLoads } from './priority-load.ts';

/** What an attempt says when it asks for a host. */
export interface HostChoice {
  /** Avoided for `reselections` further choices; then the last choice is taken (spec l7 1.10). */
  readonly tried: readonly Host[];
  readonly reselections: number;
  /** What the request is hashed to; null if it has nothing to hash, or the cluster does not ask for it. */
  readonly hash: Hash64 | null;
  /** After every so many tries, priorities that were tried are left for others; 0 is never. */
  readonly triesPerPriority: number;
}

/** Of who has no preferences. */
export const ANY_HOST: HostChoice = {
  tried: [],
  reselections: 0,
  hash: null,
  triesPerPriority: 0,
};

/** The hosts of a cluster by priority, the first one best. */
export interface ClusterHosts {
  readonly priorities: readonly (readonly LocalityHosts[])[];
  /** How much more than its part a priority may take: 140 of 100. */
  readonly overprovisioningPercent: number;
}

const NO_HOSTS: ClusterHosts = { priorities: [], overprovisioningPercent: 140 };

/** Envoy's, of a cluster that says nothing else. */
const DEFAULT_BALANCING: BalancingSettings = {
  balancer: { kind: 'round-robin', slowStart: null },
  localities: 'merged',
  panicPercent: 50,
};

const DEFAULT_DEPS: BalanceDeps = { random: Math.random, nowMs: () => performance.now() };

/** As the health of the hosts was when it last changed. */
interface Priority extends PriorityLoad {
  readonly balancer: Balancer<Host> | null;
  readonly hosts: ReadonlySet<Host>;
  readonly health: { readonly hosts: number; readonly healthy: number };
}

/** A named set of hosts, and what it may have under way. A pick reads what the last change has left. */
export class Cluster {
  readonly name: string;
  readonly breakers: Breakers;
  protocol: UpstreamProtocol = 'HTTP/1.1';
  readonly #deps: BalanceDeps;
  #balancing: BalancingSettings = DEFAULT_BALANCING;
  #hosts: ClusterHosts = NO_HOSTS;
  #priorities: readonly Priority[] = [];

  constructor(name: string, breakers: Breakers = new Breakers(), deps: BalanceDeps = DEFAULT_DEPS) {
    this.name = name;
    this.breakers = breakers;
    this.#deps = deps;
  }

  /** In which version a request is sent on that came in this one. */
  versionFor(downstream: HttpVersion): HttpVersion {
    return this.protocol === 'downstream' ? downstream : this.protocol;
  }

  /** Whether a request is to be hashed for it. */
  get wantsHash(): boolean {
    return isHashing(this.#balancing.balancer);
  }

  setBalancing(balancing: BalancingSettings): void {
    this.#balancing = balancing;
    this.refresh();
  }

  setHosts(hosts: ClusterHosts): void {
    this.#hosts = hosts;
    this.refresh();
  }

  /** Hosts have become healthy or have ceased to be. */
  refresh(): void {
    const { priorities, overprovisioningPercent } = this.#hosts;
    const options = { ...this.#deps, balancing: this.#balancing, overprovisioningPercent };
    const members = priorities.map((localities) => localities.flatMap(({ hosts }) => hosts));
    const nowMs = this.#deps.nowMs();
    for (const host of members.flat()) host.setServing(nowMs);
    const health = members.map((hosts) => ({
      hosts: hosts.length,
      healthy: hosts.filter(({ isUsable }) => isUsable).length,
    }));
    const { panicPercent } = this.#balancing;
    const loads = priorityLoads(health, { panicPercent, overprovisioningPercent });
    this.#priorities = loads.map((load, i) => ({
      ...load,
      health: health[i]!,
      hosts: new Set(members[i]),
      balancer: balancerOf(priorities[i]!, load.uses, options),
    }));
  }

  /** A host for the next attempt; null if none may be used. */
  pick(choice: HostChoice): Host | null {
    if (this.#priorities.length === 0) return null;
    return this.wantsHash ? this.#pickByHash(choice) : this.#pickAny(choice);
  }

  /** The priority is chosen by the hash too, whatever was tried. */
  #pickByHash(choice: HostChoice): Host | null {
    const { tried, reselections } = choice;
    const key = choice.hash ?? randomHash(this.#deps.random);
    const { balancer } = this.#priorityAt(percentOf(key), null);
    if (balancer === null) return null;
    let host = balancer.choose(key, 0);
    for (let i = 1; i <= reselections && tried.includes(host); i++) host = balancer.choose(key, i);
    return host;
  }

  #pickAny(choice: HostChoice): Host | null {
    const { tried, reselections } = choice;
    const percents = this.#percentsFor(choice);
    let host: Host | null = null;
    for (let i = 0; i <= reselections; i++) {
      const { balancer } = this.#priorityAt(this.#drawPercent(), percents);
      host = balancer?.choose(null, i) ?? null;
      if (host === null || !tried.includes(host)) return host;
    }
    return host;
  }

  /** Nothing is drawn where there is no choice. */
  #drawPercent(): number {
    return this.#priorities.length === 1 ? 0 : Math.floor(this.#deps.random() * 100);
  }

  /** Null for those that every request goes by, also when no priority is left: then all are to be tried again. */
  #percentsFor({ tried, triesPerPriority }: HostChoice): readonly number[] | null {
    if (triesPerPriority === 0 || tried.length < triesPerPriority) return null;
    const priorities = this.#priorities;
    const health = priorities.map((priority) => priority.health);
    const left = new Set<number>();
    let counted: Host[] = [];
    let percents: readonly number[] | null = null;
    for (const host of tried) {
      counted.push(host);
      if (counted.length % triesPerPriority !== 0) continue;
      for (const one of counted) left.add(priorities.findIndex(({ hosts }) => hosts.has(one)));
      percents = percentsWithout(health, left, this.#hosts.overprovisioningPercent);
      if (percents !== null) continue;
      left.clear();
      counted = [];
    }
    return percents;
  }

  /** `percent` from 0 to 99. */
  #priorityAt(percent: number, percents: readonly number[] | null): Priority {
    const priorities = this.#priorities;
    let sum = 0;
    for (let i = 0; i < priorities.length; i++) {
      sum += percents === null ? priorities[i]!.percent : percents[i]!;
      if (percent < sum) return priorities[i]!;
    }
    return priorities[0]!;
  }
}
