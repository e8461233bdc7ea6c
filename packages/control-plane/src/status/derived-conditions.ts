/** The conditions of Services and AuthorizationPolicies (spec control-plane 2.8, 2.9), as writes that are missing. */
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { nameOf, namespaceOf } from '../derive/object.ts';
import { sourceKey } from '../derive/service-collections.ts';
import type { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import {
  type ConditionText,
  isPresent,
  type StoredConditions,
  withTransitionTime,
} from './condition-list.ts';

interface ConditionTarget {
  readonly kind: 'Service' | 'AuthorizationPolicy';
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string | undefined;
  readonly stored: StoredConditions;
  readonly type: string;
  readonly fieldManager: string;
}

type Wanted = ConditionText & { readonly observedGeneration?: string };

/** What is already there as wanted is not written again; a condition nobody wants any more is pruned. */
export function conditionWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.union(
    'wishes for conditions',
    serviceWishes(graph, cluster, mesh),
    policyWishes(graph, mesh),
  );
}

function serviceWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for Services',
    cluster.of('Service'),
    (service, context) => {
      const type = 'istio.io/WaypointBound';
      const source = sourceKey('Service', namespaceOf(service), nameOf(service));
      const condition = context.lookup(mesh.servicesBySource, source)[0]?.condition ?? null;
      const target: ConditionTarget = {
        kind: 'Service',
        namespace: namespaceOf(service),
        name: nameOf(service),
        resourceVersion: service.metadata.resourceVersion,
        stored: service.status?.conditions,
        type,
        fieldManager: 'istio-ambient-service',
      };
      return wishFor(target, condition && { type, ...condition });
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
        namespace: namespaceOf(policy),
        name: nameOf(policy),
        resourceVersion: policy.metadata.resourceVersion,
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
        wishFor(
          { ...common, type, fieldManager },
          wanted && { type, ...wanted, observedGeneration },
        ),
      );
    },
    isSameWish,
  );
}

function wishFor(
  target: ConditionTarget,
  wanted: Wanted | null,
): readonly (readonly [string, Wish])[] {
  const { kind, namespace, name, stored, type, fieldManager } = target;
  const isDone =
    wanted === null
      ? !(stored ?? []).some((condition) => condition.type === type)
      : isPresent(wanted, stored);
  if (isDone) return [];
  const { apiVersion } = WATCHED_KINDS[kind];
  const path = `${collectionPath(WATCHED_KINDS[kind], namespace)}/${name}/status`;
  const conditions = wanted === null ? [] : [withTransitionTime(wanted, stored)];
  const body = { apiVersion, kind, metadata: { namespace, name }, status: { conditions } };
  const fingerprint = JSON.stringify([target.resourceVersion, wanted]);
  const key = `${kind}/${namespace}/${name} ${type}`;
  return [[key, { fingerprint, write: { verb: 'apply', path, body, fieldManager } }]];
}
