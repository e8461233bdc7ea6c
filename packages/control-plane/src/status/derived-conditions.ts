/** The conditions of services, entries and AuthorizationPolicies (spec control-plane 2.8, 2.9), as writes that are missing. */
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { nameOf, namespaceOf } from '../derive/object.ts';
import { sourceKey } from '../derive/service-collections.ts';
import { conditionsOfEntry, ENTRY_CONDITIONS } from '../derive/service-entry-status.ts';
import type { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { type ConditionTarget, conditionWish } from './condition-wish.ts';

/** What is already there as wanted is not written again; a condition nobody wants any more is pruned. */
export function conditionWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.union(
    'wishes for conditions',
    serviceWishes(graph, cluster, mesh),
    serviceEntryWishes(graph, cluster, mesh),
    workloadEntryWishes(graph, cluster, mesh),
    policyWishes(graph, mesh),
  );
}

const BOUND = 'istio.io/WaypointBound';
const SERVICE_MANAGER = 'istio-ambient-service';

function serviceWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for Services',
    cluster.of('Service'),
    (service, context) => {
      const source = sourceKey('Service', namespaceOf(service), nameOf(service));
      const condition = context.lookup(mesh.servicesBySource, source)[0]?.condition ?? null;
      const target: ConditionTarget = {
        kind: 'Service',
        object: service,
        stored: service.status?.conditions,
        types: [BOUND],
        fieldManager: SERVICE_MANAGER,
      };
      return conditionWish(target, condition === null ? [] : [{ type: BOUND, ...condition }]);
    },
    isSameWish,
  );
}

function serviceEntryWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for ServiceEntries',
    cluster.of('ServiceEntry'),
    (entry, context) => {
      const source = sourceKey('ServiceEntry', namespaceOf(entry), nameOf(entry));
      const services = context.lookup(mesh.servicesBySource, source);
      const rules = context.get(mesh.meshConfig, '')?.serviceEntryVisibility ?? null;
      const target: ConditionTarget = {
        kind: 'ServiceEntry',
        object: entry,
        stored: entry.status?.conditions,
        types: ENTRY_CONDITIONS,
        fieldManager: SERVICE_MANAGER,
      };
      return conditionWish(target, conditionsOfEntry(services, rules !== null));
    },
    isSameWish,
  );
}

function workloadEntryWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for WorkloadEntries',
    cluster.of('WorkloadEntry'),
    (entry, context, key) => {
      const condition = context.get(mesh.workloadEntries, key)?.condition ?? null;
      const target: ConditionTarget = {
        kind: 'WorkloadEntry',
        object: entry,
        stored: entry.status?.conditions,
        types: [BOUND],
        fieldManager: 'istio-ambient-workloadentry',
      };
      return conditionWish(target, condition === null ? [] : [{ type: BOUND, ...condition }]);
    },
    isSameWish,
  );
}

function policyWishes(graph: Graph, { policies }: MeshCollections): Collection<Wish> {
  return graph.flatMap(
    'wishes for AuthorizationPolicies',
    policies,
    ({ policy, verdict, attachment }) => {
      const common = {
        kind: 'AuthorizationPolicy',
        object: policy,
        stored: policy.status?.conditions,
      } as const;
      const observedGeneration = String(policy.metadata.generation ?? 0);
      const conditions = [
        { type: 'ZtunnelAccepted', fieldManager: 'istio-ambient-ztunnel-policy', wanted: verdict },
        {
          type: 'WaypointAccepted',
          fieldManager: 'istio-ambient-waypoint-policy',
          wanted: attachment,
        },
      ];
      return conditions.flatMap(({ type, fieldManager, wanted }) =>
        conditionWish(
          { ...common, types: [type], fieldManager },
          wanted === null ? [] : [{ type, ...wanted, observedGeneration }],
        ),
      );
    },
    isSameWish,
  );
}
