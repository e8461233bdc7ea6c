import type { CompiledAssignment, EndpointSpec } from '../compile/assignment.ts';
import type { Cluster, ClusterHosts } from './cluster.ts';
import type { Host, HostAddress } from './host.ts';
import type { LocalityHosts } from './host-set.ts';
import { OutlierDetector } from './outlier-detector.ts';
import type { OutlierSettings } from './outlier-settings.ts';

/**
 * The hosts of a cluster whose endpoints are configured. Always: a host whose address stays configured keeps its
 * connections, its counters and its ejection; an update of endpoints never interrupts a request.
 */
export class EndpointHosts {
  readonly #cluster: Cluster;
  readonly #newHost: (address: HostAddress) => Host;
  #hosts: ReadonlyMap<string, Host> = new Map();
  #detector: OutlierDetector | null = null;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(cluster: Cluster, newHost: (address: HostAddress) => Host) {
    this.#cluster = cluster;
    this.#newHost = newHost;
  }

  /** Null to look for outliers no more; those that are ejected come back. */
  setOutliers(settings: OutlierSettings | null): void {
    clearInterval(this.#sweeper);
    if (settings === null) {
      this.#detector = null;
      for (const host of this.#hosts.values()) host.monitor = null;
      return;
    }
    if (this.#detector === null) {
      const detector = new OutlierDetector(settings, {
        nowMs: () => performance.now(),
        random: Math.random,
        onChange: () => this.#cluster.refresh(),
      });
      this.#detector = detector;
      for (const host of this.#hosts.values()) host.monitor = detector.add();
    } else this.#detector.settings = settings;
    const sweep = (): void => this.#detector?.sweep();
    this.#sweeper = setInterval(sweep, settings.intervalMs).unref();
  }

  setEndpoints({ localities, overprovisioningPercent }: CompiledAssignment): void {
    const after = new Map<string, Host>();
    const priorities: LocalityHosts[][] = [];
    for (const { priority, weight, endpoints } of localities) {
      while (priorities.length <= priority) priorities.push([]);
      const hosts = endpoints.map((spec) => this.#hostOf(spec, after));
      priorities[priority]!.push({ weight, hosts: [...new Set(hosts)] });
    }
    for (const [key, host] of this.#hosts) if (!after.has(key)) this.#forget(host);
    this.#hosts = after;
    this.#cluster.setHosts({ priorities, overprovisioningPercent } satisfies ClusterHosts);
  }

  all(): Iterable<Host> {
    return this.#hosts.values();
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const host of this.#hosts.values()) this.#forget(host);
  }

  #hostOf(spec: EndpointSpec, after: Map<string, Host>): Host {
    const key = keyOf(spec.address);
    const host = after.get(key) ?? this.#hosts.get(key) ?? this.#newHost(spec.address);
    host.isHealthy = spec.isHealthy;
    host.weight = spec.weight;
    host.hashKey = spec.hashKey;
    host.metadata = spec.metadata;
    host.socketLabels = spec.socketLabels;
    host.monitor ??= this.#detector?.add() ?? null;
    after.set(key, host);
    return host;
  }

  /** What is under way ends in its own time. */
  #forget(host: Host): void {
    if (host.monitor !== null) this.#detector?.remove(host.monitor);
    host.pool.close();
  }
}

function keyOf(address: HostAddress): string {
  const { kind, ip, port } = address;
  const alternatives = kind === 'plain' ? (address.alternatives ?? []) : [];
  return [kind, ip, port, ...alternatives].join();
}
