import { z } from 'zod';
import { atomic, labelSelector } from '../field-types.ts';

const nodeSelectorRequirement = z.object({
  key: z.string(),
  operator: z.string().describe('In, NotIn, Exists, DoesNotExist, Gt or Lt.'),
  values: z.array(z.string()).optional(),
});

const nodeSelectorTerm = atomic(
  z.object({
    matchExpressions: z.array(nodeSelectorRequirement).optional(),
    matchFields: z.array(nodeSelectorRequirement).optional(),
  }),
);

const podAffinityTerm = z.object({
  labelSelector: labelSelector.optional(),
  namespaces: z.array(z.string()).optional(),
  topologyKey: z.string(),
  namespaceSelector: labelSelector.optional(),
  matchLabelKeys: z.array(z.string()).optional(),
  mismatchLabelKeys: z.array(z.string()).optional(),
});

const podAffinity = z.object({
  requiredDuringSchedulingIgnoredDuringExecution: z.array(podAffinityTerm).optional(),
  preferredDuringSchedulingIgnoredDuringExecution: z
    .array(z.object({ weight: z.int32(), podAffinityTerm }))
    .optional(),
});

/** Where a pod may or should run. */
export const affinity = z.object({
  nodeAffinity: z
    .object({
      requiredDuringSchedulingIgnoredDuringExecution: atomic(
        z.object({ nodeSelectorTerms: z.array(nodeSelectorTerm) }),
      ).optional(),
      preferredDuringSchedulingIgnoredDuringExecution: z
        .array(z.object({ weight: z.int32(), preference: nodeSelectorTerm }))
        .optional(),
    })
    .optional(),
  podAffinity: podAffinity.optional(),
  podAntiAffinity: podAffinity.optional(),
});

/** Kubernetes API: a taint that a pod puts up with. */
export const toleration = z.object({
  key: z.string().optional(),
  operator: z.string().optional().describe('Exists or Equal. Default Equal.'),
  value: z.string().optional(),
  effect: z
    .string()
    .optional()
    .describe('NoSchedule, PreferNoSchedule or NoExecute; empty is all.'),
  tolerationSeconds: z.int().optional(),
});

/** Kubernetes API: how evenly pods spread. */
export const topologySpreadConstraint = z.object({
  maxSkew: z.int32(),
  topologyKey: z.string(),
  whenUnsatisfiable: z.string(),
  labelSelector: labelSelector.optional(),
  minDomains: z.int32().optional(),
  nodeAffinityPolicy: z.string().optional(),
  nodeTaintsPolicy: z.string().optional(),
  matchLabelKeys: z.array(z.string()).optional(),
});
