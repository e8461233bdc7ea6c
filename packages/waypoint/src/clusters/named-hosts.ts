import { formatSocketAddress, parseAuthority } from '@aquifer/wire';
import { Cluster } from './cluster.ts';
import type { Host, HostAddress } from './host.ts';

/** As Envoy has it: of hosts at once, and how long one is kept that nobody asks for. */
const MAX_HOSTS = 1024;
const SWEEP_MS = 300_000;

interface Named {
  readonly cluster: Cluster;
  readonly host: Host;
  isUsed: boolean;
}

/**
 * The hosts of a cluster that leads each request to the host that it is for: made when it is asked for, and closed when nobody
 * has used it for a while. Which names may be asked for, routes say.
 */
export class NamedHosts {
  /** Of no hosts; whose name and breakers each has. */
  readonly #whole: Cluster;
  readonly #newHost: (name: string, port: number) => Host;
  readonly #byName = new Map<string, Named>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(whole: Cluster, newHost: (address: HostAddress) => Host, family: 4 | 6 | 'any') {
    this.#whole = whole;
    this.#newHost = (ip, port) => newHost({ kind: 'named', ip, port, family });
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** A cluster of that one host; of none for an address, for what is no name, and for one name too many. */
  to(authority: string, defaultPort: number): Cluster {
    const parsed = parseAuthority(authority) ?? parseAuthority(`${authority}:${defaultPort}`);
    if (parsed?.kind !== 'hostname') return this.#whole;
    const { port } = parsed;
    const name = parsed.hostname.toLowerCase();
    const key = formatSocketAddress({ ip: name, port });
    let named = this.#byName.get(key);
    if (named === undefined) {
      if (this.#byName.size >= MAX_HOSTS) this.#sweep();
      if (this.#byName.size >= MAX_HOSTS) return this.#whole;
      const host = this.#newHost(name, port);
      const cluster = new Cluster(this.#whole.name, this.#whole.breakers);
      cluster.setHosts({
        priorities: [[{ weight: 0, hosts: [host] }]],
        overprovisioningPercent: 140,
      });
      named = { cluster, host, isUsed: true };
      this.#byName.set(key, named);
    }
    named.isUsed = true;
    named.cluster.protocol = this.#whole.protocol;
    return named.cluster;
  }

  /** Those that are in use. */
  all(): Iterable<Host> {
    return [...this.#byName.values()].map(({ host }) => host);
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const [key, { host }] of this.#byName) this.#forget(key, host);
  }

  #sweep(): void {
    for (const [key, named] of this.#byName) {
      if (!named.isUsed && named.host.active === 0) this.#forget(key, named.host);
      named.isUsed = false;
    }
  }

  /** What is under way ends in its own time. */
  #forget(key: string, host: Host): void {
    this.#byName.delete(key);
    host.pool.close();
  }
}
