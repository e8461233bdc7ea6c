import { controllerOf } from '@aquifer/model/kubernetes';
import type { Pod } from '@aquifer/model/resources';
import { labelsOf, nameOf } from './object.ts';

export const WORKLOAD_NAME_LABEL = 'service.istio.io/workload-name';

/**
 * The name of what runs the pod (spec control-plane 2.3): the label wins even when empty; owners count only for pods
 * with a generated name; a ReplicaSet stands for its Deployment, a scheduled Job for its CronJob.
 */
export function workloadNameOf(pod: Pod): string {
  const labels = labelsOf(pod);
  const label = labels[WORKLOAD_NAME_LABEL];
  if (label !== undefined) return label;
  if (!pod.metadata.generateName) return nameOf(pod);
  const owner = controllerOf(pod);
  if (owner === null) return nameOf(pod);
  return nameOfOwner(owner.kind, owner.name, labels) || nameOf(pod);
}

function nameOfOwner(kind: string, name: string, labels: Readonly<Record<string, string>>): string {
  switch (kind) {
    case 'ReplicaSet':
      for (const key of ['pod-template-hash', 'rollouts-pod-template-hash']) {
        const hash = labels[key];
        if (hash && name.endsWith(hash)) return withoutSuffix(name, `-${hash}`);
      }
      return name;
    case 'ReplicationController':
      return labels.deploymentconfig || name;
    case 'Job':
      return /^(.+)-\d{8,10}$/.exec(name)?.[1] ?? name;
    default:
      return name;
  }
}

function withoutSuffix(text: string, suffix: string): string {
  return text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
}
