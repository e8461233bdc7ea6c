/** Clusters and endpoints of the services that sidecars and gateways call, as collections. */
import { hasLabels } from '@aquifer/model/kubernetes';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { Context } from '../../../collections/cell.ts';
import type { Collection } from '../../../collections/collection.ts';
import type { Graph } from '../../../collections/graph.ts';
import { isEmptyMap } from '../../label-maps.ts';
import type { MeshCollections } from '../../mesh-collections.ts';
import { type MeshService, meshServiceKey, namespacedHostname } from '../../mesh-service.ts';
import { settingsIn } from '../../mesh-settings.ts';
import { namespaceOf, refTo } from '../../object.ts';
import { inheritedPeerAuthentication, namespaceTlsMode } from '../../peer-authentication.ts';
import type { WorkloadResource } from '../../resource.ts';
import {
  type DestinationPolicy,
  endpointTlsMode,
  type Subset,
  trafficPolicyAt,
  withSubset,
} from '../../traffic/traffic-policy.ts';
import {
  type Arrange,
  assignmentResource,
  type ServiceAssignment,
  type Transports,
} from '../endpoints.ts';
import { grpcCluster } from '../grpc/cluster.ts';
import { outboundCluster } from '../names.ts';
import { encoded, type OwnedResource } from '../owned-resource.ts';
import { type L7Port, l7Ports } from '../port-protocol.ts';
import type { ProxyNode } from '../proxy-node.ts';
import { type Discovery, type PortCluster, policyOf } from '../service-clusters.ts';
import { calledCluster, calledDiscovery } from './called-cluster.ts';
import { encodedOnce, sameWanted, type Wanted } from './encoded-once.ts';
import { arrangement, type ClientPlace, localitySettings } from './localities.ts';
import { type PeerTls, peerTls, type ServicePeers, servicePeers } from './service-peers.ts';
import { throughWaypoint } from './through-waypoint.ts';

/** A called port by names, so that it stays the same while its service changes. */
interface NamedPort {
  /** By `meshServiceKey`. */
  readonly service: string;
  readonly port: L7Port;
  readonly subset: Pick<Subset, 'name' | 'labels'>;
  /** What DestinationRules say of the service and that subset; null if nothing. */
  readonly traffic: DestinationPolicy | null;
  readonly role: ProxyNode['type'];
  /** Where the client is, if that decides which endpoints it prefers; else null. */
  readonly place: ClientPlace | null;
}

/** Who calls. */
export interface Caller {
  /** Owner of what it is served. */
  readonly key: string;
  readonly role: ProxyNode['type'];
  readonly place: ClientPlace | null;
}

export type WantedPort = Wanted<NamedPort>;

/** Whether two wishes for ports are the same. */
export const isSamePort: (before: WantedPort, now: WantedPort) => boolean = sameWanted();

/** All endpoints. */
const WHOLE: NamedPort['subset'] = { name: '', labels: {} };

/** The clusters of a called service by name: of each port, and of each of its subsets. */
export function wantedPorts(
  { key: owner, role, place: found }: Caller,
  service: MeshService,
  traffic: DestinationPolicy | null,
): readonly (readonly [name: string, WantedPort])[] {
  const rules = traffic?.sources ?? [];
  const by = rules.map(({ namespace, name }) => `${namespace}/${name}`).join();
  return l7Ports(service.ports).flatMap((port) =>
    [WHOLE, ...(traffic?.subsets.values() ?? [])].map(({ name: subset, labels }) => {
      const name = outboundCluster(port.port, service.hostname, subset);
      const policy = traffic === null ? null : trafficPolicyAt(traffic, port.port, subset);
      const place = localitySettings(policy) === null ? null : found;
      const content = `${role} ${namespaceOf(service)} ${name} ${by} ${JSON.stringify(place)}`;
      const value = {
        service: keyOf(service),
        port,
        subset: { name: subset, labels },
        traffic: traffic === null ? null : withSubset(traffic, subset),
        role,
        place,
      };
      return [`${owner} ${name}`, { owner, content, value, sources: [refTo(service), ...rules] }];
    }),
  );
}

function keyOf(service: MeshService): string {
  return meshServiceKey(service, namespaceOf(service), service.hostname);
}

export interface CalledCollections {
  readonly clusters: Collection<OwnedResource>;
  readonly endpoints: Collection<OwnedResource>;
}

/** `wanted` by owner and cluster name. */
export function calledCollections(
  graph: Graph,
  mesh: MeshCollections,
  wanted: Collection<WantedPort>,
): CalledCollections {
  const peersOf = peersOfServices(graph, mesh, wanted);
  const partOf = (named: NamedPort, context: Context): PortCluster | null => {
    const { role, subset, traffic } = named;
    const service = context.get(mesh.meshServices, named.service);
    const port = role === 'router' ? unsniffed(named.port) : named.port;
    return service === undefined ? null : { service, port, subset: subset.name, traffic };
  };
  return {
    clusters: encodedOnce(graph, 'clusters of called services', wanted, (named, context) => {
      const part = partOf(named, context);
      if (part === null) return null;
      if (named.role === 'grpc') {
        const { peers } = peersOf(part.service, 'endpoints', context);
        return grpcCluster(part, peers.identities);
      }
      const discovery = calledDiscovery(part, named.role);
      const assignment = assignmentOf(part, named);
      const cluster = calledCluster(part, {
        ...peersOf(part.service, discovery, context),
        found: named.role === 'router' ? 'secrets' : 'files',
        discovery,
        assignment,
        workloads: () => workloadsOf(assignment, mesh, context),
      });
      return cluster === null ? null : encoded(ClusterSchema, cluster, []);
    }),
    endpoints: encodedOnce(graph, 'endpoints of called services', wanted, (named, context) => {
      const part = partOf(named, context);
      if (part === null || calledDiscovery(part, named.role) !== 'endpoints') return null;
      const waypoint =
        named.role === 'router'
          ? throughWaypoint(named.service, part.port.port, mesh, context)
          : null;
      const assignment = { ...assignmentOf(part, named), ...waypoint };
      return assignmentResource(
        assignment,
        workloadsOf(assignment, mesh, context),
        arrangementOf(part, named),
      );
    }),
  };
}

/** A gateway looks at no bytes on the way to a service. */
function unsniffed({ port, protocol }: L7Port): L7Port {
  return { port, protocol: protocol === 'unknown' ? 'tcp' : protocol };
}

function arrangementOf(part: PortCluster, { place }: NamedPort): Arrange | undefined {
  const settings = localitySettings(policyOf(part));
  return settings === null || place === null ? undefined : arrangement(settings, place);
}

/** Endpoints say that they take the mutual TLS of sidecars only where it is asked of them. */
function transportsOf({ traffic, port, subset }: PortCluster, role: ProxyNode['type']): Transports {
  if (role === 'grpc') return 'direct';
  const mode = traffic === null ? null : endpointTlsMode(traffic, port.port, subset);
  return mode === null || mode === 'ISTIO_MUTUAL' ? 'hbone-and-mtls' : 'hbone';
}

function assignmentOf(
  part: PortCluster,
  { role, subset: { labels } }: NamedPort,
): ServiceAssignment {
  const { service, port, subset } = part;
  return {
    clusterName: outboundCluster(port.port, service.hostname, subset),
    serviceKey: namespacedHostname(service),
    servicePort: port.port,
    transports: transportsOf(part, role),
    service,
    labels,
  };
}

/** Of a subset those with its labels. */
function workloadsOf(
  { serviceKey, labels }: ServiceAssignment,
  { workloadsByService }: MeshCollections,
  context: Context,
): readonly WorkloadResource[] {
  const all = context.lookup(workloadsByService, serviceKey);
  return isEmptyMap(labels) ? all : all.filter(({ traits }) => hasLabels(labels, traits.labels));
}

type PeersOf = (
  service: MeshService,
  discovery: Discovery,
  context: Context,
) => { readonly peers: ServicePeers; readonly tls: PeerTls };

const NOBODY: ServicePeers = { identities: [], tls: 'none' };

/** Most changes of a workload do not change who answers for its services. */
function peersOfServices(
  graph: Graph,
  mesh: MeshCollections,
  wanted: Collection<WantedPort>,
): PeersOf {
  const services = graph.flatMap('called services', wanted, ({ value: { service } }) => [
    [service, service],
  ]);
  const peersBy = graph.map('peers of called services', services, (key, context) => {
    const service = context.get(mesh.meshServices, key);
    if (service === undefined) return null;
    const workloads = context.lookup(mesh.workloadsByService, namespacedHostname(service));
    return servicePeers(service, workloads);
  });
  return (service, discovery, context) => {
    const { rootNamespace } = settingsIn(mesh, context);
    const inherited = inheritedPeerAuthentication(
      context.lookup(mesh.peerPolicies, rootNamespace),
      context.lookup(mesh.peerPolicies, namespaceOf(service)),
    );
    const peers = context.get(peersBy, keyOf(service)) ?? NOBODY;
    return { peers, tls: peerTls(service, peers, namespaceTlsMode(inherited), discovery) };
  };
}
