import type { SocketAddress } from '@aquifer/wire';
import type { Cluster as PbCluster } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { ClusterLoadAssignment } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { UpstreamTlsContextSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { isType, unpack } from '../compile/any.ts';
import { type CompiledAssignment, compileAssignment, NO_ENDPOINTS } from '../compile/assignment.ts';
import { type CompiledCluster, compileCluster } from '../compile/cluster.ts';
import { tlsFor, type UpstreamTls } from '../compile/upstream-tls.ts';
import { ConnectionPool } from '../upstream/connection-pool.ts';
import type { Dialer } from '../upstream/dialer.ts';
import { Cluster } from './cluster.ts';
import type { ClusterStatus } from './cluster-status.ts';
import { DirectHosts, type KnownWorkload } from './direct-hosts.ts';
import { DnsHosts } from './dns-hosts.ts';
import { EndpointHosts } from './endpoint-hosts.ts';
import { Host, type HostAddress } from './host.ts';
import { NamedHosts } from './named-hosts.ts';
import { resolveName } from './resolve-name.ts';

const ORIGINATE = 'connect_originate';

/** A cluster and where its hosts come from. */
interface Served {
  readonly cluster: Cluster;
  readonly hosts:
    | { readonly kind: 'endpoints'; readonly set: EndpointHosts }
    | { readonly kind: 'dns'; readonly set: EndpointHosts; readonly names: DnsHosts }
    | { readonly kind: 'original-destination'; readonly set: DirectHosts }
    | { readonly kind: 'by-name'; readonly set: NamedHosts };
  /** Its last version. */
  config: CompiledCluster;
}

/** Clusters and their hosts, kept up to date. */
export class ClusterManager {
  readonly #dialer: Dialer;
  readonly #clusters = new Map<string, Served>();
  /** Endpoints that arrived before their cluster, or stay for its next version. */
  readonly #assignments = new Map<string, CompiledAssignment>();
  #trustedPrefixes: readonly string[] = [];

  constructor(dialer: Dialer) {
    this.#dialer = dialer;
  }

  /** Some lead where the connection was going, some to the host that the request is for. */
  get(
    name: string,
    destination: SocketAddress | null = null,
    authority: string | null = null,
  ): Cluster | null {
    const served = this.#clusters.get(name);
    if (served === undefined) return null;
    const { cluster, config, hosts } = served;
    if (hosts.kind === 'original-destination' && destination !== null) {
      return hosts.set.to(destination);
    }
    if (hosts.kind !== 'by-name' || authority === null) return cluster;
    return hosts.set.to(authority, config.transport.some(({ tls }) => tls !== null) ? 443 : 80);
  }

  get trustedPrefixes(): readonly string[] {
    return this.#trustedPrefixes;
  }

  /** In the order of their names. */
  statuses(): readonly ClusterStatus[] {
    const served = [...this.#clusters.values()].toSorted((a, b) =>
      a.config.name < b.config.name ? -1 : 1,
    );
    return served.map(({ config, hosts }) => ({
      name: config.name,
      hosts: [...hosts.set.all()].map(({ address, isUsable, weight, active }) => {
        return { address, isHealthy: isUsable, weight, active };
      }),
    }));
  }

  upsertCluster(pb: PbCluster): void {
    if (pb.name === ORIGINATE) {
      this.#trustedPrefixes = sanPrefixes(pb);
      return;
    }
    const config = compileCluster(pb);
    const before = this.#clusters.get(config.name);
    if (before !== undefined && before.hosts.kind !== config.hosts.kind) this.#close(before);
    const served = before?.hosts.kind === config.hosts.kind ? before : this.#serve(config);
    served.config = config;
    served.cluster.breakers.limits = config.breakers;
    served.cluster.protocol = config.protocol;
    if (served.hosts.kind === 'endpoints' || served.hosts.kind === 'dns') {
      served.hosts.set.setOutliers(config.outliers);
    }
    if (served.hosts.kind === 'dns' && config.hosts.kind === 'dns') {
      served.hosts.names.setSettings(config.hosts.dns);
    }
    if ('assignment' in config.hosts && config.hosts.assignment !== null)
      this.#assignments.set(config.name, config.hosts.assignment);
    this.#applyEndpoints(config.name);
    served.cluster.setBalancing(config.balancing);
  }

  removeCluster(name: string): void {
    const served = this.#clusters.get(name);
    if (served !== undefined) this.#close(served);
    this.#assignments.delete(name);
  }

  upsertEndpoints(config: ClusterLoadAssignment): void {
    this.#assignments.set(config.clusterName, compileAssignment(config));
    this.#applyEndpoints(config.clusterName);
  }

  removeEndpoints(name: string): void {
    this.#assignments.delete(name);
    this.#applyEndpoints(name);
  }

  #serve(config: CompiledCluster): Served {
    const cluster = new Cluster(config.name);
    const newHost = (address: HostAddress): Host => this.#newHost(address, served);
    const served: Served = { cluster, hosts: hostsOf(config, cluster, newHost), config };
    this.#clusters.set(config.name, served);
    return served;
  }

  #close({ cluster, hosts }: Served): void {
    this.#clusters.delete(cluster.name);
    if (hosts.kind === 'dns') hosts.names.close();
    hosts.set.close();
  }

  #applyEndpoints(name: string): void {
    const served = this.#clusters.get(name);
    if (served === undefined) return;
    const assignment = this.#assignments.get(name) ?? NO_ENDPOINTS;
    const { hosts } = served;
    if (hosts.kind === 'endpoints') hosts.set.setEndpoints(assignment);
    else if (hosts.kind === 'dns') hosts.names.setEndpoints(assignment);
    else if (hosts.kind === 'original-destination') hosts.set.setKnown(knownOf(assignment));
  }

  #newHost(address: HostAddress, served: Served): Host {
    const { breakers } = served.cluster;
    const pool = new ConnectionPool({
      dial: () => {
        const { connectTimeoutMs, transport } = served.config;
        const tls = tlsTo(address, tlsFor(transport, host.socketLabels));
        return this.#dialer.dial(address, connectTimeoutMs, tls);
      },
      breakers,
      lifetimes: () => served.config.lifetimes,
    });
    const host = new Host(address, pool, breakers);
    return host;
  }
}

function hostsOf(
  { hosts }: CompiledCluster,
  cluster: Cluster,
  newHost: (address: HostAddress) => Host,
): Served['hosts'] {
  if (hosts.kind === 'original-destination') {
    return { kind: hosts.kind, set: new DirectHosts(cluster, newHost) };
  }
  if (hosts.kind === 'by-name')
    return { kind: hosts.kind, set: new NamedHosts(cluster, newHost, hosts.family) };
  const set = new EndpointHosts(cluster, newHost);
  if (hosts.kind === 'endpoints') return { kind: hosts.kind, set };
  return { kind: hosts.kind, set, names: new DnsHosts(set, hosts.dns, resolveName) };
}

/** A host that is known by its name is called by it. */
function tlsTo(address: HostAddress, tls: UpstreamTls | null): UpstreamTls | null {
  if (tls === null || address.kind !== 'named') return tls;
  return { ...tls, serverName: tls.serverName ?? address.ip };
}

function knownOf({ localities }: CompiledAssignment) {
  const endpoints = localities.flatMap((locality) => locality.endpoints);
  return new Map(
    endpoints.map(({ address: { ip, kind }, metadata }): [string, KnownWorkload] => [
      ip,
      { kind: kind === 'hbone' ? kind : 'plain', metadata },
    ]),
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
