/** Kinds that are only posted and answered, never stored. */
import { z } from 'zod';
import { anyObject, objectOf, timestamp } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { objectReference } from './network.ts';

const userInfo = z.object({
  username: z.string().optional(),
  uid: z.string().optional(),
  groups: z.array(z.string()).optional(),
  extra: z.record(z.string(), z.array(z.string())).optional(),
});

/** Kubernetes API: asks whom a token stands for. */
export const tokenReview = defineResource({
  group: 'authentication.k8s.io',
  versions: ['v1'],
  kind: 'TokenReview',
  plural: 'tokenreviews',
  singular: 'tokenreview',
  namespaced: false,
  schema: objectOf({
    spec: z.object({ token: z.string().optional(), audiences: z.array(z.string()).optional() }),
    status: z
      .object({
        authenticated: z.boolean().optional(),
        user: userInfo.optional(),
        audiences: z.array(z.string()).optional(),
        error: z.string().optional(),
      })
      .optional(),
  }),
});

/** Kubernetes API: asks who the asker is. */
export const selfSubjectReview = defineResource({
  group: 'authentication.k8s.io',
  versions: ['v1'],
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  singular: 'selfsubjectreview',
  namespaced: false,
  schema: objectOf({ status: z.object({ userInfo: userInfo.optional() }).optional() }),
});

/** Body of the `token` subresource of a ServiceAccount. */
export const tokenRequestSchema = objectOf({
  spec: z.object({
    audiences: z.array(z.string()).nullable().optional(),
    expirationSeconds: z
      .int()
      .nullable()
      .optional()
      .describe('Seconds; default 3600, at least 600.'),
    boundObjectRef: z
      .object({
        kind: z.string().optional(),
        apiVersion: z.string().optional(),
        name: z.string().optional(),
        uid: z.string().optional(),
      })
      .nullable()
      .optional(),
  }),
  status: z.object({ token: z.string(), expirationTimestamp: timestamp }).optional(),
});

const resourceAttributes = z.object({
  namespace: z.string().optional(),
  verb: z.string().optional(),
  group: z.string().optional(),
  version: z.string().optional(),
  resource: z.string().optional(),
  subresource: z.string().optional(),
  name: z.string().optional(),
  fieldSelector: anyObject.optional(),
  labelSelector: anyObject.optional(),
});

const accessSpec = {
  resourceAttributes: resourceAttributes.optional(),
  nonResourceAttributes: z
    .object({ path: z.string().optional(), verb: z.string().optional() })
    .optional(),
};

const accessStatus = z
  .object({
    allowed: z.boolean(),
    denied: z.boolean().optional(),
    reason: z.string().optional(),
    evaluationError: z.string().optional(),
  })
  .optional();

/** Kubernetes API: asks what the asker may do. */
export const selfSubjectAccessReview = defineResource({
  group: 'authorization.k8s.io',
  versions: ['v1'],
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  singular: 'selfsubjectaccessreview',
  namespaced: false,
  schema: objectOf({ spec: z.object(accessSpec), status: accessStatus }),
});

const subjectAccessSpec = z.object({
  ...accessSpec,
  user: z.string().optional(),
  groups: z.array(z.string()).optional(),
  extra: z.record(z.string(), z.array(z.string())).optional(),
  uid: z.string().optional(),
});

/** Kubernetes API: asks what somebody may do. */
export const subjectAccessReview = defineResource({
  group: 'authorization.k8s.io',
  versions: ['v1'],
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  singular: 'subjectaccessreview',
  namespaced: false,
  schema: objectOf({ spec: subjectAccessSpec, status: accessStatus }),
});

/** Kubernetes API: asks what somebody may do in a namespace. */
export const localSubjectAccessReview = defineResource({
  group: 'authorization.k8s.io',
  versions: ['v1'],
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  singular: 'localsubjectaccessreview',
  namespaced: true,
  schema: objectOf({ spec: subjectAccessSpec, status: accessStatus }),
});

/** Kubernetes API: asks for all that the asker may do. */
export const selfSubjectRulesReview = defineResource({
  group: 'authorization.k8s.io',
  versions: ['v1'],
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  singular: 'selfsubjectrulesreview',
  namespaced: false,
  schema: objectOf({
    spec: z.object({ namespace: z.string().optional() }),
    status: z
      .object({
        resourceRules: z.array(anyObject),
        nonResourceRules: z.array(anyObject),
        incomplete: z.boolean(),
      })
      .optional(),
  }),
});

/** Puts a pod on a node; posted to `bindings` or to a pod's `binding`. */
export const binding = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'Binding',
  plural: 'bindings',
  singular: 'binding',
  namespaced: true,
  schema: objectOf({ target: objectReference }),
});

/** The TypeScript type of `tokenReview`. */
export type TokenReview = z.infer<typeof tokenReview.schema>;
/** The TypeScript type of `tokenRequestSchema`. */
export type TokenRequest = z.infer<typeof tokenRequestSchema>;
/** The TypeScript type of `subjectAccessReview`. */
export type SubjectAccessReview = z.infer<typeof subjectAccessReview.schema>;
