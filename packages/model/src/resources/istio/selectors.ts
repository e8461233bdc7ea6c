import { z } from 'zod';
import { keyedList, rules, timestamp } from '../field-types.ts';

/** Workloads that a policy applies to, by label; absent selects the whole namespace. */
export const workloadSelector = z.object({
  matchLabels: z
    .record(
      z.string(),
      z
        .string()
        .max(63)
        .meta(rules(['wildcard not allowed in label value match', "!self.contains('*')"])),
    )
    .meta({
      // As Istio's own. Without a bound the API server refuses the rules: they might cost too much.
      maxProperties: 4096,
      ...rules(
        ['wildcard not allowed in label key match', "self.all(key, !key.contains('*'))"],
        ['key must not be empty', 'self.all(key, key.size() != 0)'],
      ),
    })
    .optional()
    .describe(
      'One or more labels that indicate a specific set of pods/VMs on which a policy should be applied.',
    ),
});

/** The resource that a policy attaches to: a Service, Gateway, GatewayClass or ServiceEntry. */
export const policyTargetReference = z.object({
  group: z.string().max(253).optional().describe('group is the group of the target resource.'),
  kind: z.string().min(1).max(63).describe('kind is kind of the target resource.'),
  name: z.string().min(1).max(253).describe('name is the name of the target resource.'),
  namespace: z.string().optional().describe('namespace is the namespace of the referent.'),
});

/** istio.meta.v1alpha1.IstioStatus, which every Istio kind carries. */
export const istioStatus = z.looseObject({
  conditions: keyedList(
    z.object({
      type: z.string(),
      status: z.string(),
      reason: z.string().optional(),
      message: z.string().optional(),
      lastProbeTime: timestamp.optional(),
      lastTransitionTime: timestamp.optional(),
      observedGeneration: z
        .union([z.int(), z.string()])
        .meta({ 'x-kubernetes-int-or-string': true })
        .optional(),
    }),
    'type',
  ).optional(),
  validationMessages: z.array(z.record(z.string(), z.unknown())).optional(),
  observedGeneration: z
    .union([z.int(), z.string()])
    .meta({ 'x-kubernetes-int-or-string': true })
    .optional(),
});

/** The last column of every Istio kind. */
export const ageColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description:
    'CreationTimestamp is a timestamp representing the server time when this object was created.',
} as const;

/** Protobuf durations as Istio writes them: `10s`, `1.5s`, `2m`. */
export const istioDuration = z.string().meta({
  'x-kubernetes-validations': [
    {
      message: 'must be a valid duration greater than 1ms',
      rule: "duration(self) >= duration('1ms')",
    },
  ],
});

/** The same in lists whose length nothing bounds: API servers refuse a rule that runs for each of their items. */
export const istioListedDuration = z.string().regex(/^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/);

/** A policy is for the workloads of a selector, or for targets. */
export const targetOrSelector = rules([
  'only one of targetRefs or selector can be set',
  '(has(self.selector) ? 1 : 0) + (has(self.targetRef) ? 1 : 0) + (has(self.targetRefs) ? 1 : 0) <= 1',
]);
