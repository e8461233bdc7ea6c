/** What waypoints cannot do of VirtualServices and DestinationRules, as conditions. Upstream says nothing of these kinds. */
import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { meshServiceKey } from '../derive/mesh-service.ts';
import { settingsIn } from '../derive/mesh-settings.ts';
import { namespaceOf } from '../derive/object.ts';
import { hostsOf, isForMesh } from '../derive/routing/virtual-service-index.ts';
import { virtualServiceProblems } from '../derive/routing/virtual-service-problems.ts';
import { destinationRuleProblems } from '../derive/traffic/destination-rule-problems.ts';
import { ruledHost } from '../derive/traffic/destination-rules.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { conditionWish } from './condition-wish.ts';
import { unsupportedCondition } from './unsupported-condition.ts';

const TYPE = 'WaypointAccepted';
const MANAGER = 'aquifer-routing';

/** Only of objects that some waypoint follows, and only where there is something to say. */
export function routingWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.union(
    'wishes for routing',
    virtualServiceWishes(graph, cluster, mesh),
    destinationRuleWishes(graph, cluster, mesh),
  );
}

function virtualServiceWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for VirtualServices',
    cluster.of('VirtualService'),
    (service, context) => {
      const { installation } = mesh;
      const isFollowed =
        isForMesh(service) &&
        hostsOf(service, installation).some((host) => isAtWaypoint(host, context, mesh));
      const problems = isFollowed
        ? virtualServiceProblems(service, (namespace, name) =>
            context.get(cluster.of('VirtualService'), objectKey(namespace, name)),
          )
        : [];
      const stored = service.status?.conditions;
      return conditionWish(
        { kind: 'VirtualService', object: service, stored, types: [TYPE], fieldManager: MANAGER },
        unsupportedCondition(TYPE, problems, service.metadata.generation),
      );
    },
    isSameWish,
  );
}

function destinationRuleWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for DestinationRules',
    cluster.of('DestinationRule'),
    (rule, context) => {
      const isFollowed = isAtWaypoint(ruledHost(rule, mesh.installation), context, mesh);
      const stored = rule.status?.conditions;
      return conditionWish(
        { kind: 'DestinationRule', object: rule, stored, types: [TYPE], fieldManager: MANAGER },
        unsupportedCondition(
          TYPE,
          isFollowed ? destinationRuleProblems(rule) : [],
          rule.metadata.generation,
        ),
      );
    },
    isSameWish,
  );
}

/** Whether a service with that name has a waypoint; of a pattern nobody looks. */
function isAtWaypoint(host: string, context: Context, mesh: MeshCollections): boolean {
  if (host.startsWith('*')) return true;
  return context.lookup(mesh.meshServicesByHostname, host).some((service) => {
    const key = meshServiceKey(settingsIn(mesh, context), namespaceOf(service), host);
    return (context.get(mesh.services, key)?.waypoints ?? []).length > 0;
  });
}
