/** How what belongs to a service at a waypoint is found. */
import type { AuthorizationPolicy } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import type { Index } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../../ingest/cluster-inputs.ts';
import type { MeshCollections } from '../mesh-collections.ts';
import type { RoutingLookups } from './routing-lookups.ts';
import { policyTargets, type ScopeLookups } from './scope.ts';
import type { WaypointRef } from './waypoint-ref.ts';

export type LookupsOf = (context: Context, waypoint: WaypointRef) => ScopeLookups;

export function scopeLookups(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
  routing: RoutingLookups,
): LookupsOf {
  const policiesByTarget: Index<AuthorizationPolicy> = graph.index(
    'policies by target',
    cluster.of('AuthorizationPolicy'),
    policyTargets,
  );
  return (context, waypoint) => {
    const client = { namespace: waypoint.namespace, labels: null };
    return {
      routesOf: (parent) => routing.routesOf(context, parent),
      policiesAt: (target) => context.lookup(policiesByTarget, target),
      virtualService: routing.findVirtualService(context),
      virtualServicesOf: (namespace, hostname) =>
        routing.virtualServicesOf(context, namespace, hostname),
      trafficOf: (service) => routing.trafficOf(context, client, service),
      serviceAt: (destination) => routing.serviceAt(context, waypoint.namespace, destination),
      isAttached: (key) => {
        const { namespace, name } = waypoint;
        const attached = context.get(mesh.services, key)?.waypoints ?? [];
        return attached.includes(objectKey(namespace, name));
      },
    };
  };
}
