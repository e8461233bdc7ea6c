/** The parts of a waypoint's configuration: its own, what each attached service adds, and the endpoints. */
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { FilterChainSchema, ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ObjectRef } from '../../ingest/kinds.ts';
import { writtenAs } from '../gateway-api/raw-routes.ts';
import type { MeshSettings } from '../mesh.ts';
import { namespacedHostname } from '../mesh-service.ts';
import { refTo } from '../object.ts';
import { type Resource, resource, type WorkloadResource } from '../resource.ts';
import type { FoundTelemetry } from '../telemetry/telemetry-lookups.ts';
import type { Subset } from '../traffic/traffic-policy.ts';
import { boundWorkloads, type ServiceAssignment } from './endpoints.ts';
import { portChains } from './filter-chains.ts';
import { type MainListenerInputs, mainListener, withChains } from './main-listener.ts';
import { MAIN_INTERNAL } from './names.ts';
import { encoded } from './owned-resource.ts';
import { l7Ports, speaks } from './port-protocol.ts';
import type { ServiceScope } from './scope.ts';
import {
  type Direction,
  discoveryOf,
  inboundServiceCluster,
  outboundServiceCluster,
  type PortCluster,
} from './service-clusters.ts';
import { tunnelClusters } from './tunnel-clusters.ts';
import { connectOriginateListener, connectTerminate } from './tunnel-listeners.ts';
import type { WaypointRef } from './waypoint-ref.ts';

/** What one attached service adds: pods do not matter. */
export interface ServiceParts {
  /** Filter chains of the main listener, marshalled. */
  readonly chains: readonly Uint8Array[];
  /** The objects that shaped the chains. */
  readonly chainSources: readonly ObjectRef[];
  readonly clusters: readonly Resource<null>[];
  /** Clusters that their endpoints are still to be added to. */
  readonly resolved: readonly ResolvedCluster[];
  readonly assignments: readonly ServiceAssignment[];
}

/** A cluster whose endpoints are part of it. */
export interface ResolvedCluster {
  readonly cluster: Resource<null>;
  readonly assignment: ServiceAssignment;
}

/** The main listener without the chains of services. */
export interface ListenerBase {
  readonly bytes: Uint8Array;
  readonly sources: readonly ObjectRef[];
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
  { telemetry, telemetrySources }: FoundTelemetry,
): Resource<null>[] {
  const sources = [source, ...telemetrySources];
  return [connectTerminate(trustDomain, telemetry), connectOriginateListener(telemetry)].map(
    (listener) => encoded(ListenerSchema, listener, sources),
  );
}

export function listenerBase({ source }: WaypointRef, inputs: MainListenerInputs): ListenerBase {
  const { attached, judgeSources } = inputs;
  return {
    bytes: toBinary(ListenerSchema, mainListener(inputs)),
    sources: [source, ...attached.map(refTo), ...judgeSources],
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
  const { waypoint, service, routes, virtualServices, judgeSources, traffic, backends } = scope;
  const chains = l7Ports(service.ports)
    .flatMap((port) => portChains(port, scope))
    .map((chain) => toBinary(FilterChainSchema, create(FilterChainSchema, chain)));
  const rules = [...routes.map(refTo), ...virtualServices.map(writtenAs)];
  const own = clustersOf(
    { service, traffic },
    { direction: 'inbound', sources: [refTo(service), waypoint.source] },
  );
  const others = [
    ...new Map([...backends.values()].map((entry) => [entry.service, entry])).values(),
  ]
    .filter(({ isReachedInbound }) => !isReachedInbound)
    .map((backend) =>
      clustersOf(backend, { direction: 'outbound', sources: [refTo(backend.service), ...rules] }),
    );
  const all = [own, ...others];
  return {
    chains,
    chainSources: [...rules, ...judgeSources],
    clusters: all.flatMap(({ clusters }) => clusters),
    resolved: all.flatMap(({ resolved }) => resolved),
    assignments: all.flatMap(({ assignments }) => assignments),
  };
}

/** What leads to a service that is not attached: clusters, and nothing that was sent to the waypoint for it. */
export function outboundParts(
  target: Pick<ServiceScope, 'service' | 'traffic'>,
  { source }: WaypointRef,
): ServiceParts {
  const sources = [refTo(target.service), source];
  const made = clustersOf(target, { direction: 'outbound', sources });
  return { ...made, chains: [], chainSources: [] };
}

interface ClusterOptions {
  /** `outbound`: routes lead there, and nothing that was sent to the waypoint for it. */
  readonly direction: Direction;
  readonly sources: readonly ObjectRef[];
}

type ServiceClusters = Pick<ServiceParts, 'clusters' | 'resolved' | 'assignments'>;

function clustersOf(
  { service, traffic }: Pick<ServiceScope, 'service' | 'traffic'>,
  { direction, sources: given }: ClusterOptions,
): ServiceClusters {
  const clusters: Resource<null>[] = [];
  const resolved: ResolvedCluster[] = [];
  const assignments: ServiceAssignment[] = [];
  const sources = [...given, ...(traffic?.sources ?? [])];
  const subsets = [WHOLE, ...(traffic?.subsets.values() ?? [])];
  for (const port of l7Ports(service.ports)) {
    for (const subset of subsets) {
      const part = { service, port, subset: subset.name, traffic };
      const discovery = discoveryOf(part, direction);
      const assigned = {
        serviceKey: namespacedHostname(service),
        servicePort: port.port,
        transports: direction === 'outbound' ? ('hbone' as const) : ('internal' as const),
        labels: subset.labels,
        service,
      };
      for (const cluster of clustersAt(part, direction)) {
        const made = encoded(ClusterSchema, cluster, sources);
        const assignment = { ...assigned, clusterName: cluster.name };
        if (discovery === 'dns') {
          resolved.push({ cluster: made, assignment });
        } else {
          clusters.push(made);
          if (discovery === 'endpoints') assignments.push(assignment);
        }
      }
    }
  }
  return { clusters, resolved, assignments };
}

/** All endpoints. */
const WHOLE: Pick<Subset, 'name' | 'labels'> = { name: '', labels: {} };

/** Bytes name nobody: where names decide there is no cluster for them, nor for what routes send there from elsewhere. */
function clustersAt(part: PortCluster, direction: Direction): Cluster[] {
  const isByName = discoveryOf(part, direction) === 'by-name';
  if (direction === 'outbound') return isByName ? [] : [outboundServiceCluster(part)];
  return (['http', 'tcp'] as const)
    .filter((kind) => speaks(part.port, kind) && (kind === 'http' || !isByName))
    .map((kind) => inboundServiceCluster(kind, part));
}

const { number: ENDPOINTS_FIELD } = ClusterSchema.field.loadAssignment;

/**
 * A cluster with its endpoints, which are names for DNS. Both are marshalled already: of parts of a message that follow
 * each other, fields are merged (protobuf encoding).
 */
export function resolvedCluster(
  { cluster, assignment }: ResolvedCluster,
  endpoints: Resource<null>,
): Resource<null> {
  const writer = new BinaryWriter();
  writer.tag(ENDPOINTS_FIELD, WireType.LengthDelimited).bytes(endpoints.bytes);
  const bytes = Buffer.concat([cluster.bytes, writer.finish()]);
  return resource(assignment.clusterName, null, bytes, [...cluster.sources, ...endpoints.sources]);
}

/** Which workloads are reached by their own addresses, and how. */
export function boundResource(bound: readonly WorkloadResource[]): Resource<null> {
  const message = boundWorkloads(bound);
  const sources = bound.flatMap(({ sources: [first] }) => first ?? []);
  const bytes = toBinary(ClusterLoadAssignmentSchema, message);
  return resource(message.clusterName, null, bytes, sources);
}
