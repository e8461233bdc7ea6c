/** How many pods each ReplicaSet of a Deployment should have next. Pure. */
import type { ApiObject } from '@aquifer/kube-api';

export interface SetPlan {
  readonly set: ApiObject;
  readonly replicas: number;
}

/**
 * One step of the rollout; called again after every change of the sets' statuses. Never more than
 * `replicas + maxSurge` pods are asked for, and never fewer than `replicas - maxUnavailable` available ones are left.
 */
export function planRollout(
  deployment: ApiObject,
  current: ApiObject,
  old: readonly ApiObject[],
): readonly SetPlan[] {
  const { strategy } = deployment.spec;
  if (strategy?.type === 'Recreate') return planRecreate(deployment, current, old);
  const wanted: number = deployment.spec.replicas ?? 1;
  const { maxSurge, maxUnavailable } = rolloutBounds(strategy?.rollingUpdate, wanted);
  const own = current.spec.replicas ?? 0;
  const total = own + sum(old, asked);
  const room = Math.max(0, wanted + maxSurge - total);
  const next = own > wanted ? wanted : Math.min(wanted, own + room);
  const plans: SetPlan[] = [{ set: current, replicas: next }];
  const required = wanted - maxUnavailable;
  // The current set's pods that are not available yet must not be paid for by old ones.
  const currentUnavailable = Math.max(0, next - available(current));
  let removable = Math.max(0, next + sum(old, asked) - required - currentUnavailable);
  for (const set of byHealth(old)) {
    const removed = Math.min(asked(set), removable);
    removable -= removed;
    plans.push({ set, replicas: asked(set) - removed });
  }
  return plans;
}

function planRecreate(
  deployment: ApiObject,
  current: ApiObject,
  old: readonly ApiObject[],
): readonly SetPlan[] {
  const stopped = old.map((set) => ({ set, replicas: 0 }));
  const isAnyLeft = old.some(({ spec, status }) => spec.replicas > 0 || status?.replicas > 0);
  return isAnyLeft
    ? stopped
    : [...stopped, { set: current, replicas: deployment.spec.replicas ?? 1 }];
}

/** Whole numbers of pods; a percentage is of `wanted`, surge rounded up and unavailability down. Both default 25%. */
export function rolloutBounds(
  rollingUpdate: { maxSurge?: number | string; maxUnavailable?: number | string } | undefined,
  wanted: number,
): { maxSurge: number; maxUnavailable: number } {
  const maxSurge = Math.ceil(amount(rollingUpdate?.maxSurge ?? '25%', wanted));
  const maxUnavailable = Math.floor(amount(rollingUpdate?.maxUnavailable ?? '25%', wanted));
  // Neither would leave no way to go on.
  return maxSurge === 0 && maxUnavailable === 0
    ? { maxSurge: 0, maxUnavailable: 1 }
    : { maxSurge, maxUnavailable };
}

function amount(value: number | string, whole: number): number {
  const text = String(value);
  return text.endsWith('%') ? (Number(text.slice(0, -1)) * whole) / 100 : Number(text);
}

/** Those with the least that is available first: removing their pods costs nothing. */
function byHealth(sets: readonly ApiObject[]): readonly ApiObject[] {
  return sets.toSorted((one, other) => available(one) - available(other));
}

function asked({ spec }: ApiObject): number {
  return spec.replicas ?? 0;
}

function available({ status }: ApiObject): number {
  return status?.availableReplicas ?? 0;
}

function sum(sets: readonly ApiObject[], count: (set: ApiObject) => number): number {
  return sets.reduce((total, set) => total + count(set), 0);
}
