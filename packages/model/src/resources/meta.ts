import { z } from 'zod';

/** An object that owns another: when the owner is gone, so is the object (metav1.OwnerReference). */
export const ownerReference = z
  .object({
    apiVersion: z.string(),
    kind: z.string(),
    name: z.string(),
    uid: z.string(),
    controller: z.boolean().optional(),
    blockOwnerDeletion: z.boolean().optional(),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' });

/** `metadata` of every object. Times are RFC 3339 with seconds, in UTC. */
export const objectMeta = z.object({
  name: z.string().optional(),
  generateName: z.string().optional(),
  namespace: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.number().int().optional(),
  creationTimestamp: z.string().nullable().optional(),
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.number().int().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  finalizers: z
    .array(z.string())
    .meta({ 'x-kubernetes-list-type': 'set', 'x-kubernetes-patch-strategy': 'merge' })
    .optional(),
  ownerReferences: z
    .array(ownerReference)
    .meta({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['uid'],
      'x-kubernetes-patch-merge-key': 'uid',
      'x-kubernetes-patch-strategy': 'merge',
    })
    .optional(),
  managedFields: z.array(z.unknown()).optional(),
  selfLink: z.string().optional(),
});

/** A status condition (metav1.Condition). */
export const condition = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.number().int().optional(),
  lastTransitionTime: z.string(),
  reason: z.string(),
  message: z.string(),
});

/** The TypeScript type of `objectMeta`. */
export type ObjectMeta = z.infer<typeof objectMeta>;
/** The TypeScript type of `condition`. */
export type Condition = z.infer<typeof condition>;
/** The TypeScript type of `ownerReference`. */
export type OwnerReference = z.infer<typeof ownerReference>;
