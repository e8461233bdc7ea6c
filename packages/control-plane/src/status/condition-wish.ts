/** Conditions of one object as a write that is missing. */
import { type LabelledObject, nameOf, namespaceOf } from '../derive/object.ts';
import { collectionPath, WATCHED_KINDS, type WatchedKind } from '../ingest/kinds.ts';
import type { Wish } from '../reconcile/wish.ts';
import {
  type ConditionText,
  isPresent,
  type StoredConditions,
  withTransitionTime,
} from './condition-list.ts';

export interface ConditionTarget {
  readonly kind: WatchedKind;
  readonly object: LabelledObject;
  readonly stored: StoredConditions;
  /** Those of one manager: what it does not want is pruned when it writes. */
  readonly types: readonly string[];
  readonly fieldManager: string;
}

export type WantedCondition = ConditionText & { readonly observedGeneration?: string };
export type KeyedWish = readonly [string, Wish];

/** None if what is wanted is there already, and nothing else of the manager's. */
export function conditionWish(
  target: ConditionTarget,
  wanted: readonly WantedCondition[],
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
