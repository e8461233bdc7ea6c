import type { z } from 'zod';

/** One column that `kubectl get` prints for a resource, as in a CRD's additionalPrinterColumns. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly jsonPath: string;
  readonly description?: string;
  readonly format?: string;
  /** 0 is always shown; anything greater only with `-o wide`. Default 0. */
  readonly priority?: number;
}

/**
 * The one description of a Kubernetes-style resource. Types, admission validation, OpenAPI documents and CRDs
 * are derived from it; nothing else describes the resource again.
 */
export interface ResourceDefinition<Schema extends z.ZodType = z.ZodType> {
  /** API group; empty for the core group. */
  readonly group: string;
  /** Served versions, the storage version first. */
  readonly versions: readonly string[];
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly namespaced: boolean;
  readonly subresources?: { readonly status?: boolean; readonly scale?: boolean };
  readonly columns?: readonly PrinterColumn[];
  /** The whole object, `apiVersion`, `kind` and `metadata` included. */
  readonly schema: Schema;
}

/** Keeps the schema's own type, so that `ResourceObject<typeof pod>` is the TypeScript type of a Pod. */
export function defineResource<Schema extends z.ZodType>(
  definition: ResourceDefinition<Schema>,
): ResourceDefinition<Schema> {
  return definition;
}

/** The TypeScript type of the objects that a definition describes. */
export type ResourceObject<Definition extends ResourceDefinition> = z.infer<Definition['schema']>;
