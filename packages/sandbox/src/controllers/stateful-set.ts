/** Numbered pods, one after the other: each starts when those before it serve, and they end in reverse. */

import { type ApiObject, ApiStatusError } from '@aquifer/kube-api';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { currentRevision } from './controller-revisions.ts';
import { isAvailable, isFinished, isReady, isTerminating } from './pod-state.ts';
import { isOfRevision, podFromTemplate, revisionLabel } from './pod-template.ts';
import { CLAIMS, PODS, STATEFUL_SETS } from './resource-keys.ts';
import { writeStatus } from './write-status.ts';

const RETRY_MS = 500;

/** What to do next with the pods of a set; `wait` is for one of them to serve, or to go. */
type Step =
  | { readonly kind: 'create'; readonly ordinal: number }
  | { readonly kind: 'delete'; readonly pod: ApiObject }
  | { readonly kind: 'wait' };

export function runStatefulSets(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  const controller = runController(
    deps,
    { parents: informers.statefulSets, kind: 'StatefulSet', children: informers.pods },
    async (set) => {
      if (isTerminating(set)) return;
      const revision = await currentRevision(client, set);
      const pods = informers.pods.ownedBy(set);
      for (const step of nextSteps(set, pods, revision)) await take(set, step, revision);
      await writeStatus(client, STATEFUL_SETS, set, status(set, pods, revision));
      const ready = pods.filter(isReady).length;
      if (pods.filter((pod) => isAvailable(pod, set.spec.minReadySeconds)).length < ready) {
        controller.look(set, RETRY_MS);
      }
    },
  );
  return controller;

  async function take(set: ApiObject, step: Step, revision: string): Promise<void> {
    const { namespace = '' } = set.metadata;
    if (step.kind === 'delete') {
      const { name } = step.pod.metadata;
      await client.delete(PODS, { name, namespace });
      const message = `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`;
      events.normal(set, 'SuccessfulDelete', message);
    } else if (step.kind === 'create') {
      const pod = numberedPod(set, step.ordinal, revision);
      for (const claim of claimsOf(set, pod)) await create(client.create(CLAIMS, claim));
      if (!(await create(client.create(PODS, pod)))) return;
      const message = `create Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} successful`;
      events.normal(set, 'SuccessfulCreate', message);
    }
  }
}

/** False if it exists already: the informer does not show it yet, or it was kept. */
async function create(creation: Promise<ApiObject>): Promise<boolean> {
  try {
    await creation;
    return true;
  } catch (error) {
    if (error instanceof ApiStatusError && error.reason === 'AlreadyExists') return false;
    throw error;
  }
}

function ordinalOf(set: ApiObject, pod: ApiObject): number {
  return Number(pod.metadata.name.slice(set.metadata.name.length + 1));
}

/** Pure: one step under OrderedReady, all that can be done at once under Parallel. */
export function nextSteps(
  set: ApiObject,
  pods: readonly ApiObject[],
  revision: string,
): readonly Step[] {
  const limit = set.spec.podManagementPolicy === 'Parallel' ? Number.POSITIVE_INFINITY : 1;
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
  const falling = [...byOrdinal].toSorted(([a], [b]) => b - a);
  const first: number = set.spec.ordinals?.start ?? 0;
  const end = first + (set.spec.replicas ?? 1);
  const starting: Step[] = [];
  for (let ordinal = first; ordinal < end && starting.length < limit; ordinal++) {
    const step = startingStep(byOrdinal.get(ordinal), ordinal);
    if (step !== null && (limit === 1 || step.kind !== 'wait')) starting.push(step);
  }
  if (starting.length > 0) return starting;
  const surplus = falling.filter(([ordinal]) => ordinal < first || ordinal >= end);
  const ending = surplus.map(([, pod]) => endingStep(pod)).slice(0, limit);
  return ending.length > 0 ? ending : renewingSteps(set, falling, { first, revision });
}

function startingStep(pod: ApiObject | undefined, ordinal: number): Step | null {
  if (pod === undefined) return { kind: 'create', ordinal };
  if (isFinished(pod)) return endingStep(pod);
  return isReady(pod) && !isTerminating(pod) ? null : { kind: 'wait' };
}

function endingStep(pod: ApiObject): Step {
  return isTerminating(pod) ? { kind: 'wait' } : { kind: 'delete', pod };
}

/** Outdated pods go one by one, the last first, down to the partition. */
function renewingSteps(
  { spec: { updateStrategy } }: ApiObject,
  falling: readonly (readonly [number, ApiObject])[],
  { first, revision }: { readonly first: number; readonly revision: string },
): readonly Step[] {
  if (updateStrategy?.type === 'OnDelete') return [];
  const partition: number = updateStrategy?.rollingUpdate?.partition ?? 0;
  for (const [, pod] of falling.filter(([ordinal]) => ordinal >= first + partition)) {
    if (isTerminating(pod)) return [{ kind: 'wait' }];
    if (!isOfRevision(pod, revision)) return [{ kind: 'delete', pod }];
    if (!isReady(pod)) return [{ kind: 'wait' }];
  }
  return [];
}

function numberedPod(set: ApiObject, ordinal: number, revision: string): ApiObject {
  const name = `${set.metadata.name}-${ordinal}`;
  const pod = podFromTemplate(set, {
    'apps.kubernetes.io/pod-index': String(ordinal),
    ...revisionLabel(revision),
    'statefulset.kubernetes.io/pod-name': name,
  });
  pod.metadata.name = name;
  pod.spec.hostname = name;
  if (set.spec.serviceName) pod.spec.subdomain = set.spec.serviceName;
  const claims = claimsOf(set, pod).map(({ metadata }, at) => ({
    name: set.spec.volumeClaimTemplates[at].metadata.name,
    persistentVolumeClaim: { claimName: metadata.name },
  }));
  const given: readonly { name: string }[] = pod.spec.volumes ?? [];
  const others = given.filter((volume) => claims.every((claim) => claim.name !== volume.name));
  if (claims.length > 0) pod.spec.volumes = [...others, ...claims];
  return pod;
}

function claimsOf(set: ApiObject, pod: ApiObject): ApiObject[] {
  const templates: readonly ApiObject[] = set.spec.volumeClaimTemplates ?? [];
  return templates.map((template) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      ...template.metadata,
      name: `${template.metadata.name}-${pod.metadata.name}`,
      namespace: set.metadata.namespace ?? '',
      labels: { ...template.metadata.labels, ...set.spec.selector?.matchLabels },
    },
    spec: template.spec,
  }));
}

function status(
  set: ApiObject,
  pods: readonly ApiObject[],
  revision: string,
): Record<string, unknown> {
  const updated = pods.filter((pod) => isOfRevision(pod, revision)).length;
  const before: string = set.status?.currentRevision ?? revision;
  const isDone = updated === pods.length && pods.every(isReady);
  const current = isDone ? revision : before;
  const available = pods.filter((pod) => isAvailable(pod, set.spec.minReadySeconds)).length;
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: pods.length,
    readyReplicas: pods.filter(isReady).length,
    availableReplicas: available,
    currentReplicas: pods.filter((pod) => isOfRevision(pod, current)).length,
    updatedReplicas: updated,
    currentRevision: current,
    updateRevision: revision,
  };
}
