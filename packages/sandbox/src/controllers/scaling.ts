/** How a Deployment spreads a change of its size over its ReplicaSets (kubernetes `deployment/sync.go`, `scale`). Pure. */
import type { ApiObject } from '@aquifer/kube-api';
import { rolloutBounds, type SetPlan } from './rollout.ts';

const DESIRED = 'deployment.kubernetes.io/desired-replicas';
const MAXIMUM = 'deployment.kubernetes.io/max-replicas';

/** What every set that the Deployment scales is marked with: the size that is wanted, and with the surge. */
export function sizeAnnotations({ spec }: ApiObject): Record<string, string> {
  const wanted: number = spec.replicas ?? 1;
  return { [DESIRED]: String(wanted), [MAXIMUM]: String(wanted + surgeOf(spec)) };
}

/** Whether a set with pods was scaled for another size of the Deployment than it has now. */
export function isResized(deployment: ApiObject, sets: readonly ApiObject[]): boolean {
  const wanted = String(deployment.spec.replicas ?? 1);
  return active(sets).some((set) => (set.metadata.annotations?.[DESIRED] ?? wanted) !== wanted);
}

/** The one set with pods takes the whole size; several share it in proportion, the largest taking what is left over. */
export function planScaling(
  deployment: ApiObject,
  current: ApiObject | null,
  old: readonly ApiObject[],
): readonly SetPlan[] {
  const wanted: number = deployment.spec.replicas ?? 1;
  const all = active(current === null ? old : [current, ...old]);
  const [only = current] = all;
  if (all.length <= 1) return only === null ? [] : [{ set: only, replicas: wanted }];
  if (current !== null && isSaturated(current, wanted)) {
    return active(old).map((set) => ({ set, replicas: 0 }));
  }
  if (deployment.spec.strategy?.type === 'Recreate') {
    return all.map((set) => ({ set, replicas: sizeOf(set) }));
  }
  const room = wanted > 0 ? wanted + surgeOf(deployment.spec) : 0;
  const toAdd = room - all.reduce((sum, set) => sum + sizeOf(set), 0);
  const sorted = all.toSorted(
    (a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? age(b, a) : age(a, b)),
  );
  let left = toAdd;
  const plans = sorted.map((set) => {
    const share = toAdd === 0 ? 0 : shareOf(set, { deployment, room, left });
    left -= share;
    return { set, replicas: sizeOf(set) + share };
  });
  return plans.map((plan, at) =>
    at === 0 ? { ...plan, replicas: Math.max(0, plan.replicas + left) } : plan,
  );
}

function shareOf(
  set: ApiObject,
  { deployment, room, left }: { deployment: ApiObject; room: number; left: number },
): number {
  const size = sizeOf(set);
  const before = Number(set.metadata.annotations?.[MAXIMUM] ?? deployment.status?.replicas ?? 0);
  const share = room === 0 ? -size : Math.round((size * room) / before) - size;
  return left > 0 ? Math.min(share, left) : Math.max(share, left);
}

function isSaturated(set: ApiObject, wanted: number): boolean {
  const desired = Number(set.metadata.annotations?.[DESIRED]);
  return (
    sizeOf(set) === wanted && desired === wanted && (set.status?.availableReplicas ?? 0) === wanted
  );
}

function surgeOf(spec: ApiObject['spec']): number {
  if (spec.strategy?.type === 'Recreate') return 0;
  return rolloutBounds(spec.strategy?.rollingUpdate, spec.replicas ?? 1).maxSurge;
}

function active(sets: readonly ApiObject[]): readonly ApiObject[] {
  return sets.filter((set) => sizeOf(set) > 0);
}

function sizeOf({ spec }: ApiObject): number {
  return spec.replicas ?? 0;
}

function age(one: ApiObject, other: ApiObject): number {
  return (one.metadata.creationTimestamp ?? '') < (other.metadata.creationTimestamp ?? '') ? -1 : 1;
}
