import { z } from 'zod';
import { anyObject, looseConditions, objectOf } from '../field-types.ts';
import { defineResource } from '../resource.ts';

const names = z.object({
  plural: z.string(),
  singular: z.string().optional(),
  shortNames: z.array(z.string()).optional(),
  kind: z.string(),
  listKind: z.string().optional(),
  categories: z.array(z.string()).optional(),
});

const additionalPrinterColumn = z.object({
  name: z.string(),
  type: z.string(),
  format: z.string().optional(),
  description: z.string().optional(),
  priority: z.int32().optional(),
  jsonPath: z.string(),
});

const version = z.object({
  name: z.string(),
  served: z.boolean(),
  storage: z.boolean(),
  deprecated: z.boolean().optional(),
  deprecationWarning: z.string().optional(),
  schema: z.object({ openAPIV3Schema: anyObject.optional() }).optional(),
  subresources: z
    .object({
      status: anyObject.optional(),
      scale: z
        .object({
          specReplicasPath: z.string(),
          statusReplicasPath: z.string(),
          labelSelectorPath: z.string().optional(),
        })
        .optional(),
    })
    .optional(),
  additionalPrinterColumns: z.array(additionalPrinterColumn).optional(),
  selectableFields: z.array(z.object({ jsonPath: z.string() })).optional(),
});

/** Kubernetes API: a kind that the API serves besides its own. */
export const customResourceDefinition = defineResource({
  group: 'apiextensions.k8s.io',
  versions: ['v1'],
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  subresources: { status: true },
  schema: objectOf({
    spec: z.object({
      group: z.string(),
      names,
      scope: z.string().describe('Namespaced or Cluster.'),
      versions: z.array(version),
      conversion: anyObject.optional(),
      preserveUnknownFields: z.boolean().optional(),
    }),
    status: z
      .object({
        conditions: looseConditions.nullable().optional(),
        acceptedNames: anyObject.nullable().optional(),
        storedVersions: z.array(z.string()).nullable().optional(),
        observedGeneration: z.int().optional(),
      })
      .optional(),
  }),
});

/** The TypeScript type of `customResourceDefinition`. */
export type CustomResourceDefinition = z.infer<typeof customResourceDefinition.schema>;
