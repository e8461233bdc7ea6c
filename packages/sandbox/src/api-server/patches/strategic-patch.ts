/**
 * Strategic merge patch: a merge patch that knows, from the schema, which lists merge item by item (Kubernetes
 * "Update API Objects in Place Using kubectl patch"; apimachinery `strategicpatch`).
 */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { fieldSchema } from '../fields/field-tree.ts';
import { isObject, type JsonObject, listOr, sameJson } from '../json.ts';
import { badRequest } from '../status.ts';

const ORDER = '$setElementOrder/';
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';

function merges(schema: OpenApiSchema): boolean {
  return (schema['x-kubernetes-patch-strategy'] ?? '').split(',').includes('merge');
}

/** Items in the order that the client asked for; those it does not know keep their place relative to the others. */
function reorder(
  list: readonly unknown[],
  order: readonly unknown[],
  keyOf: (item: unknown) => unknown,
): unknown[] {
  const position = (item: unknown): number =>
    order.findIndex((wanted) => sameJson(keyOf(wanted), keyOf(item)));
  const ordered = list
    .filter((item) => position(item) >= 0)
    .toSorted((a, b) => position(a) - position(b));
  const others = list.filter((item) => position(item) < 0);
  const result: unknown[] = [];
  for (const item of ordered) {
    while (others[0] !== undefined && list.indexOf(others[0]) < list.indexOf(item)) {
      result.push(others.shift());
    }
    result.push(item);
  }
  return [...result, ...others];
}

function patchPrimitives(
  current: readonly unknown[],
  patch: readonly unknown[],
  removed: readonly unknown[],
): unknown[] {
  const kept = current.filter((item) => !removed.includes(item));
  return [...kept, ...patch.filter((item) => !kept.includes(item))];
}

function patchItems(
  schema: OpenApiSchema,
  current: readonly unknown[],
  patch: readonly unknown[],
): unknown[] {
  const mergeKey = schema['x-kubernetes-patch-merge-key'] ?? 'name';
  const items = schema.items ?? {};
  let result = [...current];
  for (const change of patch.filter(isObject)) {
    if (change.$patch === 'replace') {
      return patch.filter((item) => !(isObject(item) && item.$patch === 'replace'));
    }
    if (change[mergeKey] === undefined) {
      throw badRequest(
        `map: ${JSON.stringify(change)} does not contain declared merge key: ${mergeKey}`,
      );
    }
    const index = result.findIndex((item) => isObject(item) && item[mergeKey] === change[mergeKey]);
    if (change.$patch === 'delete') {
      result = result.filter((_item, at) => at !== index);
    } else if (index < 0) {
      result.push(patchObject(items, {}, change));
    } else {
      result[index] = patchObject(items, result[index], change);
    }
  }
  return result;
}

interface ListPatch {
  readonly patch: readonly unknown[];
  readonly order: readonly unknown[] | null;
  readonly removed: readonly unknown[];
}

function patchList(schema: OpenApiSchema, current: unknown, change: ListPatch): unknown[] {
  const list = listOr(current);
  const mergeKey = schema['x-kubernetes-patch-merge-key'];
  const patched =
    mergeKey === undefined
      ? patchPrimitives(list, change.patch, change.removed)
      : patchItems(schema, list, change.patch);
  if (change.order === null) return patched;
  return reorder(patched, change.order, (item) =>
    mergeKey !== undefined && isObject(item) ? item[mergeKey] : item,
  );
}

/** The names of the list fields that a patch object changes by directive only. */
function directiveOnly(patch: JsonObject): string[] {
  return Object.keys(patch)
    .filter((key) => key.startsWith(ORDER) || key.startsWith(DELETE_PRIMITIVES))
    .map((key) => key.slice(key.indexOf('/') + 1))
    .filter((name) => !(name in patch));
}

function patchField(
  schema: OpenApiSchema,
  current: unknown,
  patch: JsonObject,
  name: string,
): unknown {
  const field = fieldSchema(schema, name);
  const value = patch[name];
  const order = patch[`${ORDER}${name}`];
  if ((Array.isArray(value) || value === undefined) && merges(field)) {
    return patchList(field, current, {
      patch: listOr(value),
      order: Array.isArray(order) ? order : null,
      removed: listOr(patch[`${DELETE_PRIMITIVES}${name}`]),
    });
  }
  return isObject(value) ? patchObject(field, current, value) : value;
}

function patchObject(schema: OpenApiSchema, current: unknown, patch: JsonObject): unknown {
  const { $patch: directive, $retainKeys: retain, ...changes } = patch;
  if (directive === 'replace') return changes;
  if (directive === 'delete') return {};
  let result: JsonObject = isObject(current) ? { ...current } : {};
  if (Array.isArray(retain)) {
    result = Object.fromEntries(Object.entries(result).filter(([key]) => retain.includes(key)));
  }
  for (const name of [...Object.keys(changes), ...directiveOnly(changes)]) {
    if (name.startsWith('$')) continue;
    if (changes[name] === null) delete result[name];
    else result[name] = patchField(schema, result[name], changes, name);
  }
  return result;
}

/** Throws 400 when an item of a keyed list lacks its key. */
export function applyStrategicPatch(
  schema: OpenApiSchema,
  target: JsonObject,
  patch: JsonObject,
): JsonObject {
  return patchObject(schema, target, patch) as JsonObject;
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
