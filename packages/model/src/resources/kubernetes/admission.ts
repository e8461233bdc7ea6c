import { z } from 'zod';
import { keyedList, labelSelector, objectOf } from '../field-types.ts';
import { defineResource } from '../resource.ts';

const ruleWithOperations = z.object({
  operations: z.array(z.string()).optional(),
  apiGroups: z.array(z.string()).optional(),
  apiVersions: z.array(z.string()).optional(),
  resources: z.array(z.string()).optional(),
  scope: z.string().optional(),
});

const webhook = z.object({
  name: z.string(),
  clientConfig: z.object({
    url: z.string().optional(),
    service: z
      .object({
        namespace: z.string(),
        name: z.string(),
        path: z.string().optional(),
        port: z.int32().optional(),
      })
      .optional(),
    caBundle: z.string().optional().describe('PEM, base64.'),
  }),
  rules: z.array(ruleWithOperations).optional(),
  failurePolicy: z.string().optional().describe('Ignore or Fail. Default Fail.'),
  matchPolicy: z.string().optional(),
  namespaceSelector: labelSelector.optional(),
  objectSelector: labelSelector.optional(),
  sideEffects: z.string(),
  timeoutSeconds: z.int32().optional().describe('Seconds, 1 to 30. Default 10.'),
  admissionReviewVersions: z.array(z.string()),
  matchConditions: keyedList(
    z.object({ name: z.string(), expression: z.string() }),
    'name',
  ).optional(),
});

/** Kubernetes API: webhooks that change objects on admission. */
export const mutatingWebhookConfiguration = defineResource({
  group: 'admissionregistration.k8s.io',
  versions: ['v1'],
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  singular: 'mutatingwebhookconfiguration',
  namespaced: false,
  schema: objectOf({
    webhooks: keyedList(
      webhook.extend({ reinvocationPolicy: z.string().optional() }),
      'name',
    ).optional(),
  }),
});

/** Kubernetes API: webhooks that refuse objects on admission. */
export const validatingWebhookConfiguration = defineResource({
  group: 'admissionregistration.k8s.io',
  versions: ['v1'],
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  singular: 'validatingwebhookconfiguration',
  namespaced: false,
  schema: objectOf({ webhooks: keyedList(webhook, 'name').optional() }),
});

/** The TypeScript type of `webhook`. */
export type AdmissionWebhook = z.infer<typeof webhook>;
/** The TypeScript type of `mutatingWebhookConfiguration`. */
export type MutatingWebhookConfiguration = z.infer<typeof mutatingWebhookConfiguration.schema>;
/** The TypeScript type of `validatingWebhookConfiguration`. */
export type ValidatingWebhookConfiguration = z.infer<typeof validatingWebhookConfiguration.schema>;
