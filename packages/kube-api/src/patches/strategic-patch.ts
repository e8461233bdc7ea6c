/** Strategic merge patches as the API server answers them. */
import {
  applyStrategicPatch as apply,
  type MergeSchema,
  StrategicPatchError,
} from '@aquifer/model';
import type { OpenApiSchema } from '@aquifer/model/resources';
import { fieldSchema } from '../fields/field-tree.ts';
import { isObject, type JsonObject } from '../json.ts';
import { badRequest } from '../status.ts';

/** Throws 400 when an item of a keyed list lacks its key. */
export function applyStrategicPatch(
  schema: OpenApiSchema,
  target: JsonObject,
  patch: JsonObject,
): JsonObject {
  try {
    return apply(schema as MergeSchema, target, patch);
  } catch (error) {
    if (error instanceof StrategicPatchError) throw badRequest(error.message);
    throw error;
  }
}

function merges(schema: OpenApiSchema): boolean {
  return (schema['x-kubernetes-patch-strategy'] ?? '').split(',').includes('merge');
}

/**
 * The patch as Go prints a map, without the lists that were merged item by item: kube-apiserver shows it so when the
 * result does not decode.
 */
export function printedPatch(schema: OpenApiSchema, patch: unknown): string {
  if (Array.isArray(patch)) return `[${patch.map((item) => printedPatch(schema, item)).join(' ')}]`;
  if (!isObject(patch)) return patch === null ? '<nil>' : String(patch);
  const fields = Object.entries(patch)
    .filter(([key, value]) => {
      const merged = Array.isArray(value) && merges(fieldSchema(schema, key));
      return !key.startsWith('$') && !merged;
    })
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}:${printedPatch(fieldSchema(schema, key), value)}`);
  return `map[${fields.join(' ')}]`;
}
