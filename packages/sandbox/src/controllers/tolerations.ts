/** Taints of nodes and what pods tolerate of them (https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/). Pure. */
import type { ApiObject } from '@aquifer/kube-api';

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

interface Toleration {
  /** Absent: every key. */
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  /** Absent: every effect. */
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}

/** The node's taints that keep new pods away and that this pod does not tolerate. */
export function repellingTaints(pod: ApiObject, node: ApiObject): readonly Taint[] {
  return taintsOf(node).filter(
    (taint) =>
      (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
      tolerationsOf(pod, taint).length === 0,
  );
}

/** How many of the node's taints would rather not have the pod. */
export function reluctance(pod: ApiObject, node: ApiObject): number {
  return taintsOf(node).filter(
    (taint) => taint.effect === 'PreferNoSchedule' && tolerationsOf(pod, taint).length === 0,
  ).length;
}

/** How long the pod may stay on the node, in seconds: 0 for a taint that it does not tolerate; infinity for none. */
export function stayOf(pod: ApiObject, node: ApiObject): number {
  const stays = taintsOf(node)
    .filter(({ effect }) => effect === 'NoExecute')
    .map((taint) => {
      const seconds = tolerationsOf(pod, taint).map(
        ({ tolerationSeconds = Number.POSITIVE_INFINITY }) => Math.max(0, tolerationSeconds),
      );
      return seconds.length === 0 ? 0 : Math.min(...seconds);
    });
  return Math.min(Number.POSITIVE_INFINITY, ...stays);
}

function taintsOf({ spec }: ApiObject): readonly Taint[] {
  return spec?.taints ?? [];
}

function tolerationsOf({ spec }: ApiObject, taint: Taint): readonly Toleration[] {
  const tolerations: readonly Toleration[] = spec.tolerations ?? [];
  return tolerations.filter(({ key, operator, value, effect }) => {
    if (effect && effect !== taint.effect) return false;
    if (key && key !== taint.key) return false;
    return operator === 'Exists' || (key !== undefined && (value ?? '') === (taint.value ?? ''));
  });
}
