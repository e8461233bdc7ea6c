/** How what belongs to a service at a waypoint is found. */
import { isDeepStrictEqual } from 'node:util';
import type { AuthorizationPolicy, RequestAuthentication } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import type { Collection, Index } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../../ingest/cluster-inputs.ts';
import { GATEWAY_NAME_LABEL } from '../labels.ts';
import type { MeshCollections } from '../mesh-collections.ts';
import { labelsOf, namespaceOf } from '../object.ts';
import { canonicalOf, type TelemetryOf } from '../telemetry/telemetry-lookups.ts';
import type { RoutingLookups } from './routing-lookups.ts';
import { policyTargets, type ScopeLookups } from './scope.ts';
import type { WaypointRef } from './waypoint-ref.ts';

export type LookupsOf = (context: Context, waypoint: WaypointRef) => ScopeLookups;

/** Where it is found. */
export interface ScopeSources {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly mesh: MeshCollections;
  readonly routing: RoutingLookups;
  /** JSON Web Key Sets by address, as they were fetched. */
  readonly keySets: Collection<string>;
  readonly telemetryOf: TelemetryOf;
}

export function scopeLookups(sources: ScopeSources): LookupsOf {
  const { graph, cluster, mesh, routing, keySets, telemetryOf } = sources;
  const canonicals = canonicalNames(graph, cluster);
  const policiesByTarget: Index<AuthorizationPolicy> = graph.index(
    'policies by target',
    cluster.of('AuthorizationPolicy'),
    policyTargets,
  );
  const authenticationsByTarget: Index<RequestAuthentication> = graph.index(
    'token rules by target',
    cluster.of('RequestAuthentication'),
    policyTargets,
  );
  return (context, waypoint) => {
    const client = { namespace: waypoint.namespace, labels: null };
    return {
      routesOf: (parent) => routing.routesOf(context, parent),
      policiesAt: (target) => context.lookup(policiesByTarget, target),
      authenticationsAt: (target) => context.lookup(authenticationsByTarget, target),
      findKeySet: (address) => context.get(keySets, address),
      telemetryOf: (targets) => {
        const { namespace, name } = waypoint;
        const canonical = context.get(canonicals, objectKey(namespace, name)) ?? canonicalOf({});
        const whose = { namespace, labels: null, targets };
        return telemetryOf(
          { ...whose, role: 'waypoint', side: 'server', canonical, meshId: '' },
          context,
        );
      },
      virtualService: routing.findVirtualService(context),
      virtualServicesOf: (namespace, hostname) =>
        routing.virtualServicesOf(context, namespace, hostname),
      rawRoutesOf: (namespace, hostname) => routing.rawRoutesOf(context, namespace, hostname),
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

/** What the pods of each gateway say of themselves, by `namespace/name`: all of one gateway say the same. */
function canonicalNames(
  graph: Graph,
  cluster: ClusterInputs,
): Collection<ReturnType<typeof canonicalOf>> {
  const pods = graph.index('pods by gateway', cluster.of('Pod'), (pod) => {
    const name = labelsOf(pod)[GATEWAY_NAME_LABEL];
    return name === undefined ? [] : [objectKey(namespaceOf(pod), name)];
  });
  return graph.map(
    'canonical names of gateways',
    cluster.of('Gateway'),
    (_gateway, context, key) => canonicalOf(labelsOf(context.lookup(pods, key)[0])),
    isDeepStrictEqual,
  );
}
