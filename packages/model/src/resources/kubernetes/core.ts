import { z } from 'zod';
import {
  anyObject,
  keyedList,
  looseConditions,
  objectOf,
  quantity,
  setOf,
  stringMap,
  timestamp,
} from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { objectReference } from './network.ts';
import { localReference } from './pod.ts';

/** Kubernetes API: a scope of names; its labels enrol it in the mesh. */
export const namespace = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  namespaced: false,
  subresources: { status: true },
  schema: objectOf({
    spec: z.object({ finalizers: z.array(z.string()).optional() }).optional(),
    status: z
      .object({
        phase: z.string().optional().describe('Active or Terminating.'),
        conditions: looseConditions.optional(),
      })
      .optional(),
  }),
});

/** Kubernetes API: a machine that runs pods. */
export const node = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  namespaced: false,
  subresources: { status: true },
  schema: objectOf({
    spec: z
      .object({
        podCIDR: z.string().optional(),
        podCIDRs: setOf(z.string()).optional(),
        providerID: z.string().optional(),
        unschedulable: z.boolean().optional(),
        taints: z
          .array(
            z.object({
              key: z.string(),
              value: z.string().optional(),
              effect: z.string(),
              timeAdded: timestamp.optional(),
            }),
          )
          .optional(),
        configSource: anyObject.optional(),
        externalID: z.string().optional(),
      })
      .optional(),
    status: z
      .looseObject({
        capacity: z.record(z.string(), quantity).optional(),
        allocatable: z.record(z.string(), quantity).optional(),
        phase: z.string().optional(),
        conditions: looseConditions.optional(),
        addresses: z
          .array(z.object({ type: z.string(), address: z.string() }))
          .meta({ 'x-kubernetes-patch-merge-key': 'type', 'x-kubernetes-patch-strategy': 'merge' })
          .optional(),
        nodeInfo: z.record(z.string(), z.unknown()).optional(),
      })
      .optional(),
  }),
});

/** Kubernetes API: plain configuration. */
export const configMap = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  namespaced: true,
  schema: objectOf({
    immutable: z.boolean().optional(),
    data: stringMap.nullable().optional(),
    binaryData: stringMap.optional(),
  }),
});

/** Kubernetes API: confidential data, base64. */
export const secret = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  namespaced: true,
  schema: objectOf({
    immutable: z.boolean().optional(),
    data: stringMap.nullable().optional().describe('Values are base64.'),
    stringData: stringMap.optional().describe('Write-only: plain values, merged into data.'),
    type: z.string().optional(),
  }),
});

/** Kubernetes API: the identity of pods. */
export const serviceAccount = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  namespaced: true,
  schema: objectOf({
    secrets: keyedList(objectReference, 'name').optional(),
    imagePullSecrets: z.array(localReference).optional(),
    automountServiceAccountToken: z.boolean().optional(),
  }),
});

/** Kubernetes API: something that happened to an object. */
export const event = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  namespaced: true,
  schema: objectOf({
    involvedObject: objectReference,
    reason: z.string().optional(),
    message: z.string().optional(),
    source: z.object({ component: z.string().optional(), host: z.string().optional() }).optional(),
    firstTimestamp: timestamp.optional(),
    lastTimestamp: timestamp.optional(),
    count: z.int32().optional(),
    type: z.string().optional().describe('Normal or Warning.'),
    eventTime: timestamp.optional(),
    series: z
      .object({ count: z.int32().optional(), lastObservedTime: timestamp.optional() })
      .nullable()
      .optional(),
    action: z.string().optional(),
    related: objectReference.nullable().optional(),
    reportingComponent: z.string().optional(),
    reportingInstance: z.string().optional(),
  }),
});

/** The TypeScript type of `namespace`. */
export type Namespace = z.infer<typeof namespace.schema>;
/** The TypeScript type of `node`. */
export type Node = z.infer<typeof node.schema>;
/** The TypeScript type of `configMap`. */
export type ConfigMap = z.infer<typeof configMap.schema>;
/** The TypeScript type of `secret`. */
export type Secret = z.infer<typeof secret.schema>;
/** The TypeScript type of `serviceAccount`. */
export type ServiceAccount = z.infer<typeof serviceAccount.schema>;
/** The TypeScript type of `event`. */
export type Event = z.infer<typeof event.schema>;
