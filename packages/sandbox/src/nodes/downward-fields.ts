/**
 * What a pod may learn about itself: `fieldRef` and `resourceFieldRef` of environment variables and downward volumes
 * (https://kubernetes.io/docs/concepts/workloads/pods/downward-api/).
 */

import { err, ok, type Result } from '@aquifer/model';
import { quantityValue } from '@aquifer/model/kubernetes';
import type { Container } from '@aquifer/model/resources';
import type { NodePod } from './node-pod.ts';

/** The value of a field, or the reason why a pod has no such field. */
export function fieldValue(pod: NodePod, fieldPath: string): Result<string, string> {
  const { metadata, spec, status } = pod;
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(fieldPath);
  if (subscript !== null) {
    const [, map, key] = subscript;
    return ok(metadata[map as 'labels' | 'annotations']?.[key!] ?? '');
  }
  const fields: Readonly<Record<string, () => string>> = {
    'metadata.name': () => metadata.name,
    'metadata.namespace': () => metadata.namespace,
    'metadata.uid': () => metadata.uid,
    'metadata.labels': () => formatMap(metadata.labels),
    'metadata.annotations': () => formatMap(metadata.annotations),
    'spec.nodeName': () => spec.nodeName ?? '',
    'spec.serviceAccountName': () => spec.serviceAccountName ?? 'default',
    'status.podIP': () => status?.podIP ?? '',
    'status.podIPs': () => status?.podIPs?.map(({ ip }) => ip).join(',') ?? '',
    'status.hostIP': () => status?.hostIP ?? '',
    'status.hostIPs': () => status?.hostIPs?.map(({ ip }) => ip).join(',') ?? '',
  };
  const read = fields[fieldPath];
  return read === undefined ? err(`unsupported fieldPath: ${fieldPath}`) : ok(read());
}

/** As the kubelet writes maps into downward files: `key="value"`, sorted, a line each. */
function formatMap(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');
}

/** What a container without a limit may use: the node's allocatable resources. */
export interface NodeCapacity {
  readonly cpu: number;
  readonly memoryBytes: number;
}

/** `limits.cpu` and so on, divided by `divisor` and rounded up. */
export function resourceFieldValue(
  container: Container,
  reference: { resource: string; divisor?: string | number | undefined },
  capacity: NodeCapacity,
): Result<string, string> {
  const [kind, name] = reference.resource.split('.', 2);
  if ((kind !== 'limits' && kind !== 'requests') || name === undefined) {
    return err(`unsupported container resource: ${reference.resource}`);
  }
  const whole: Readonly<Record<string, number>> = {
    cpu: capacity.cpu,
    memory: capacity.memoryBytes,
  };
  const declared = container.resources?.[kind]?.[name];
  const amount =
    declared !== undefined ? quantityValue(declared) : kind === 'limits' ? (whole[name] ?? 0) : 0;
  const divisor = quantityValue(reference.divisor ?? '1') || 1;
  // Binary fractions such as 0.1/0.001 must not round up to one more.
  return ok(String(Math.ceil(Number((amount / divisor).toFixed(6)))));
}
