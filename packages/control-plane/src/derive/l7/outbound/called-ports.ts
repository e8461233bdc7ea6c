/** Clusters and endpoints of the services that sidecars and gateways call, as collections. */
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { Context } from '../../../collections/cell.ts';
import type { Collection } from '../../../collections/collection.ts';
import type { Graph } from '../../../collections/graph.ts';
import type { MeshCollections } from '../../mesh-collections.ts';
import { type MeshService, meshServiceKey, namespacedHostname } from '../../mesh-service.ts';
import { settingsIn } from '../../mesh-settings.ts';
import { namespaceOf, refTo } from '../../object.ts';
import { inheritedPeerAuthentication, namespaceTlsMode } from '../../peer-authentication.ts';
import type { WorkloadResource } from '../../resource.ts';
import { assignmentResource, type ServiceAssignment } from '../endpoints.ts';
import { outboundCluster } from '../names.ts';
import { encoded, type OwnedResource } from '../owned-resource.ts';
import type { L7Port } from '../port-protocol.ts';
import type { ProxyNode } from '../proxy-node.ts';
import type { Discovery, PortCluster } from '../service-clusters.ts';
import { calledCluster, calledDiscovery } from './called-cluster.ts';
import { encodedOnce, sameWanted, type Wanted } from './encoded-once.ts';
import { type PeerTls, peerTls, type ServicePeers, servicePeers } from './service-peers.ts';

/** A called port by names, so that it stays the same while its service changes. */
interface NamedPort {
  /** By `meshServiceKey`. */
  readonly service: string;
  readonly port: L7Port;
  readonly role: ProxyNode['type'];
}

export type WantedPort = Wanted<NamedPort>;

/** Whether two wishes for ports are the same. */
export const isSamePort: (before: WantedPort, now: WantedPort) => boolean = sameWanted();

export function wantedPort(
  owner: string,
  service: MeshService,
  port: L7Port,
  role: ProxyNode['type'],
): WantedPort {
  return {
    owner,
    content: `${role} ${namespacedHostname(service)} ${port.port}`,
    value: { service: keyOf(service), port, role },
    sources: [refTo(service)],
  };
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
  const partOf = ({ service: key, port }: NamedPort, context: Context): PortCluster | null => {
    const service = context.get(mesh.meshServices, key);
    return service === undefined ? null : { service, port, subset: '', traffic: null };
  };
  return {
    clusters: encodedOnce(graph, 'clusters of called services', wanted, (named, context) => {
      const part = partOf(named, context);
      if (part === null) return null;
      const discovery = calledDiscovery(part, named.role);
      const cluster = calledCluster(part, {
        ...peersOf(part.service, discovery, context),
        discovery,
        assignment: assignmentOf(part),
        workloads: () => workloadsOf(part, mesh, context),
      });
      return cluster === null ? null : encoded(ClusterSchema, cluster, []);
    }),
    endpoints: encodedOnce(graph, 'endpoints of called services', wanted, (named, context) => {
      const part = partOf(named, context);
      if (part === null || calledDiscovery(part, named.role) !== 'endpoints') return null;
      return assignmentResource(assignmentOf(part), workloadsOf(part, mesh, context));
    }),
  };
}

function assignmentOf({ service, port, subset }: PortCluster): ServiceAssignment {
  return {
    clusterName: outboundCluster(port.port, service.hostname, subset),
    serviceKey: namespacedHostname(service),
    servicePort: port.port,
    transports: 'hbone-and-mtls',
    service,
    labels: {},
  };
}

function workloadsOf(
  { service }: PortCluster,
  { workloadsByService }: MeshCollections,
  context: Context,
): readonly WorkloadResource[] {
  return context.lookup(workloadsByService, namespacedHostname(service));
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
