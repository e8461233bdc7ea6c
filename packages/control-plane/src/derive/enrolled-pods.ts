/** Which pods a node's ztunnel captures (spec control-plane 1.3). */
import type { Namespace, Pod } from '@aquifer/model/resources';
import { DATAPLANE_MODE_LABEL, SIDECAR_STATUS_ANNOTATION } from './labels.ts';
import { annotationsOf, labelsOf, namespaceOf } from './object.ts';
import { isTerminal } from './workloads.ts';

export interface EnrolmentSettings {
  /** Where the ztunnel pods run; they never capture themselves. */
  readonly systemNamespace: string;
  /** Namespaces whose pods are never captured, whatever their labels. Default kube-system. */
  readonly excludeNamespaces: readonly string[];
}

/**
 * On a pod that a node has made from a file of its own. It may name no service account, so it has no identity, and
 * none may be made up for it: whoever has a node's credentials may put such pods into any namespace.
 */
const STATIC_POD_ANNOTATION = 'kubernetes.io/config.mirror';

/** The pod's own label wins over its namespace's; any value but `none` keeps the namespace's. */
export function isEnrolled(
  pod: Pod,
  namespace: Namespace | undefined,
  settings: EnrolmentSettings,
): boolean {
  if (pod.spec?.hostNetwork === true || isTerminal(pod) || isZtunnel(pod, settings)) return false;
  const annotations = annotationsOf(pod);
  if (annotations[SIDECAR_STATUS_ANNOTATION] !== undefined) return false;
  if (annotations[STATIC_POD_ANNOTATION] !== undefined) return false;
  if (settings.excludeNamespaces.includes(namespaceOf(pod))) return false;
  const own = labelsOf(pod)[DATAPLANE_MODE_LABEL];
  if (own === 'ambient') return true;
  return own !== 'none' && labelsOf(namespace)[DATAPLANE_MODE_LABEL] === 'ambient';
}

function isZtunnel(pod: Pod, { systemNamespace }: EnrolmentSettings): boolean {
  return namespaceOf(pod) === systemNamespace && labelsOf(pod).app === 'ztunnel';
}
