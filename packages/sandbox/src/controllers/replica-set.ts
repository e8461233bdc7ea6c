import type { ApiObject, ClusterClient } from '@aquifer/kube-api';
import { claimChildren } from './claims.ts';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { controllerOf } from './informer.ts';
import { byAge, isActive, isAvailable, isReady } from './pod-state.ts';
import { podFromTemplate } from './pod-template.ts';
import { PODS, REPLICA_SETS } from './resource-keys.ts';
import { writeStatus } from './write-status.ts';

/** How soon a pod that must be ready for a while is looked at again. */
const AVAILABILITY_RETRY_MS = 500;

/** How soon the informer shows what was claimed. */
const CLAIM_RETRY_MS = 10;

/** Keeps as many pods of a template as `spec.replicas` says. */
export function runReplicaSets(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  /** Pods that the informer does not show yet, by the uid of their set; they count as there. */
  const expected = new Map<string, Set<string>>();
  informers.pods.onChange((pod) => {
    expected.get(controllerOf(pod)?.uid ?? '')?.delete(pod.metadata.name);
  });
  const controller = runController(
    deps,
    { parents: informers.replicaSets, kind: 'ReplicaSet', children: informers.pods },
    async (set) => {
      const { uid = '', namespace = '', deletionTimestamp } = set.metadata;
      if (deletionTimestamp === undefined && (await claimChildren(client, informers.pods, set))) {
        controller.look(set, CLAIM_RETRY_MS);
        return;
      }
      const waiting = expected.get(uid) ?? new Set<string>();
      expected.set(uid, waiting);
      const active = informers.pods.ownedBy(set).filter(isActive);
      const missing = (set.spec.replicas ?? 1) - active.length - waiting.size;
      if (deletionTimestamp === undefined) {
        for (let count = 0; count < missing; count++) {
          const pod = podFromTemplate(set);
          await createExpected(client, pod, waiting);
          events.normal(set, 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
        }
        for (const { metadata } of surplus(active, -missing)) {
          await client.delete(PODS, { name: metadata.name, namespace });
          events.normal(set, 'SuccessfulDelete', `Deleted pod: ${metadata.name}`);
        }
      }
      const available = active.filter((pod) => isAvailable(pod, set.spec.minReadySeconds));
      const ready = active.filter(isReady);
      if (available.length < ready.length) controller.look(set, AVAILABILITY_RETRY_MS);
      await writeStatus(client, REPLICA_SETS, set, {
        replicas: active.length,
        fullyLabeledReplicas: active.length,
        readyReplicas: ready.length,
        availableReplicas: available.length,
        observedGeneration: set.metadata.generation ?? 0,
      });
    },
  );
  return controller;
}

async function createExpected(
  client: ClusterClient,
  pod: ApiObject,
  waiting: Set<string>,
): Promise<void> {
  waiting.add(pod.metadata.name);
  try {
    await client.create(PODS, pod);
  } catch (error) {
    waiting.delete(pod.metadata.name);
    throw error;
  }
}

/** Which pods go first: those that serve least, then the youngest. */
function surplus(pods: readonly ApiObject[], count: number): readonly ApiObject[] {
  if (count <= 0) return [];
  const rank = (pod: ApiObject): number => (pod.spec.nodeName ? 1 : 0) + (isReady(pod) ? 2 : 0);
  return pods
    .toSorted((one, other) => rank(one) - rank(other) || byAge(other, one))
    .slice(0, count);
}
