/** The status of a Deployment, from its ReplicaSets. Pure but for the time of conditions that change. */
import type { ApiObject } from '@aquifer/kube-api';
import { rolloutBounds } from './rollout.ts';
import { timedCondition } from './write-status.ts';

export function deploymentStatus(
  deployment: ApiObject,
  current: ApiObject | null,
  old: readonly ApiObject[],
): Record<string, unknown> {
  const wanted: number = deployment.spec.replicas ?? 1;
  const all = current === null ? old : [current, ...old];
  const total = (field: string): number =>
    all.reduce((sum, { status }) => sum + (status?.[field] ?? 0), 0);
  const replicas = total('replicas');
  const available = total('availableReplicas');
  const updated: number = current?.status?.replicas ?? 0;
  const { maxUnavailable } = rolloutBounds(deployment.spec.strategy?.rollingUpdate, wanted);
  const isComplete = updated === wanted && replicas === wanted && available === wanted;
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas,
    updatedReplicas: updated,
    readyReplicas: total('readyReplicas'),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, Math.max(wanted, replicas) - available),
    conditions: [
      availability(deployment, available >= wanted - maxUnavailable),
      progress(deployment, current?.metadata.name ?? '', isComplete),
    ],
  };
}

function availability(deployment: ApiObject, isAvailable: boolean): unknown {
  return timedCondition(deployment, {
    type: 'Available',
    status: isAvailable ? 'True' : 'False',
    reason: isAvailable ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: isAvailable
      ? 'Deployment has minimum availability.'
      : 'Deployment does not have minimum availability.',
  });
}

function progress(deployment: ApiObject, setName: string, isComplete: boolean): unknown {
  return timedCondition(deployment, {
    type: 'Progressing',
    status: 'True',
    reason: isComplete ? 'NewReplicaSetAvailable' : 'ReplicaSetUpdated',
    message: isComplete
      ? `ReplicaSet "${setName}" has successfully progressed.`
      : `ReplicaSet "${setName}" is progressing.`,
  });
}
