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
import type { MeshPort } from '../../ports.ts';
import { assignmentResource } from '../endpoints.ts';
import { encoded, type OwnedResource } from '../owned-resource.ts';
import type { ProxyNode } from '../proxy-node.ts';
import {
  assignmentOf,
  type CalledPort,
  type ClusterContext,
  calledCluster,
  endpointsOf,
  isDiscovered,
} from './called-cluster.ts';
import { distinctContents, encodedOnce, sameWanted, type Wanted } from './encoded-once.ts';
import { peerTls, type ServicePeers, servicePeers } from './service-peers.ts';

/** A called port by names, so that it stays the same while its service changes. */
interface NamedPort {
  /** By `meshServiceKey`. */
  readonly service: string;
  readonly port: MeshPort;
  readonly endpoints: CalledPort['endpoints'];
}

export type WantedPort = Wanted<NamedPort>;

/** Whether two wishes for ports are the same. */
export const isSamePort: (before: WantedPort, now: WantedPort) => boolean = sameWanted();

export function wantedPort(
  owner: string,
  service: MeshService,
  port: MeshPort,
  role: ProxyNode['type'],
): WantedPort {
  const endpoints = endpointsOf(service, role);
  return {
    owner,
    content: `${namespacedHostname(service)} ${port.number} ${endpoints}`,
    value: {
      service: meshServiceKey(service, namespaceOf(service), service.hostname),
      port,
      endpoints,
    },
    sources: [refTo(service)],
  };
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
  const called = ({ service: key, port, endpoints }: NamedPort, context: Context) => {
    const service = context.get(mesh.meshServices, key);
    return service === undefined ? null : { service, port, endpoints };
  };
  return {
    clusters: encodedOnce(graph, 'clusters of called services', wanted, (named, context) => {
      const found = called(named, context);
      if (found === null) return null;
      const cluster = calledCluster(found, clusterContext(found, mesh, peersOf, context));
      return cluster === null ? null : encoded(ClusterSchema, cluster, []);
    }),
    endpoints: encodedOnce(graph, 'endpoints of called services', wanted, (named, context) => {
      const found = called(named, context);
      if (found === null || !isDiscovered(found)) return null;
      const key = namespacedHostname(found.service);
      const workloads = context.lookup(mesh.workloadsByService, key);
      return assignmentResource(assignmentOf(found, key), workloads);
    }),
  };
}

type PeersOf = (service: MeshService, context: Context) => ServicePeers;

const NOBODY: ServicePeers = { identities: [], tls: 'none' };

/** Most changes of a workload change neither. */
function peersOfServices(
  graph: Graph,
  mesh: MeshCollections,
  wanted: Collection<WantedPort>,
): PeersOf {
  const ports = distinctContents(graph, 'called ports', wanted);
  const services = graph.flatMap('called services', ports, ({ service }) => [[service, service]]);
  const peers = graph.map('peers of called services', services, (key, context) => {
    const service = context.get(mesh.meshServices, key);
    if (service === undefined) return null;
    const workloads = context.lookup(mesh.workloadsByService, namespacedHostname(service));
    return servicePeers(service, workloads);
  });
  return (service, context) =>
    context.get(peers, meshServiceKey(service, namespaceOf(service), service.hostname)) ?? NOBODY;
}

function clusterContext(
  called: CalledPort,
  mesh: MeshCollections,
  peersOf: PeersOf,
  context: Context,
): ClusterContext {
  const { service, endpoints } = called;
  const { rootNamespace } = settingsIn(mesh, context);
  const inherited = inheritedPeerAuthentication(
    context.lookup(mesh.peerPolicies, rootNamespace),
    context.lookup(mesh.peerPolicies, namespaceOf(service)),
  );
  const peers = peersOf(service, context);
  const key = namespacedHostname(service);
  return {
    peers,
    tls: peerTls(service, peers, namespaceTlsMode(inherited), endpoints),
    assignment: assignmentOf(called, key),
    workloads: () => context.lookup(mesh.workloadsByService, key),
  };
}
