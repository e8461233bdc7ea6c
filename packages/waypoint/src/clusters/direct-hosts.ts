import type { SocketAddress } from '@aquifer/wire';
import { formatSocketAddress } from '@aquifer/wire';
import { Cluster } from './cluster.ts';
import type { Host, HostAddress, HostMetadata } from './host.ts';

/** Envoy's clean-up interval of such clusters. */
const SWEEP_MS = 60_000;

/** How a workload takes traffic, as far as it is known. */
export interface KnownWorkload {
  readonly kind: 'plain' | 'hbone';
  readonly metadata: HostMetadata | null;
}

interface Direct {
  readonly cluster: Cluster;
  readonly host: Host;
  isUsed: boolean;
}

/**
 * The hosts of a cluster that leads every connection to where it was going: one for each destination, made when it is
 * asked for and closed when nobody has used it for a while. A workload that is not known takes tunnels, as Envoy has it;
 * of the others the control plane says whether they do.
 */
export class DirectHosts {
  /** Of no hosts; whose name and breakers each has. */
  readonly #whole: Cluster;
  readonly #newHost: (address: HostAddress) => Host;
  readonly #byDestination = new Map<string, Direct>();
  readonly #sweeper: NodeJS.Timeout;
  #known: ReadonlyMap<string, KnownWorkload> = new Map();

  constructor(whole: Cluster, newHost: (address: HostAddress) => Host) {
    this.#whole = whole;
    this.#newHost = newHost;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** By address. */
  setKnown(known: ReadonlyMap<string, KnownWorkload>): void {
    this.#known = known;
    for (const [key, { host }] of this.#byDestination) {
      const { kind, metadata } = this.#wayTo(host.address.ip);
      host.metadata = metadata;
      if (kind !== host.address.kind) this.#forget(key, host);
    }
  }

  /** A cluster of that one host. */
  to(destination: SocketAddress): Cluster {
    const { ip, port } = destination;
    const key = formatSocketAddress(destination);
    let direct = this.#byDestination.get(key);
    if (direct === undefined) {
      const { kind, metadata } = this.#wayTo(ip);
      const host = this.#newHost({ kind, ip, port });
      host.metadata = metadata;
      const cluster = new Cluster(this.#whole.name, this.#whole.breakers);
      const priorities = [[{ weight: 0, hosts: [host] }]];
      cluster.setHosts({ priorities, overprovisioningPercent: 140 });
      direct = { cluster, host, isUsed: true };
      this.#byDestination.set(key, direct);
    }
    direct.isUsed = true;
    direct.cluster.protocol = this.#whole.protocol;
    return direct.cluster;
  }

  /** Those that are in use. */
  all(): Iterable<Host> {
    return [...this.#byDestination.values()].map(({ host }) => host);
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const [key, { host }] of this.#byDestination) this.#forget(key, host);
  }

  #wayTo(ip: string): KnownWorkload {
    return this.#known.get(ip) ?? { kind: 'hbone', metadata: null };
  }

  #sweep(): void {
    for (const [key, direct] of this.#byDestination) {
      if (!direct.isUsed && direct.host.active === 0) this.#forget(key, direct.host);
      direct.isUsed = false;
    }
  }

  /** What is under way ends in its own time. */
  #forget(key: string, host: Host): void {
    this.#byDestination.delete(key);
    host.pool.close();
  }
}
