// hot path: picks a host for every attempt
import type { UpstreamProtocol } from '../compile/upstream-protocol.ts';
import type { HttpVersion } from '../upstream/request-pool.ts';
import type { Host } from './host.ts';

export type BalancerKind = 'round-robin' | 'least-request' | 'random';

/** A named set of hosts. Requests read `hosts` once; updates replace the array, never change it. */
export class Cluster {
  readonly name: string;
  balancer: BalancerKind = 'least-request';
  connectTimeoutMs = 10_000;
  protocol: UpstreamProtocol = 'HTTP/1.1';
  /** Usable hosts of the best priority that has any. */
  #hosts: readonly Host[] = [];
  #next = 0;

  constructor(name: string) {
    this.name = name;
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  /** In which version a request is sent on that came in this one. */
  versionFor(downstream: HttpVersion): HttpVersion {
    return this.protocol === 'downstream' ? downstream : this.protocol;
  }

  setHosts(hosts: readonly Host[]): void {
    this.#hosts = hosts;
  }

  /**
   * A host for the next attempt; null if none is usable. Hosts already tried are avoided for `attempts` further
   * choices, then the last choice is taken (spec l7 1.10).
   */
  pick(tried: readonly Host[], attempts: number): Host | null {
    const hosts = this.#hosts;
    if (hosts.length === 0) return null;
    let host = this.#choose(hosts);
    for (let i = 0; i < attempts && tried.includes(host); i++) host = this.#choose(hosts);
    return host;
  }

  #choose(hosts: readonly Host[]): Host {
    if (hosts.length === 1) return hosts[0]!;
    switch (this.balancer) {
      case 'round-robin':
        this.#next = (this.#next + 1) % hosts.length;
        return hosts[this.#next]!;
      case 'random':
        return randomOf(hosts);
      case 'least-request': {
        const one = randomOf(hosts);
        const other = randomOf(hosts);
        return load(other) < load(one) ? other : one;
      }
    }
  }
}

function randomOf(hosts: readonly Host[]): Host {
  return hosts[Math.floor(Math.random() * hosts.length)]!;
}

/** Requests under way in proportion to the host's weight. */
function load(host: Host): number {
  return (host.active + 1) / host.weight;
}
