import { z } from 'zod';
import { objectOf } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import {
  ageColumn,
  istioListedDuration,
  istioStatus,
  policyTargetReference,
  targetOrSelector,
  workloadSelector,
} from './selectors.ts';

const workloadMode = z
  .enum(['CLIENT_AND_SERVER', 'CLIENT', 'SERVER'])
  .optional()
  .describe('Whether the workload asks, or is asked.');

const providers = z
  .array(z.object({ name: z.string().min(1).describe('Required. Name of Telemetry provider.') }))
  .optional()
  .describe('Optional. Names of providers of the mesh’s configuration.');

const customTag = z.object({
  literal: z.object({ value: z.string().min(1) }).optional(),
  environment: z
    .object({ name: z.string().min(1), defaultValue: z.string().optional() })
    .optional(),
  header: z.object({ name: z.string().min(1), defaultValue: z.string().optional() }).optional(),
  formatter: z.object({ value: z.string() }).optional(),
});

const tracing = z.object({
  match: z.object({ mode: workloadMode }).optional(),
  providers,
  randomSamplingPercentage: z.number().min(0).max(100).nullable().optional(),
  disableSpanReporting: z.boolean().nullable().optional(),
  customTags: z.record(z.string(), customTag).optional(),
  useRequestIdForTraceSampling: z.boolean().nullable().optional(),
  enableIstioTags: z.boolean().nullable().optional(),
  disableContextPropagation: z.boolean().nullable().optional(),
});

const metricOverride = z.object({
  match: z
    .object({
      metric: z
        .enum([
          'ALL_METRICS',
          'REQUEST_COUNT',
          'REQUEST_DURATION',
          'REQUEST_SIZE',
          'RESPONSE_SIZE',
          'TCP_OPENED_CONNECTIONS',
          'TCP_CLOSED_CONNECTIONS',
          'TCP_SENT_BYTES',
          'TCP_RECEIVED_BYTES',
          'GRPC_REQUEST_MESSAGES',
          'GRPC_RESPONSE_MESSAGES',
        ])
        .optional(),
      customMetric: z.string().min(1).optional(),
      mode: workloadMode,
    })
    .optional(),
  disabled: z.boolean().nullable().optional(),
  tagOverrides: z
    .record(
      z.string(),
      z.object({
        operation: z.enum(['UPSERT', 'REMOVE']).optional(),
        value: z.string().optional().describe('A CEL expression over attributes of the request.'),
      }),
    )
    .optional(),
});

const metrics = z.object({
  providers,
  overrides: z.array(metricOverride).optional(),
  reportingInterval: istioListedDuration.optional(),
});

const accessLogging = z.object({
  match: z.object({ mode: workloadMode }).optional(),
  providers,
  disabled: z.boolean().nullable().optional(),
  filter: z
    .object({
      expression: z
        .string()
        .optional()
        .describe('A CEL expression: what it is false for is not logged.'),
    })
    .optional(),
});

/** Istio: metrics, logs and traces of workloads. */
export const telemetry = defineResource({
  group: 'telemetry.istio.io',
  versions: ['v1', 'v1alpha1'],
  kind: 'Telemetry',
  plural: 'telemetries',
  singular: 'telemetry',
  shortNames: ['telemetry'],
  categories: ['istio-io', 'telemetry-istio-io'],
  namespaced: true,
  subresources: { status: true },
  columns: [ageColumn],
  schema: objectOf({
    spec: z
      .object({
        selector: workloadSelector.optional(),
        targetRef: policyTargetReference.optional(),
        targetRefs: z.array(policyTargetReference).max(16).optional(),
        tracing: z.array(tracing).optional(),
        metrics: z.array(metrics).optional(),
        accessLogging: z.array(accessLogging).optional(),
      })
      .meta(targetOrSelector)
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** The TypeScript type of `telemetry`. */
export type Telemetry = z.infer<typeof telemetry.schema>;
