/** How far a Job is, and what it needs next. Pure. */
import type { ApiObject } from '@aquifer/kube-api';
import { isActive } from './pod-state.ts';

const DEFAULT_BACK_OFF_LIMIT = 6;
/** The wait after a failure, doubled with each further one up to the last; Kubernetes' numbers. */
const FIRST_BACK_OFF_MS = 10_000;
const LAST_BACK_OFF_MS = 360_000;

/** Annotation and label of a pod of an Indexed job. */
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';

export interface JobOutcome {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

export interface JobProgress {
  readonly active: readonly ApiObject[];
  readonly succeeded: number;
  readonly failed: number;
  /** Of an Indexed job: those that succeeded. */
  readonly completedIndexes: ReadonlySet<number>;
  /** How many pods should run now. */
  readonly wanted: number;
  /** How long to wait before the next pod starts. */
  readonly backOffMs: number;
  /** Set when the job is over. */
  readonly outcome: JobOutcome | null;
}

export function isIndexed(job: ApiObject): boolean {
  return job.spec.completionMode === 'Indexed';
}

export function completionIndex({ metadata }: ApiObject): number {
  return Number(metadata.annotations?.[COMPLETION_INDEX]);
}

/** Of an Indexed job each index counts once; a job without `completions` is done when one pod has said so and none runs. */
export function jobProgress(
  job: ApiObject,
  pods: readonly ApiObject[],
  nowMs: number,
): JobProgress {
  const { completions = null, parallelism = 1 } = job.spec;
  const succeededPods = pods.filter(({ status }) => status?.phase === 'Succeeded');
  const active = pods.filter(isActive);
  const completedIndexes = new Set(isIndexed(job) ? succeededPods.map(completionIndex) : []);
  const succeeded = isIndexed(job) ? completedIndexes.size : succeededPods.length;
  const failed = failuresOf(pods);
  const isDone =
    completions === null ? succeeded > 0 && active.length === 0 : succeeded >= completions;
  const outcome = isDone ? COMPLETED : failureOf(job, failed, nowMs);
  const remaining = remainingPods(job, succeeded, active.length);
  const isIdle = outcome !== null || job.spec.suspend === true;
  return {
    active,
    succeeded,
    failed,
    completedIndexes,
    wanted: isIdle ? 0 : Math.min(parallelism, remaining),
    backOffMs: backOffMs(pods, nowMs),
    outcome,
  };
}

/** Workers of a queue (no `completions`) that still run when the first has found it empty may finish. */
function remainingPods({ spec }: ApiObject, succeeded: number, active: number): number {
  const { completions = null, parallelism = 1 } = spec;
  if (completions !== null) return completions - succeeded;
  return succeeded > 0 ? active : parallelism;
}

const COMPLETED: JobOutcome = {
  type: 'Complete',
  reason: 'CompletionsReached',
  message: 'Reached expected number of succeeded pods',
};

/** Pods that failed, and restarts of containers in those that run. */
function failuresOf(pods: readonly ApiObject[]): number {
  const failed = pods.filter(({ status }) => status?.phase === 'Failed').length;
  const restarts = pods.filter(isActive).flatMap(({ status }) => status?.containerStatuses ?? []);
  return restarts.reduce((sum, { restartCount = 0 }) => sum + restartCount, failed);
}

function failureOf(job: ApiObject, failed: number, nowMs: number): JobOutcome | null {
  const { backoffLimit = DEFAULT_BACK_OFF_LIMIT } = job.spec;
  if (failed > backoffLimit) {
    const message = 'Job has reached the specified backoff limit';
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message };
  }
  if (nowMs < deadlineMs(job)) return null;
  const message = 'Job was active longer than specified deadline';
  return { type: 'Failed', reason: 'DeadlineExceeded', message };
}

/** When `activeDeadlineSeconds` are over; infinity without them, and before the job has started. */
export function deadlineMs({ spec, status }: ApiObject): number {
  const { activeDeadlineSeconds } = spec;
  if (activeDeadlineSeconds === undefined || status?.startTime === undefined) {
    return Number.POSITIVE_INFINITY;
  }
  return Date.parse(status.startTime) + activeDeadlineSeconds * 1000;
}

/** Failures count since the last success. */
function backOffMs(pods: readonly ApiObject[], nowMs: number): number {
  const ended = (phase: string): number[] =>
    pods.filter(({ status }) => status?.phase === phase).map(endMs);
  const lastSuccessMs = Math.max(0, ...ended('Succeeded'));
  const failures = ended('Failed').filter((endedMs) => endedMs >= lastSuccessMs);
  if (failures.length === 0) return 0;
  const waitMs = Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (failures.length - 1));
  return Math.max(0, Math.max(...failures) + waitMs - nowMs);
}

/** When the last container of a pod ended. */
function endMs({ metadata, status }: ApiObject): number {
  const statuses: readonly { state?: { terminated?: { finishedAt?: string } } }[] =
    status?.containerStatuses ?? [];
  const ends = statuses.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  const known = ends.filter((end) => !Number.isNaN(end));
  return Math.max(Date.parse(metadata.creationTimestamp ?? '') || 0, ...known);
}

/** `0-2,5`, as `status.completedIndexes` has it. */
export function indexRanges(indexes: ReadonlySet<number>): string {
  const ranges: { first: number; last: number }[] = [];
  for (const index of [...indexes].sort((one, other) => one - other)) {
    const range = ranges.at(-1);
    if (range?.last === index - 1) range.last = index;
    else ranges.push({ first: index, last: index });
  }
  return ranges.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(',');
}
