import type { ApiObject } from '../cluster-client.ts';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { controllerOf } from './informer.ts';
import { isActive, isReady } from './pod-state.ts';
import { podFromTemplate } from './pod-template.ts';
import { JOBS, PODS } from './resource-keys.ts';
import { timedCondition, writeStatus } from './write-status.ts';

const DEFAULT_BACK_OFF_LIMIT = 6;

/** Runs pods until as many as `spec.completions` have succeeded, or more than `spec.backoffLimit` have failed. */
export function runJobs(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  /** Pods that the informer does not show yet, by the uid of their job. */
  const expected = new Map<string, number>();
  informers.pods.onChange((pod) => expected.delete(controllerOf(pod)?.uid ?? ''));
  return runController(
    deps,
    { parents: informers.jobs, kind: 'Job', children: informers.pods },
    async (job) => {
      if (job.metadata.deletionTimestamp !== undefined || isOver(job)) return;
      const pods = informers.pods.ownedBy(job);
      const progress = jobProgress(job, pods);
      await startPods(job, progress.wanted - progress.active - (expected.get(uidOf(job)) ?? 0));
      await writeStatus(client, JOBS, job, {
        active: progress.active,
        ready: pods.filter((pod) => isActive(pod) && isReady(pod)).length,
        succeeded: progress.succeeded,
        failed: progress.failed,
        startTime: job.status?.startTime ?? now(),
        ...endOf(job, progress),
      });
    },
  );

  async function startPods(job: ApiObject, count: number): Promise<void> {
    const uid = uidOf(job);
    for (let made = 0; made < count; made++) {
      const pod = podFromTemplate(job);
      expected.set(uid, (expected.get(uid) ?? 0) + 1);
      await client.create(PODS, pod).catch((error: unknown) => {
        expected.delete(uid);
        throw error;
      });
      events.normal(job, 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    }
  }
}

interface JobProgress {
  readonly active: number;
  readonly succeeded: number;
  readonly failed: number;
  /** How many pods should run now. */
  readonly wanted: number;
  readonly outcome: 'complete' | 'failed' | null;
}

function jobProgress(job: ApiObject, pods: readonly ApiObject[]): JobProgress {
  const { completions = 1, parallelism = 1, backoffLimit = DEFAULT_BACK_OFF_LIMIT } = job.spec;
  const inPhase = (phase: string): number =>
    pods.filter(({ status }) => status?.phase === phase).length;
  const succeeded = inPhase('Succeeded');
  const failed = inPhase('Failed');
  const outcome = succeeded >= completions ? 'complete' : failed > backoffLimit ? 'failed' : null;
  const isIdle = outcome !== null || job.spec.suspend === true;
  const wanted = isIdle ? 0 : Math.min(parallelism, completions - succeeded);
  return { active: pods.filter(isActive).length, succeeded, failed, wanted, outcome };
}

function endOf(job: ApiObject, { outcome }: JobProgress): Record<string, unknown> {
  if (outcome === 'complete') return { completionTime: now(), conditions: completed(job) };
  return outcome === 'failed' ? { conditions: failedConditions(job) } : {};
}

function uidOf({ metadata }: ApiObject): string {
  return metadata.uid ?? '';
}

function isOver({ status }: ApiObject): boolean {
  const conditions: readonly { type: string; status: string }[] = status?.conditions ?? [];
  return conditions.some(
    ({ type, status: value }) => (type === 'Complete' || type === 'Failed') && value === 'True',
  );
}

function completed(job: ApiObject): unknown[] {
  const reason = 'CompletionsReached';
  const message = 'Reached expected number of succeeded pods';
  return ['SuccessCriteriaMet', 'Complete'].map((type) =>
    timedCondition(job, { type, status: 'True', reason, message }),
  );
}

function failedConditions(job: ApiObject): unknown[] {
  const reason = 'BackoffLimitExceeded';
  const message = 'Job has reached the specified backoff limit';
  return [timedCondition(job, { type: 'Failed', status: 'True', reason, message })];
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}
