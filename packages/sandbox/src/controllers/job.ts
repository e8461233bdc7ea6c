import type { ApiObject } from '@aquifer/kube-api';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { controllerOf } from './informer.ts';
import {
  COMPLETION_INDEX,
  completionIndex,
  deadlineMs,
  indexRanges,
  isIndexed,
  type JobOutcome,
  type JobProgress,
  jobProgress,
} from './job-progress.ts';
import { isReady } from './pod-state.ts';
import { podFromTemplate, randomSuffix } from './pod-template.ts';
import { JOBS, PODS } from './resource-keys.ts';
import { timedCondition, writeStatus } from './write-status.ts';

/**
 * Runs the pods of Jobs to their completion, a failure or a deadline, and removes the Jobs that say how long they are to
 * be kept. Failed pods are replaced ever more slowly. `podFailurePolicy`, `successPolicy` and limits per index have no
 * effect.
 */
export function runJobs(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  /** Pods that the informer does not show yet, by the uid of their job: their indexes, or null for each. */
  const expected = new Map<string, (number | null)[]>();
  informers.pods.onChange((pod) => expected.delete(controllerOf(pod)?.uid ?? ''));
  const controller: Controller = runController(
    deps,
    { parents: informers.jobs, kind: 'Job', children: informers.pods },
    async (job) => {
      if (job.metadata.deletionTimestamp !== undefined) return;
      if (endTime(job) !== null) return removeWhenOld(job);
      const nowMs = Date.now();
      const progress = jobProgress(job, informers.pods.ownedBy(job), nowMs);
      await stopPods(progress.active.slice(progress.wanted));
      await startMissing(job, progress);
      const deadline = deadlineMs(job);
      if (deadline > nowMs && deadline < Number.POSITIVE_INFINITY)
        controller.look(job, deadline - nowMs);
      await writeStatus(client, JOBS, job, statusOf(job, progress));
    },
  );
  return controller;

  async function startMissing(job: ApiObject, progress: JobProgress): Promise<void> {
    const begun = expected.get(uidOf(job)) ?? [];
    const count = progress.wanted - progress.active.length - begun.length;
    if (count <= 0) return;
    if (progress.backOffMs > 0) return controller.look(job, progress.backOffMs);
    const indexes = isIndexed(job) ? openIndexes(job, progress, begun) : [];
    for (let made = 0; made < count; made++) await startPod(job, indexes[made] ?? null);
  }

  async function startPod(job: ApiObject, index: number | null): Promise<void> {
    const pod = index === null ? podFromTemplate(job) : indexedPod(job, index);
    const uid = uidOf(job);
    expected.set(uid, [...(expected.get(uid) ?? []), index]);
    await client.create(PODS, pod).catch((error: unknown) => {
      expected.delete(uid);
      throw error;
    });
    events.normal(job, 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
  }

  /** Pods of a job that is over, was suspended or wants fewer. */
  async function stopPods(pods: readonly ApiObject[]): Promise<void> {
    await Promise.all(pods.map(({ metadata }) => client.delete(PODS, metadata)));
  }

  async function removeWhenOld(job: ApiObject): Promise<void> {
    const { ttlSecondsAfterFinished } = job.spec;
    const ended = endTime(job);
    if (ttlSecondsAfterFinished === undefined || ended === null) return;
    const remainingMs = ended + ttlSecondsAfterFinished * 1000 - Date.now();
    if (remainingMs > 0) controller.look(job, remainingMs);
    else await client.delete(JOBS, job.metadata);
  }
}

/** The lowest indexes that neither run nor have succeeded. */
function openIndexes(
  job: ApiObject,
  { active, completedIndexes }: JobProgress,
  begun: readonly (number | null)[],
): readonly number[] {
  const taken = new Set([...active.map(completionIndex), ...completedIndexes, ...begun]);
  const all = Array.from({ length: job.spec.completions ?? 0 }, (_, index) => index);
  return all.filter((index) => !taken.has(index));
}

/** It knows its index by annotation, label, host name and variable. */
function indexedPod(job: ApiObject, index: number): ApiObject {
  const pod = podFromTemplate(job, { [COMPLETION_INDEX]: String(index) });
  const { metadata } = pod;
  metadata.name = `${job.metadata.name}-${index}-${randomSuffix()}`;
  metadata.annotations = { ...metadata.annotations, [COMPLETION_INDEX]: String(index) };
  pod.spec.hostname ??= `${job.metadata.name}-${index}`;
  const fieldPath = `metadata.annotations['${COMPLETION_INDEX}']`;
  const variable = { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath } } };
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    container.env = [...(container.env ?? []), variable];
  }
  return pod;
}

function statusOf(job: ApiObject, progress: JobProgress): Readonly<Record<string, unknown>> {
  const { active, succeeded, failed, completedIndexes, outcome } = progress;
  return {
    active: outcome === null ? active.length : 0,
    ready: outcome === null ? active.filter(isReady).length : 0,
    succeeded,
    failed,
    startTime: job.status?.startTime ?? now(),
    ...(completedIndexes.size > 0 ? { completedIndexes: indexRanges(completedIndexes) } : {}),
    ...(outcome?.type === 'Complete' ? { completionTime: now() } : {}),
    ...(outcome === null ? {} : { conditions: finalConditions(job, outcome) }),
  };
}

function finalConditions(job: ApiObject, { type, reason, message }: JobOutcome): unknown[] {
  const first = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  return [first, type].map((each) =>
    timedCondition(job, { type: each, status: 'True', reason, message }),
  );
}

/** When the job ended, in milliseconds; null while it goes on. */
export function endTime({ status }: ApiObject): number | null {
  const conditions: readonly { type: string; status: string; lastTransitionTime?: string }[] =
    status?.conditions ?? [];
  const last = conditions.find(
    ({ type, status: value }) => (type === 'Complete' || type === 'Failed') && value === 'True',
  );
  return last === undefined ? null : Date.parse(last.lastTransitionTime ?? '');
}

function uidOf({ metadata }: ApiObject): string {
  return metadata.uid ?? '';
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}
