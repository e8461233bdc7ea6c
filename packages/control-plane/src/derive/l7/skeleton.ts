/** The configuration of one waypoint: what does not depend on the pods behind its services, and then the endpoints. */
import type { Workload } from '@aquifer/model';
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { type Listener, ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { ObjectRef } from '../../ingest/kinds.ts';
import { type MeshService, namespacedHostname } from '../mesh-service.ts';
import { namespaceOf, refTo } from '../object.ts';
import { type Resource, resource } from '../resource.ts';
import { inboundClusters, outboundServiceCluster, tunnelClusters } from './clusters.ts';
import { type Assignment, boundWorkloads, clusterLoadAssignment } from './endpoints.ts';
import { mainListener } from './main-listener.ts';
import { l7Ports } from './port-protocol.ts';
import { isHeadless, isReachedInbound, type WaypointScope } from './scope.ts';
import { connectOriginateListener, connectTerminate } from './tunnel-listeners.ts';

/** A cluster whose endpoints are the workloads of a service. */
export type ServiceAssignment = Assignment & { readonly service: MeshService };

/** All but endpoints: pods do not matter, unless they are bound to the waypoint themselves. */
export interface Skeleton {
  readonly clusters: readonly Resource<Cluster>[];
  readonly listeners: readonly Resource<Listener>[];
  readonly assignments: readonly ServiceAssignment[];
}

type WorkloadResource = Resource<Workload>;

function encoded<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc> & { readonly name: string },
  sources: readonly ObjectRef[],
): Resource<MessageShape<Desc>> {
  return resource(message.name, message, toBinary(schema, message), sources);
}

export function skeleton(scope: WaypointScope, bound: readonly WorkloadResource[]): Skeleton {
  const { gateway, mesh, attached, routes, policies, backends } = scope;
  const own = refTo(gateway);
  const clusters = tunnelClusters(mesh.trustDomain, namespaceOf(gateway)).map((cluster) =>
    encoded(ClusterSchema, cluster, [own]),
  );
  const assignments: ServiceAssignment[] = [];
  const add = (service: MeshService, isOutbound: boolean): void => {
    const sources = isOutbound ? [refTo(service), ...routes.map(refTo)] : [refTo(service), own];
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

export function assignmentResource(
  assignment: ServiceAssignment,
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
export function boundResource(bound: readonly WorkloadResource[]): Resource<ClusterLoadAssignment> {
  const message = boundWorkloads(bound.map(({ value }) => value));
  const sources = bound.flatMap(({ sources: [first] }) => first ?? []);
  const bytes = toBinary(ClusterLoadAssignmentSchema, message);
  return resource(message.clusterName, message, bytes, sources);
}
