/** The Envoy resources of every waypoint, recomputed only where an input changed. */
import type { Service as MeshService, Workload } from '@aquifer/model';
import type { Service } from '@aquifer/model/resources';
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { type Listener, ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { ClusterState } from '../../ingest/cluster-state.ts';
import type { ObjectRef } from '../../ingest/kinds.ts';
import { KeptMaps } from '../kept-maps.ts';
import { Memo, type ProblemListener } from '../memo.ts';
import type { MeshSettings } from '../mesh.ts';
import { nameOf, namespaceOf, refTo } from '../object.ts';
import { type Resource, type ResourceMap, resource } from '../resource.ts';
import { addressKey, type Waypoint, type Waypoints } from '../waypoints.ts';
import { inboundClusters, outboundServiceCluster, tunnelClusters } from './clusters.ts';
import { type Assignment, boundWorkloads, clusterLoadAssignment } from './endpoints.ts';
import { mainListener } from './main-listener.ts';
import { ENCAP } from './names.ts';
import { l7Ports } from './port-protocol.ts';
import {
  isHeadless,
  isReachedInbound,
  objectKey,
  refToService,
  servicesByWaypoint,
  type WaypointScope,
  waypointGateways,
  waypointScope,
} from './scope.ts';
import { connectOriginateListener, connectTerminate } from './tunnel-listeners.ts';

/** What one waypoint is served; a map keeps its identity while nothing in it changed. */
export interface WaypointConfig {
  readonly clusters: ResourceMap<Cluster>;
  readonly endpoints: ResourceMap<ClusterLoadAssignment>;
  readonly listeners: ResourceMap<Listener>;
}

/** By the `namespace/name` of the Gateway. */
export type WaypointConfigs = ReadonlyMap<string, WaypointConfig>;

interface Inputs {
  readonly state: ClusterState;
  readonly waypoints: Waypoints;
  readonly addresses: ResourceMap<Workload | MeshService>;
}

/** All but endpoints: pods do not matter, unless they are bound to the waypoint themselves. */
interface Skeleton {
  readonly clusters: readonly Resource<Cluster>[];
  readonly listeners: readonly Resource<Listener>[];
  readonly assignments: readonly (Assignment & { readonly service: Service })[];
}

type WorkloadResource = Resource<Workload>;

const NOTHING: readonly never[] = [];
const EMPTY: Skeleton = { clusters: NOTHING, listeners: NOTHING, assignments: NOTHING };

export class WaypointConfigDeriver {
  readonly #mesh: MeshSettings;
  readonly #attached: Memo<ReadonlyMap<string, readonly Service[]>>;
  readonly #workloads: Memo<WorkloadIndex>;
  readonly #skeletons: Memo<Skeleton>;
  readonly #assignments: Memo<Resource<ClusterLoadAssignment> | null>;
  readonly #maps = new KeptMaps();

  constructor(mesh: MeshSettings, onProblem: ProblemListener) {
    this.#mesh = mesh;
    this.#attached = new Memo(onProblem, () => new Map());
    this.#workloads = new Memo(onProblem, () => new WorkloadIndex(NOTHING));
    this.#skeletons = new Memo(onProblem, () => EMPTY);
    this.#assignments = new Memo(onProblem, () => null);
  }

  derive(inputs: Inputs): WaypointConfigs {
    const { state, waypoints, addresses } = inputs;
    const gateways = waypointGateways(state);
    const configs = new Map<string, WaypointConfig>();
    if (gateways.length > 0) {
      const attached = this.#attached.get('', [state.Service, state.Namespace, waypoints], () =>
        servicesByWaypoint(state, waypoints, this.#mesh),
      );
      const index = this.#workloads.get(
        '',
        [addresses],
        () => new WorkloadIndex(addresses.values()),
      );
      for (const gateway of gateways) {
        const key = objectKey(namespaceOf(gateway), nameOf(gateway));
        const scope = waypointScope(gateway, attached.get(key) ?? NOTHING, state, this.#mesh);
        configs.set(key, this.#deriveOne(key, scope, index, waypoints.get(key)));
      }
    }
    this.#maps.sweep((name) => configs.has(name.slice(name.indexOf('/') + 1)));
    for (const memo of [this.#attached, this.#workloads, this.#skeletons]) memo.sweep();
    this.#assignments.sweep();
    return configs;
  }

  #deriveOne(
    key: string,
    scope: WaypointScope,
    index: WorkloadIndex,
    waypoint: Waypoint | undefined,
  ): WaypointConfig {
    const bound = waypoint === undefined ? NOTHING : index.boundTo(waypoint);
    const { clusters, listeners, assignments } = this.#skeletons.get(
      key,
      scopeInputs(scope, bound),
      () => skeleton(scope, bound),
    );
    const endpoints = assignments.flatMap((assignment) => {
      const workloads = index.ofService(assignment.serviceKey);
      const found = this.#assignments.get(
        assignment.clusterName,
        [assignment.service, ...workloads],
        () => assignmentResource(assignment, workloads),
      );
      return found ?? [];
    });
    if (bound.length > 0) {
      const found = this.#assignments.get(`${ENCAP}/${key}`, bound, () => boundResource(bound));
      if (found !== null) endpoints.push(found);
    }
    return {
      clusters: this.#maps.keep(`clusters/${key}`, clusters),
      endpoints: this.#maps.keep(`endpoints/${key}`, endpoints),
      listeners: this.#maps.keep(`listeners/${key}`, listeners),
    };
  }
}

/** Everything that a skeleton is made of; null separates the kinds. */
function scopeInputs(scope: WaypointScope, bound: readonly WorkloadResource[]): unknown[] {
  const { gateway, attached, routes, policies, backends } = scope;
  const kinds = [attached, routes, policies, [...backends.values()], bound];
  return [gateway, ...kinds.flatMap((objects) => [null, ...objects])];
}

function encoded<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc> & { readonly name: string },
  sources: readonly ObjectRef[],
): Resource<MessageShape<Desc>> {
  return resource(message.name, message, toBinary(schema, message), sources);
}

function skeleton(scope: WaypointScope, bound: readonly WorkloadResource[]): Skeleton {
  const { gateway, mesh, attached, routes, policies, backends } = scope;
  const own = refTo(gateway);
  const clusters = tunnelClusters(mesh.trustDomain, namespaceOf(gateway)).map((cluster) =>
    encoded(ClusterSchema, cluster, [own]),
  );
  const assignments: (Assignment & { readonly service: Service })[] = [];
  const add = (service: Service, isOutbound: boolean): void => {
    const ref = refToService(service, mesh);
    const sources = isOutbound ? [refTo(service), ...routes.map(refTo)] : [refTo(service), own];
    for (const port of l7Ports(service)) {
      const made = isOutbound
        ? [outboundServiceCluster(ref, port)]
        : inboundClusters(ref, port, isHeadless(service));
      for (const cluster of made) {
        clusters.push(encoded(ClusterSchema, cluster, sources));
        const serviceKey = `${ref.namespace}/${ref.hostname}`;
        const { name: clusterName } = cluster;
        const servicePort = port.port;
        // Those of a headless Service are where connections were going.
        if (isOutbound || !isHeadless(service)) {
          assignments.push({ clusterName, serviceKey, servicePort, isOutbound, service });
        }
      }
    }
  };
  for (const service of attached) add(service, false);
  for (const service of backends.values()) {
    if (!isReachedInbound(service, scope)) add(service, true);
  }
  const addresses = bound.flatMap(({ value }) => value.addresses).toSorted();
  const main = [own, ...attached.map(refTo), ...routes.map(refTo), ...policies.map(refTo)];
  const listeners = [
    encoded(ListenerSchema, connectTerminate(mesh.trustDomain), [own]),
    encoded(ListenerSchema, mainListener(scope, addresses), main),
    encoded(ListenerSchema, connectOriginateListener(), [own]),
  ];
  return { clusters, listeners, assignments };
}

function assignmentResource(
  assignment: Assignment & { readonly service: Service },
  workloads: readonly WorkloadResource[],
): Resource<ClusterLoadAssignment> {
  const message = clusterLoadAssignment(
    assignment,
    workloads.map(({ value }) => value),
  );
  const sources = [
    refTo(assignment.service),
    ...workloads.flatMap(({ sources: [first] }) => first ?? []),
  ];
  const bytes = toBinary(ClusterLoadAssignmentSchema, message);
  return resource(message.clusterName, message, bytes, sources);
}

/** Which workloads are reached by their own addresses, and how. */
function boundResource(bound: readonly WorkloadResource[]): Resource<ClusterLoadAssignment> {
  const message = boundWorkloads(bound.map(({ value }) => value));
  const sources = bound.flatMap(({ sources: [first] }) => first ?? []);
  const bytes = toBinary(ClusterLoadAssignmentSchema, message);
  return resource(message.clusterName, message, bytes, sources);
}

/** Workloads by the Services they are behind, and by the waypoint that they have themselves. */
class WorkloadIndex {
  readonly #byService = new Map<string, WorkloadResource[]>();
  readonly #byWaypoint = new Map<string, WorkloadResource[]>();

  constructor(resources: Iterable<Resource<Workload | MeshService>>) {
    for (const found of resources) {
      if (!isWorkload(found)) continue;
      const { waypoint } = found.value;
      if (waypoint !== null) append(this.#byWaypoint, addressKey(waypoint), found);
      for (const key of found.value.services.keys()) {
        append(this.#byService, key, found);
      }
    }
    for (const list of this.#byService.values()) if (!isSorted(list)) list.sort(byName);
  }

  /** Sorted by uid. */
  ofService(key: string): readonly WorkloadResource[] {
    return this.#byService.get(key) ?? NOTHING;
  }

  boundTo({ address }: Waypoint): readonly WorkloadResource[] {
    const bound = address === null ? undefined : this.#byWaypoint.get(addressKey(address));
    return bound ?? NOTHING;
  }
}

function append<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key) ?? [];
  if (list.push(value) === 1) lists.set(key, list);
}

function byName(a: WorkloadResource, b: WorkloadResource): number {
  return a.name < b.name ? -1 : 1;
}

/** Pods come sorted, so that most lists need no sorting: 10,000 pods are looked through at each change of one. */
function isSorted(list: readonly WorkloadResource[]): boolean {
  return list.every((found, index) => index === 0 || list[index - 1]!.name < found.name);
}

function isWorkload(found: Resource<Workload | MeshService>): found is WorkloadResource {
  return 'uid' in found.value;
}
