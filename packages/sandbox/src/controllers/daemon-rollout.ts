/** Which pods of a DaemonSet are replaced next (kubernetes `daemon/update.go`, `rollingUpdate`). Pure. */
import type { ApiObject } from '@aquifer/kube-api';
import { isActive, isAvailable } from './pod-state.ts';
import { isOfRevision } from './pod-template.ts';
import { rolloutBounds } from './rollout.ts';

export interface DaemonRollout {
  /** Nodes that get a pod of the new template beside the old one. */
  readonly surge: readonly string[];
  readonly remove: readonly ApiObject[];
}

/**
 * One step. With `maxSurge` a node's old pod stays until the new one beside it is available; otherwise at most
 * `maxUnavailable` (1) pods are missing at a time. A pod that does not serve costs nothing to replace.
 */
export function planDaemonRollout(
  set: ApiObject,
  podsByNode: ReadonlyMap<string, readonly ApiObject[]>,
  hash: string,
): DaemonRollout {
  const { type = 'RollingUpdate', rollingUpdate = {} } = set.spec.updateStrategy ?? {};
  if (type !== 'RollingUpdate') return { surge: [], remove: [] };
  const { maxSurge, maxUnavailable } = rolloutBounds(
    { maxSurge: rollingUpdate.maxSurge ?? 0, maxUnavailable: rollingUpdate.maxUnavailable ?? 1 },
    podsByNode.size,
  );
  const nodes = [...podsByNode].map(([node, pods]) => {
    const active = pods.filter(isActive);
    return {
      node,
      old: active.find((pod) => !isOfRevision(pod, hash)) ?? null,
      current: active.find((pod) => isOfRevision(pod, hash)) ?? null,
    };
  });
  const outdated = nodes.flatMap((each) => (each.old === null ? [] : [{ ...each, old: each.old }]));
  if (maxSurge > 0) {
    const beside = outdated.filter(({ current }) => current !== null);
    const alone = outdated.filter(({ current }) => current === null);
    const replaced = beside.filter(({ current }) => isAvailable(current!));
    const free = alone.filter(({ old }) => !isAvailable(old));
    const room = Math.max(0, maxSurge - (beside.length - replaced.length));
    const next = alone.filter(({ old }) => isAvailable(old)).slice(0, room);
    return {
      surge: [...free, ...next].map(({ node }) => node),
      remove: replaced.map(({ old }) => old),
    };
  }
  const missing = nodes.filter(
    ({ old, current }) => ![old, current].some((pod) => pod !== null && isAvailable(pod)),
  );
  const free = outdated.filter(({ old }) => !isAvailable(old));
  const serving = outdated.filter(({ old }) => isAvailable(old));
  const next = serving.slice(0, Math.max(0, maxUnavailable - missing.length));
  return { surge: [], remove: [...free, ...next].map(({ old }) => old) };
}
