import { z } from 'zod';
import { anyObject, labelSelector, looseConditions, objectOf, timestamp } from '../field-types.ts';
import { objectMeta } from '../meta.ts';
import { defineResource } from '../resource.ts';
import { podTemplateSpec } from './pod.ts';

const jobSpec = z.object({
  parallelism: z.int32().optional(),
  completions: z.int32().optional(),
  activeDeadlineSeconds: z.int().optional(),
  backoffLimit: z.int32().optional().describe('Retries before the job failed. Default 6.'),
  backoffLimitPerIndex: z.int32().optional(),
  maxFailedIndexes: z.int32().optional(),
  selector: labelSelector.optional(),
  manualSelector: z.boolean().optional(),
  template: podTemplateSpec,
  ttlSecondsAfterFinished: z.int32().optional(),
  completionMode: z.string().optional(),
  suspend: z.boolean().optional(),
  podReplacementPolicy: z.string().optional(),
  podFailurePolicy: anyObject.optional(),
  successPolicy: anyObject.optional(),
  managedBy: z.string().optional(),
});

/** Kubernetes API: pods that run to completion. */
export const job = defineResource({
  group: 'batch',
  versions: ['v1'],
  kind: 'Job',
  plural: 'jobs',
  singular: 'job',
  categories: ['all'],
  namespaced: true,
  subresources: { status: true },
  schema: objectOf({
    spec: jobSpec,
    status: z
      .looseObject({
        conditions: looseConditions.optional(),
        startTime: timestamp.optional(),
        completionTime: timestamp.optional(),
        active: z.int32().optional(),
        succeeded: z.int32().optional(),
        failed: z.int32().optional(),
        terminating: z.int32().optional(),
        ready: z.int32().optional(),
      })
      .optional(),
  }),
});

/** Kubernetes API: jobs on a schedule. */
export const cronJob = defineResource({
  group: 'batch',
  versions: ['v1'],
  kind: 'CronJob',
  plural: 'cronjobs',
  singular: 'cronjob',
  shortNames: ['cj'],
  categories: ['all'],
  namespaced: true,
  subresources: { status: true },
  schema: objectOf({
    spec: z.object({
      schedule: z.string(),
      timeZone: z.string().optional(),
      startingDeadlineSeconds: z.int().optional(),
      concurrencyPolicy: z.string().optional(),
      suspend: z.boolean().optional(),
      jobTemplate: z.object({ metadata: objectMeta.optional(), spec: jobSpec.optional() }),
      successfulJobsHistoryLimit: z.int32().optional(),
      failedJobsHistoryLimit: z.int32().optional(),
    }),
    status: z
      .looseObject({
        lastScheduleTime: timestamp.optional(),
        lastSuccessfulTime: timestamp.optional(),
      })
      .optional(),
  }),
});

/** The TypeScript type of `job`. */
export type Job = z.infer<typeof job.schema>;
/** The TypeScript type of `cronJob`. */
export type CronJob = z.infer<typeof cronJob.schema>;
