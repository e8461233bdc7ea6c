import { parseAuthority, type SocketAddress } from '@aquifer/wire';
import {
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
  type Cluster as PbCluster,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { HealthStatus } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import type {
  ClusterLoadAssignment,
  LbEndpoint,
  LocalityLbEndpoints,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { UpstreamTlsContextSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import type { JsonObject } from '@bufbuild/protobuf';
import { durationMs, isType, unpack } from '../compile/any.ts';
import { ConfigProblem } from '../compile/problem.ts';
import { upstreamProtocol } from '../compile/upstream-protocol.ts';
import { ConnectionPool } from '../upstream/connection-pool.ts';
import type { Dialer } from '../upstream/dialer.ts';
import { type BalancerKind, Cluster } from './cluster.ts';
import type { ClusterStatus } from './cluster-status.ts';
import { DirectHosts } from './direct-hosts.ts';
import { Host, type HostAddress, type HostMetadata } from './host.ts';

const ORIGINATE = 'connect_originate';
/**
 * Leads every connection to where it was going. Its one endpoint is a listener of Envoy's own; our control plane also
 * sends, as endpoints of that name, the workloads that are reached by it, and how. Their ports are those of connections.
 */
const ENCAP = 'encap';

const BALANCERS: Readonly<Partial<Record<LbPolicy, BalancerKind>>> = {
  [LbPolicy.ROUND_ROBIN]: 'round-robin',
  [LbPolicy.LEAST_REQUEST]: 'least-request',
  [LbPolicy.RANDOM]: 'random',
};

/** An endpoint as configured. */
interface EndpointSpec {
  readonly address: HostAddress;
  readonly isHealthy: boolean;
  readonly weight: number;
  readonly priority: number;
  readonly metadata: HostMetadata | null;
}

/**
 * Clusters and their hosts, kept up to date. Always: a host whose address stays configured keeps its connections and
 * counters; an update of endpoints never interrupts a request.
 */
export class ClusterManager {
  readonly #dialer: Dialer;
  readonly #clusters = new Map<string, Cluster>();
  readonly #hosts = new Map<string, Map<string, Host>>();
  /** Of clusters without hosts of their own. */
  readonly #direct = new Map<string, DirectHosts>();
  /** Endpoints that arrived before their cluster, or stay for its next version. */
  readonly #assignments = new Map<string, readonly EndpointSpec[]>();
  #trustedPrefixes: readonly string[] = [];

  constructor(dialer: Dialer) {
    this.#dialer = dialer;
  }

  /** Some lead where the connection was going. */
  get(name: string, destination: SocketAddress | null = null): Cluster | null {
    const direct = destination === null ? undefined : this.#direct.get(name);
    return direct?.to(destination!) ?? this.#clusters.get(name) ?? null;
  }

  get trustedPrefixes(): readonly string[] {
    return this.#trustedPrefixes;
  }

  /** In the order of their names. */
  statuses(): readonly ClusterStatus[] {
    const names = [...this.#clusters.keys()].toSorted();
    return names.map((name) => {
      const hosts = [...(this.#hosts.get(name)?.values() ?? [])];
      return {
        name,
        hosts: hosts.map(({ address, isHealthy, weight, active }) => {
          return { address, isHealthy, weight, active };
        }),
      };
    });
  }

  upsertCluster(config: PbCluster): void {
    if (config.name === ORIGINATE) {
      this.#trustedPrefixes = sanPrefixes(config);
      return;
    }
    const cluster = this.#clusters.get(config.name) ?? new Cluster(config.name);
    cluster.balancer = BALANCERS[config.lbPolicy] ?? 'least-request';
    cluster.protocol = upstreamProtocol(config);
    cluster.connectTimeoutMs = durationMs(config.connectTimeout) ?? 10_000;
    this.#clusters.set(config.name, cluster);
    if (isDirect(config)) {
      this.#directHosts(config.name).protocol = cluster.protocol;
    } else if (config.loadAssignment !== undefined) {
      this.#assignments.set(config.name, readAssignment(config.loadAssignment));
    }
    this.#applyEndpoints(config.name);
  }

  removeCluster(name: string): void {
    this.#clusters.delete(name);
    this.#assignments.delete(name);
    this.#direct.get(name)?.close();
    this.#direct.delete(name);
    for (const host of this.#hosts.get(name)?.values() ?? []) host.pool.close();
    this.#hosts.delete(name);
  }

  upsertEndpoints(config: ClusterLoadAssignment): void {
    this.#assignments.set(config.clusterName, readAssignment(config));
    this.#applyEndpoints(config.clusterName);
  }

  removeEndpoints(name: string): void {
    this.#assignments.delete(name);
    this.#applyEndpoints(name);
  }

  #applyEndpoints(name: string): void {
    const cluster = this.#clusters.get(name);
    if (cluster === undefined) return;
    if (this.#direct.has(name)) {
      this.#direct.get(name)?.setKnown(knownOf(this.#assignments.get(name) ?? []));
      return;
    }
    const before = this.#hosts.get(name) ?? new Map<string, Host>();
    const after = new Map<string, Host>();
    const usable: { host: Host; priority: number }[] = [];
    for (const spec of this.#assignments.get(name) ?? []) {
      const key = `${spec.address.kind}:${spec.address.ip}:${spec.address.port}`;
      const host = before.get(key) ?? this.#newHost(spec.address);
      host.isHealthy = spec.isHealthy;
      host.weight = spec.weight;
      host.metadata = spec.metadata;
      after.set(key, host);
      if (spec.isHealthy) usable.push({ host, priority: spec.priority });
    }
    for (const [key, host] of before) if (!after.has(key)) host.pool.close();
    this.#hosts.set(name, after);
    const best = Math.min(...usable.map(({ priority }) => priority));
    cluster.setHosts(usable.filter(({ priority }) => priority === best).map(({ host }) => host));
  }

  #directHosts(name: string): DirectHosts {
    const direct =
      this.#direct.get(name) ?? new DirectHosts(name, (address) => this.#newHost(address));
    this.#direct.set(name, direct);
    return direct;
  }

  #newHost(address: HostAddress): Host {
    return new Host(address, new ConnectionPool(() => this.#dialer.dial(address)));
  }
}

function isDirect({ name, clusterDiscoveryType: type }: PbCluster): boolean {
  return name === ENCAP || (type.case === 'type' && type.value === DiscoveryType.ORIGINAL_DST);
}

function knownOf(specs: readonly EndpointSpec[]) {
  return new Map(
    specs.map(({ address: { ip, kind }, metadata }) => [ip, { kind, metadata }] as const),
  );
}

/** URI prefixes that the endpoint's certificate may carry. */
function sanPrefixes(config: PbCluster): string[] {
  const any = config.transportSocket?.configType.value;
  if (!isType(any, UpstreamTlsContextSchema)) return [];
  const { commonTlsContext } = unpack(
    any,
    UpstreamTlsContextSchema,
    `${config.name}.transport_socket`,
  );
  const validation = commonTlsContext?.validationContextType;
  if (validation?.case !== 'combinedValidationContext') return [];
  const matchers = validation.value.defaultValidationContext?.matchTypedSubjectAltNames ?? [];
  return matchers.flatMap(({ matcher }) => {
    const pattern = matcher?.matchPattern;
    return pattern?.case === 'prefix' || pattern?.case === 'exact' ? [pattern.value] : [];
  });
}

/** Throws `ConfigProblem` for an address that cannot be dialled. */
export function readAssignment(config: ClusterLoadAssignment): EndpointSpec[] {
  return config.endpoints.flatMap((locality, i) =>
    locality.lbEndpoints.map((endpoint, j) =>
      readEndpoint(endpoint, locality, `endpoints[${i}].lb_endpoints[${j}]`),
    ),
  );
}

function readEndpoint(
  endpoint: LbEndpoint,
  locality: LocalityLbEndpoints,
  path: string,
): EndpointSpec {
  const metadata = endpoint.metadata?.filterMetadata ?? {};
  const isUsable =
    endpoint.healthStatus === HealthStatus.UNKNOWN ||
    endpoint.healthStatus === HealthStatus.HEALTHY;
  return {
    address: readAddress(endpoint, metadata, path),
    isHealthy: isUsable,
    weight: endpoint.loadBalancingWeight ?? 1,
    priority: locality.priority,
    metadata: readMetadata(metadata.istio),
  };
}

function readAddress(
  endpoint: LbEndpoint,
  metadata: Readonly<Record<string, JsonObject>>,
  path: string,
): HostAddress {
  const address = endpoint.hostIdentifier.value?.address?.address;
  if (address?.case === 'socketAddress') {
    const { address: ip, portSpecifier } = address.value;
    if (portSpecifier.case !== 'portValue') throw new ConfigProblem(path, 'has no port');
    return { kind: 'plain', ip, port: portSpecifier.value };
  }
  if (address?.case === 'envoyInternalAddress') {
    const local = metadata['envoy.filters.listener.original_dst']?.local;
    const target = typeof local === 'string' ? parseAuthority(local) : null;
    if (target?.kind !== 'address')
      throw new ConfigProblem(path, 'internal address without a tunnel destination');
    return { kind: 'hbone', ip: target.ip, port: target.port };
  }
  throw new ConfigProblem(path, 'address of a kind that is not supported');
}

/** `workload;namespace;canonical name;revision;cluster`. */
function readMetadata(istio: JsonObject | undefined): HostMetadata | null {
  if (typeof istio?.workload !== 'string') return null;
  const [workload = '', namespace = '', canonicalName = '', canonicalRevision = '', cluster = ''] =
    istio.workload.split(';');
  return { workload, namespace, canonicalName, canonicalRevision, cluster };
}
