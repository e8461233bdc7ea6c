/**
 * The field types that Kubernetes-style resources are built from. Each carries, as metadata, the OpenAPI extensions
 * that patches and server-side apply need (merge keys, list and map types).
 */
import { z } from 'zod';
import { objectMeta } from './meta.ts';

/** A port number or the name of a port; also a count or a percentage (`25%`). */
export const intOrString = z
  .union([z.int(), z.string()])
  .meta({ 'x-kubernetes-int-or-string': true });

/** A resource quantity (`100m`, `64Mi`, `2`); a number is accepted, as the real API does. */
export const quantity = z
  .union([z.number(), z.string()])
  .meta({ 'x-kubernetes-int-or-string': true });

/** RFC 3339 in UTC, seconds or microseconds. */
export const timestamp = z.string().nullable().meta({ format: 'date-time' });

/** Free JSON: stored as given, never pruned. */
export const anyObject = z.record(z.string(), z.unknown());

/** A map of strings, such as labels. */
export const stringMap = z.record(z.string(), z.string());

/** A port number from 1 to 65535. */
export const portNumber = z.int32().min(1).max(65535);

/** CEL rules (`x-kubernetes-validations`), each with what is said when it does not hold. */
export function rules(...rows: readonly (readonly [message: string, rule: string])[]) {
  return { 'x-kubernetes-validations': rows.map(([message, rule]) => ({ message, rule })) };
}

/** A list whose items are identified by `keys`: patches and server-side apply merge item by item. */
export function keyedList<Item extends z.ZodType>(
  item: Item,
  ...keys: readonly [string, ...string[]]
) {
  return z.array(item).meta({
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': keys,
    'x-kubernetes-patch-merge-key': keys[0],
    'x-kubernetes-patch-strategy': 'merge',
  });
}

/** A list of distinct values: server-side apply merges it as a set. */
export function setOf<Item extends z.ZodType>(item: Item) {
  return z
    .array(item)
    .meta({ 'x-kubernetes-list-type': 'set', 'x-kubernetes-patch-strategy': 'merge' });
}

/** An object that server-side apply owns as a whole. */
export function atomic<Schema extends z.ZodType>(schema: Schema): Schema {
  return schema.meta({ 'x-kubernetes-map-type': 'atomic' });
}

const labelSelectorRequirement = z.object({
  key: z.string().describe('key is the label key that the selector applies to.'),
  operator: z
    .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
    .describe("operator represents a key's relationship to a set of values."),
  values: z.array(z.string()).optional(),
});

/** metav1.LabelSelector: all of `matchLabels` and `matchExpressions` must hold; empty selects everything. */
export const labelSelector = atomic(
  z.object({
    matchLabels: stringMap.optional(),
    matchExpressions: z.array(labelSelectorRequirement).optional(),
  }),
);

/** Conditions as the older kinds have them: keyed by type, with free reasons and several times. */
export const looseConditions = keyedList(
  z.object({
    type: z.string(),
    status: z.string(),
    reason: z.string().optional(),
    message: z.string().optional(),
    observedGeneration: z.int().optional(),
    lastTransitionTime: timestamp.optional(),
    lastUpdateTime: timestamp.optional(),
    lastProbeTime: timestamp.optional(),
    lastHeartbeatTime: timestamp.optional(),
  }),
  'type',
);

/** A whole object: `apiVersion`, `kind` and `metadata` beside the fields of its own. */
export function objectOf<Fields extends z.ZodRawShape>(fields: Fields) {
  return z.object({
    apiVersion: z
      .string()
      .describe(
        'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values.',
      ),
    kind: z
      .string()
      .describe(
        'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase.',
      ),
    metadata: objectMeta.describe("Standard object's metadata."),
    ...fields,
  });
}
