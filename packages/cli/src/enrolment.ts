/** What is enrolled, as labels and conditions say. */
import type { V1Pod, V1PodCondition } from '@kubernetes/client-node';

export const AMBIENT = 'istio.io/dataplane-mode';
const CAPTURED = 'ambient.istio.io/Captured';
/** Pods with a sidecar, and static pods. */
const NEVER_CAPTURED = ['sidecar.istio.io/status', 'kubernetes.io/config.mirror'];

/** Of an enrolled namespace: neither left out, nor of those that are never captured. */
export function isToBeCaptured({ metadata, spec, status }: V1Pod): boolean {
  const { labels = {}, annotations = {} } = metadata ?? {};
  if (labels[AMBIENT] === 'none' || spec?.hostNetwork === true) return false;
  if (NEVER_CAPTURED.some((annotation) => annotation in annotations)) return false;
  return status?.phase === 'Running';
}

/** What the node proxy says of it. */
export function capturedCondition({ status }: V1Pod): V1PodCondition | undefined {
  return status?.conditions?.find(({ type }) => type === CAPTURED);
}
