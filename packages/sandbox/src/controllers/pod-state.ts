import type { ApiObject } from '@aquifer/kube-api';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string;
}

export function isReady(pod: ApiObject): boolean {
  return readyCondition(pod)?.status === 'True';
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: ApiObject, minReadySeconds = 0): boolean {
  const condition = readyCondition(pod);
  if (condition?.status !== 'True') return false;
  const sinceMs = Date.parse(condition.lastTransitionTime ?? '');
  return minReadySeconds === 0 || Date.now() - sinceMs >= minReadySeconds * 1000;
}

/** Neither finished nor being deleted: it counts as a replica. */
export function isActive(pod: ApiObject): boolean {
  return !isFinished(pod) && !isTerminating(pod);
}

export function isFinished({ status }: ApiObject): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Older first. */
export function byAge(one: ApiObject, other: ApiObject): number {
  const made = ({ metadata }: ApiObject): number => Date.parse(metadata.creationTimestamp ?? '');
  return made(one) - made(other);
}

export function isTerminating({ metadata }: ApiObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function readyCondition({ status }: ApiObject): Condition | undefined {
  const conditions: readonly Condition[] = status?.conditions ?? [];
  return conditions.find(({ type }) => type === 'Ready');
}
