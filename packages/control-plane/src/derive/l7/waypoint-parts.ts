/** The parts of a waypoint's configuration: its own, what each attached service adds, and the endpoints. */
import type { Workload } from '@aquifer/model';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { FilterChainSchema, ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { create, type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { ObjectRef } from '../../ingest/kinds.ts';
import type { MeshSettings } from '../mesh.ts';
import { type MeshService, namespacedHostname } from '../mesh-service.ts';
import { refTo } from '../object.ts';
import { type Resource, resource } from '../resource.ts';
import { inboundClusters, outboundServiceCluster, tunnelClusters } from './clusters.ts';
import { type Assignment, boundWorkloads, clusterLoadAssignment } from './endpoints.ts';
import { portChains } from './filter-chains.ts';
import { type MainListenerInputs, mainListener, withChains } from './main-listener.ts';
import { MAIN_INTERNAL } from './names.ts';
import { l7Ports } from './port-protocol.ts';
import { isHeadless, type ServiceScope } from './scope.ts';
import { connectOriginateListener, connectTerminate } from './tunnel-listeners.ts';
import type { WaypointRef } from './waypoint-ref.ts';

/** A cluster whose endpoints are the workloads of a service. */
export type ServiceAssignment = Assignment & { readonly service: MeshService };

/** What one attached service adds: pods do not matter. */
export interface ServiceParts {
  /** Filter chains of the main listener, marshalled. */
  readonly chains: readonly Uint8Array[];
  /** The objects that shaped the chains. */
  readonly chainSources: readonly ObjectRef[];
  readonly clusters: readonly Resource<null>[];
  readonly assignments: readonly ServiceAssignment[];
}

/** The main listener without the chains of services. */
export interface ListenerBase {
  readonly bytes: Uint8Array;
  readonly sources: readonly ObjectRef[];
}

type WorkloadResource = Resource<Workload>;

/** Without the message, which would be many times as large as its bytes. */
function encoded<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc> & { readonly name: string },
  sources: readonly ObjectRef[],
): Resource<null> {
  return resource(message.name, null, toBinary(schema, message), sources);
}

/** The clusters that a waypoint has whatever is attached to it. */
export function ownClusters(
  { namespace, source }: WaypointRef,
  { trustDomain }: MeshSettings,
): Resource<null>[] {
  return tunnelClusters(trustDomain, namespace).map((cluster) =>
    encoded(ClusterSchema, cluster, [source]),
  );
}

/** The listeners that are the same whatever is attached. */
export function ownListeners(
  { source }: WaypointRef,
  { trustDomain }: MeshSettings,
): Resource<null>[] {
  return [connectTerminate(trustDomain), connectOriginateListener()].map((listener) =>
    encoded(ListenerSchema, listener, [source]),
  );
}

export function listenerBase({ source }: WaypointRef, inputs: MainListenerInputs): ListenerBase {
  const { attached, policies } = inputs;
  return {
    bytes: toBinary(ListenerSchema, mainListener(inputs)),
    sources: [source, ...attached.map(refTo), ...policies.map(refTo)],
  };
}

/** The main listener; `parts` are those of the attached services, sorted by hostname. */
export function mainListenerResource(
  base: ListenerBase,
  parts: readonly ServiceParts[],
): Resource<null> {
  const bytes = withChains(
    base.bytes,
    parts.flatMap(({ chains }) => chains),
  );
  const sources = new Map<string, ObjectRef>();
  for (const source of [...base.sources, ...parts.flatMap(({ chainSources }) => chainSources)]) {
    sources.set(`${source.kind}/${source.namespace}/${source.name}`, source);
  }
  return resource(MAIN_INTERNAL, null, bytes, [...sources.values()]);
}

export function serviceParts(scope: ServiceScope): ServiceParts {
  const { waypoint, service, routes, policies, backends } = scope;
  const chains = l7Ports(service.ports)
    .flatMap((port) => portChains(port, scope))
    .map((chain) => toBinary(FilterChainSchema, create(FilterChainSchema, chain)));
  const own = clustersOf(service, {
    isOutbound: false,
    sources: [refTo(service), waypoint.source],
  });
  const others = [...backends.values()]
    .filter(({ isReachedInbound }) => !isReachedInbound)
    .map(({ service: backend }) =>
      clustersOf(backend, {
        isOutbound: true,
        sources: [refTo(backend), ...routes.map(refTo)],
      }),
    );
  const all = [own, ...others];
  return {
    chains,
    chainSources: [...routes.map(refTo), ...policies.map(refTo)],
    clusters: all.flatMap(({ clusters }) => clusters),
    assignments: all.flatMap(({ assignments }) => assignments),
  };
}

interface ClusterOptions {
  /** Whether routes lead there, and nothing that was sent to the waypoint for it. */
  readonly isOutbound: boolean;
  readonly sources: readonly ObjectRef[];
}

function clustersOf(
  service: MeshService,
  { isOutbound, sources }: ClusterOptions,
): Pick<ServiceParts, 'clusters' | 'assignments'> {
  const clusters: Resource<null>[] = [];
  const assignments: ServiceAssignment[] = [];
  for (const port of l7Ports(service.ports)) {
    const made = isOutbound
      ? [outboundServiceCluster(service, port)]
      : inboundClusters(service, port);
    for (const cluster of made) {
      clusters.push(encoded(ClusterSchema, cluster, sources));
      const serviceKey = namespacedHostname(service);
      const { name: clusterName } = cluster;
      const servicePort = port.port;
      // Those of a headless service are where connections were going.
      if (isOutbound || !isHeadless(service)) {
        assignments.push({ clusterName, serviceKey, servicePort, isOutbound, service });
      }
    }
  }
  return { clusters, assignments };
}

export function assignmentResource(
  assignment: ServiceAssignment,
  workloads: readonly WorkloadResource[],
): Resource<null> {
  const message = clusterLoadAssignment(
    assignment,
    workloads.map(({ value }) => value),
  );
  const sources = [
    refTo(assignment.service),
    ...workloads.flatMap(({ sources: [first] }) => first ?? []),
  ];
  const bytes = toBinary(ClusterLoadAssignmentSchema, message);
  return resource(message.clusterName, null, bytes, sources);
}

/** Which workloads are reached by their own addresses, and how. */
export function boundResource(bound: readonly WorkloadResource[]): Resource<null> {
  const message = boundWorkloads(bound.map(({ value }) => value));
  const sources = bound.flatMap(({ sources: [first] }) => first ?? []);
  const bytes = toBinary(ClusterLoadAssignmentSchema, message);
  return resource(message.clusterName, null, bytes, sources);
}
