import { z } from 'zod';
import {
  anyObject,
  intOrString,
  labelSelector,
  looseConditions,
  objectOf,
} from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { podTemplateSpec } from './pod.ts';

const count = z.int32().optional();
const minReadySeconds = z
  .int32()
  .optional()
  .describe('Seconds a new pod must be ready before it counts as available. Default 0.');
const revisionHistoryLimit = z.int32().optional().describe('Old revisions kept. Default 10.');

const rollingUpdate = z.object({
  maxUnavailable: intOrString.optional(),
  maxSurge: intOrString.optional(),
});

/** Kubernetes API: replicas of a pod, replaced gradually. */
export const deployment = defineResource({
  group: 'apps',
  versions: ['v1'],
  kind: 'Deployment',
  plural: 'deployments',
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  namespaced: true,
  subresources: { status: true, scale: true },
  schema: objectOf({
    spec: z.object({
      replicas: z
        .int32()
        .optional()
        .describe(
          'Number of desired pods. This is a pointer to distinguish between explicit zero and not specified. Defaults to 1.',
        ),
      selector: labelSelector.describe(
        "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment. It must match the pod template's labels.",
      ),
      template: podTemplateSpec.describe(
        'Template describes the pods that will be created. The only allowed template.spec.restartPolicy value is "Always".',
      ),
      strategy: z
        .object({
          type: z.string().optional().describe('Recreate or RollingUpdate. Default RollingUpdate.'),
          rollingUpdate: rollingUpdate.nullable().optional(),
        })
        .meta({ 'x-kubernetes-patch-strategy': 'retainKeys' })
        .optional(),
      minReadySeconds,
      revisionHistoryLimit,
      paused: z.boolean().optional(),
      progressDeadlineSeconds: z.int32().optional().describe('Default 600.'),
    }),
    status: z
      .object({
        observedGeneration: z.int().optional(),
        replicas: count,
        updatedReplicas: count,
        readyReplicas: count,
        availableReplicas: count,
        unavailableReplicas: count,
        terminatingReplicas: count,
        collisionCount: count,
        conditions: looseConditions.optional(),
      })
      .optional(),
  }),
});

/** Kubernetes API: replicas of a pod. */
export const replicaSet = defineResource({
  group: 'apps',
  versions: ['v1'],
  kind: 'ReplicaSet',
  plural: 'replicasets',
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  subresources: { status: true, scale: true },
  schema: objectOf({
    spec: z.object({
      replicas: z.int32().optional().describe('Number of desired pods. Defaults to 1.'),
      minReadySeconds,
      selector: labelSelector,
      template: podTemplateSpec.optional(),
    }),
    status: z
      .object({
        replicas: z.int32(),
        fullyLabeledReplicas: count,
        readyReplicas: count,
        availableReplicas: count,
        terminatingReplicas: count,
        observedGeneration: z.int().optional(),
        conditions: looseConditions.optional(),
      })
      .optional(),
  }),
});

/** Kubernetes API: a pod on every node. */
export const daemonSet = defineResource({
  group: 'apps',
  versions: ['v1'],
  kind: 'DaemonSet',
  plural: 'daemonsets',
  singular: 'daemonset',
  shortNames: ['ds'],
  categories: ['all'],
  namespaced: true,
  subresources: { status: true },
  schema: objectOf({
    spec: z.object({
      selector: labelSelector,
      template: podTemplateSpec,
      updateStrategy: z
        .object({ type: z.string().optional(), rollingUpdate: rollingUpdate.optional() })
        .optional(),
      minReadySeconds,
      revisionHistoryLimit,
    }),
    status: z
      .object({
        currentNumberScheduled: z.int32(),
        numberMisscheduled: z.int32(),
        desiredNumberScheduled: z.int32(),
        numberReady: z.int32(),
        observedGeneration: z.int().optional(),
        updatedNumberScheduled: count,
        numberAvailable: count,
        numberUnavailable: count,
        collisionCount: count,
        conditions: looseConditions.optional(),
      })
      .optional(),
  }),
});

/** Kubernetes API: pods with names of their own. */
export const statefulSet = defineResource({
  group: 'apps',
  versions: ['v1'],
  kind: 'StatefulSet',
  plural: 'statefulsets',
  singular: 'statefulset',
  shortNames: ['sts'],
  categories: ['all'],
  namespaced: true,
  subresources: { status: true, scale: true },
  schema: objectOf({
    spec: z.object({
      replicas: count,
      selector: labelSelector,
      template: podTemplateSpec,
      serviceName: z.string().optional(),
      podManagementPolicy: z.string().optional(),
      updateStrategy: z
        .object({
          type: z.string().optional(),
          rollingUpdate: z
            .object({ partition: count, maxUnavailable: intOrString.optional() })
            .optional(),
        })
        .optional(),
      volumeClaimTemplates: z.array(anyObject).optional(),
      persistentVolumeClaimRetentionPolicy: z
        .object({ whenDeleted: z.string().optional(), whenScaled: z.string().optional() })
        .optional(),
      ordinals: z.object({ start: z.int32() }).optional(),
      minReadySeconds,
      revisionHistoryLimit,
    }),
    status: z
      .object({
        observedGeneration: z.int().optional(),
        replicas: z.int32(),
        readyReplicas: count,
        currentReplicas: count,
        updatedReplicas: count,
        availableReplicas: count,
        currentRevision: z.string().optional(),
        updateRevision: z.string().optional(),
        collisionCount: count,
        conditions: looseConditions.optional(),
      })
      .optional(),
  }),
});

/** The TypeScript type of `deployment`. */
export type Deployment = z.infer<typeof deployment.schema>;
/** The TypeScript type of `replicaSet`. */
export type ReplicaSet = z.infer<typeof replicaSet.schema>;
/** The TypeScript type of `daemonSet`. */
export type DaemonSet = z.infer<typeof daemonSet.schema>;
/** The TypeScript type of `statefulSet`. */
export type StatefulSet = z.infer<typeof statefulSet.schema>;
