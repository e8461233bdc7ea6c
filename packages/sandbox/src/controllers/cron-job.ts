import type { ApiObject } from '@aquifer/kube-api';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { endTime } from './job.ts';
import { byAge } from './pod-state.ts';
import { controlledBy } from './pod-template.ts';
import { CRON_JOBS, JOBS } from './resource-keys.ts';
import { lastDueMs, nextRunMs } from './schedule.ts';
import { writeStatus } from './write-status.ts';

const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

/** Makes a Job whenever the schedule of a CronJob says so, and removes old ones. */
export function runCronJobs(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  const controller: Controller = runController(
    deps,
    { parents: informers.cronJobs, kind: 'CronJob', children: informers.jobs },
    async (cronJob) => {
      if (cronJob.metadata.deletionTimestamp !== undefined) return;
      const jobs = informers.jobs.ownedBy(cronJob);
      await removeOld(cronJob, jobs);
      const nowMs = Date.now();
      const dueMs = cronJob.spec.suspend === true ? null : dueRun(cronJob, nowMs);
      const active = jobs.filter((job) => endTime(job) === null);
      const started = dueMs === null ? null : await startRun(cronJob, dueMs, active);
      const running = started === null ? active : [...active, started];
      await writeStatus(client, CRON_JOBS, cronJob, {
        active: running.length > 0 ? running.map(reference) : undefined,
        lastScheduleTime: started === null ? cronJob.status?.lastScheduleTime : time(dueMs!),
        lastSuccessfulTime: lastSuccess(jobs),
      });
      const next = nextRunMs(cronJob.spec.schedule, cronJob.spec.timeZone ?? null, nowMs);
      if (next !== null) controller.look(cronJob, next - nowMs + 1);
    },
  );
  return controller;

  /** Null when the policy for runs that overlap says so. */
  async function startRun(
    cronJob: ApiObject,
    dueMs: number,
    active: readonly ApiObject[],
  ): Promise<ApiObject | null> {
    const { concurrencyPolicy } = cronJob.spec;
    if (concurrencyPolicy === 'Forbid' && active.length > 0) {
      const message =
        'Not starting job because prior execution is running and concurrency policy is Forbid';
      events.normal(cronJob, 'JobAlreadyActive', message);
      return null;
    }
    if (concurrencyPolicy === 'Replace') await remove(active);
    const job = jobFor(cronJob, dueMs);
    const known = await client.get(JOBS, job.metadata.name, job.metadata.namespace);
    if (known !== null) return known;
    const made = await client.create(JOBS, job);
    events.normal(cronJob, 'SuccessfulCreate', `Created job ${job.metadata.name}`);
    return made;
  }

  async function removeOld(cronJob: ApiObject, jobs: readonly ApiObject[]): Promise<void> {
    const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cronJob.spec;
    const ended = jobs.filter((job) => endTime(job) !== null).toSorted(byAge);
    const good = ended.filter(hasSucceeded);
    const bad = ended.filter((job) => !hasSucceeded(job));
    await remove(good.slice(0, Math.max(0, good.length - successfulJobsHistoryLimit)));
    await remove(bad.slice(0, Math.max(0, bad.length - failedJobsHistoryLimit)));
  }

  async function remove(jobs: readonly ApiObject[]): Promise<void> {
    await Promise.all(jobs.map(({ metadata }) => client.delete(JOBS, metadata)));
  }
}

/** The time of a run that is to start now, or null: not yet, or too late (`startingDeadlineSeconds`). */
function dueRun({ metadata, spec, status }: ApiObject, nowMs: number): number | null {
  const sinceMs = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp ?? '');
  const dueMs = lastDueMs(spec.schedule, spec.timeZone ?? null, { sinceMs, nowMs });
  const patienceMs = (spec.startingDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  return dueMs !== null && nowMs - dueMs <= patienceMs ? dueMs : null;
}

function jobFor(cronJob: ApiObject, dueMs: number): ApiObject {
  const { metadata = {}, spec } = cronJob.spec.jobTemplate;
  const { name, namespace } = cronJob.metadata;
  // Schedules are in minutes, but for @every.
  const suffix = dueMs % 60_000 === 0 ? dueMs / 60_000 : Math.floor(dueMs / 1000);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${name}-${suffix}`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: { ...metadata.annotations, [SCHEDULED_AT]: time(dueMs) },
      ownerReferences: controlledBy(cronJob),
    },
    spec: structuredClone(spec),
  };
}

function hasSucceeded({ status }: ApiObject): boolean {
  return status?.completionTime !== undefined;
}

function lastSuccess(jobs: readonly ApiObject[]): string | undefined {
  return jobs
    .flatMap(({ status }) => status?.completionTime ?? [])
    .toSorted((one: string, other: string) => (one < other ? -1 : 1))
    .at(-1);
}

function reference({ apiVersion, kind, metadata }: ApiObject): object {
  const { name, namespace, uid, resourceVersion } = metadata;
  return { apiVersion, kind, name, namespace, uid, resourceVersion };
}

function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
