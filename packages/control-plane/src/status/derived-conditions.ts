/** The conditions of services, entries and AuthorizationPolicies (spec control-plane 2.8, 2.9), as writes that are missing. */
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { type LabelledObject, nameOf, namespaceOf } from '../derive/object.ts';
import { sourceKey } from '../derive/service-collections.ts';
import { conditionsOfEntry, ENTRY_CONDITIONS } from '../derive/service-entry-status.ts';
import type { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import {
  type ConditionText,
  isPresent,
  type StoredConditions,
  withTransitionTime,
} from './condition-list.ts';

export interface ConditionTarget {
  readonly kind:
    | 'Service'
    | 'ServiceEntry'
    | 'WorkloadEntry'
    | 'AuthorizationPolicy'
    | 'PeerAuthentication'
    | 'Gateway'
    | 'GatewayClass';
  readonly object: LabelledObject;
  readonly stored: StoredConditions;
  /** Those of one manager: what it does not want is pruned when it writes. */
  readonly types: readonly string[];
  readonly fieldManager: string;
}

type Wanted = ConditionText & { readonly observedGeneration?: string };
type KeyedWish = readonly [string, Wish];

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

/** The write that conditions of these types lack; nothing if they are there, and no others of these types. */
export function conditionWish(
  target: ConditionTarget,
  wanted: readonly Wanted[],
): readonly KeyedWish[] {
  const { kind, object, stored = [], types, fieldManager } = target;
  const unwanted = stored.filter(
    ({ type }) => types.includes(type) && !wanted.some((condition) => condition.type === type),
  );
  if (unwanted.length === 0 && wanted.every((text) => isPresent(text, stored))) return [];
  const [namespace, name] = [namespaceOf(object), nameOf(object)];
  const { apiVersion } = WATCHED_KINDS[kind];
  const path = `${collectionPath(WATCHED_KINDS[kind], namespace)}/${name}/status`;
  const conditions = wanted.map((text) => withTransitionTime(text, stored));
  const body = { apiVersion, kind, metadata: { namespace, name }, status: { conditions } };
  const fingerprint = JSON.stringify([object.metadata.resourceVersion, wanted]);
  const key = `${kind}/${namespace}/${name} ${fieldManager}`;
  return [[key, { fingerprint, write: { verb: 'apply', path, body, fieldManager } }]];
}
