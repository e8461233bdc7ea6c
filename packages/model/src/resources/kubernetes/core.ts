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

export type Namespace = z.infer<typeof namespace.schema>;
export type Node = z.infer<typeof node.schema>;
export type ConfigMap = z.infer<typeof configMap.schema>;
export type Secret = z.infer<typeof secret.schema>;
export type ServiceAccount = z.infer<typeof serviceAccount.schema>;
export type Event = z.infer<typeof event.schema>;
