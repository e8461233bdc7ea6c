/** Writes the conditions of Services and AuthorizationPolicies (spec control-plane 2.8, 2.9) by server-side apply. */
import { nameOf, namespaceOf } from '../derive/object.ts';
import type { Snapshot } from '../derive/snapshot.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import type { WriteQueue } from '../reconcile/write-queue.ts';
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

const WAYPOINT_ACCEPTED = {
  type: 'WaypointAccepted',
  fieldManager: 'istio-ambient-waypoint-policy',
} as const;

type Wanted = ConditionText & { readonly observedGeneration?: string };

/** What is already there as wanted is not written again; a condition nobody wants any more is pruned. */
export function writeConditions(
  snapshot: Snapshot,
  queue: WriteQueue,
  api: Pick<KubernetesApi, 'apply'>,
): void {
  const { state, conditions } = snapshot;
  for (const service of state.Service) {
    const target: ConditionTarget = {
      kind: 'Service',
      namespace: namespaceOf(service),
      name: nameOf(service),
      resourceVersion: service.metadata.resourceVersion,
      stored: service.status?.conditions,
      type: 'istio.io/WaypointBound',
      fieldManager: 'istio-ambient-service',
    };
    const condition = conditions.services.get(`${target.namespace}/${target.name}`) ?? null;
    write(target, condition && { type: target.type, ...condition }, queue, api);
  }
  for (const policy of state.AuthorizationPolicy) {
    const target: ConditionTarget = {
      kind: 'AuthorizationPolicy',
      namespace: namespaceOf(policy),
      name: nameOf(policy),
      resourceVersion: policy.metadata.resourceVersion,
      stored: policy.status?.conditions,
      type: 'ZtunnelAccepted',
      fieldManager: 'istio-ambient-ztunnel-policy',
    };
    const key = `${target.namespace}/${target.name}`;
    const observedGeneration = String(policy.metadata.generation ?? 0);
    const verdict = conditions.policies.get(key) ?? null;
    write(target, verdict && { type: target.type, ...verdict, observedGeneration }, queue, api);
    const attachment = conditions.attachments.get(key) ?? null;
    const waypoint = { ...target, ...WAYPOINT_ACCEPTED };
    const wanted = attachment && { type: waypoint.type, ...attachment, observedGeneration };
    write(waypoint, wanted, queue, api);
  }
}

function write(
  target: ConditionTarget,
  wanted: Wanted | null,
  queue: WriteQueue,
  api: Pick<KubernetesApi, 'apply'>,
): void {
  const { kind, namespace, name, stored, type, fieldManager } = target;
  const isDone =
    wanted === null
      ? !(stored ?? []).some((condition) => condition.type === type)
      : isPresent(wanted, stored);
  if (isDone) return;
  const { apiVersion } = WATCHED_KINDS[kind];
  const path = `${collectionPath(WATCHED_KINDS[kind], namespace)}/${name}/status`;
  const conditions = wanted === null ? [] : [withTransitionTime(wanted, stored)];
  const body = { apiVersion, kind, metadata: { namespace, name }, status: { conditions } };
  const fingerprint = JSON.stringify([target.resourceVersion, wanted]);
  queue.wish(`${kind}/${namespace}/${name} ${type}`, fingerprint, () =>
    api.apply(path, body, fieldManager),
  );
}
