/**
 * Strategic merge patch: a merge patch that knows, from the schema, which lists merge item by item (Kubernetes
 * "Update API Objects in Place Using kubectl patch"; apimachinery `strategicpatch`).
 */

/** What of an OpenAPI schema says how fields merge; a field that it does not know merges as in a merge patch. */
export interface MergeSchema {
  readonly properties?: Readonly<Record<string, MergeSchema>>;
  readonly additionalProperties?: boolean | MergeSchema;
  readonly items?: MergeSchema;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-patch-strategy'?: string;
}

type JsonObject = Record<string, unknown>;

/** An item of a keyed list lacks its key. */
export class StrategicPatchError extends Error {
  override readonly name = 'StrategicPatchError';
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Names that a client chose may be those of what every object has, such as `constructor`. */
function ownValue(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function listOr(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Of keys, which are numbers or texts. */
function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

const UNKNOWN: MergeSchema = {};

function fieldSchema(schema: MergeSchema, name: string): MergeSchema {
  const extra = schema.additionalProperties;
  const known = schema.properties;
  if (known !== undefined && Object.hasOwn(known, name)) return known[name] ?? UNKNOWN;
  return typeof extra === 'object' ? extra : UNKNOWN;
}

const ORDER = '$setElementOrder/';
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';

function merges(schema: MergeSchema): boolean {
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
  schema: MergeSchema,
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
      throw new StrategicPatchError(
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

function patchList(schema: MergeSchema, current: unknown, change: ListPatch): unknown[] {
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
    .filter((name) => !Object.hasOwn(patch, name));
}

function patchField(
  schema: MergeSchema,
  current: unknown,
  patch: JsonObject,
  name: string,
): unknown {
  const field = fieldSchema(schema, name);
  const value = ownValue(patch, name);
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

function patchObject(schema: MergeSchema, current: unknown, patch: JsonObject): unknown {
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
    else result[name] = patchField(schema, ownValue(result, name), changes, name);
  }
  return result;
}

/** A new value. Throws a `StrategicPatchError`. */
export function applyStrategicPatch(
  schema: MergeSchema,
  target: JsonObject,
  patch: JsonObject,
): JsonObject {
  return patchObject(schema, target, patch) as JsonObject;
}
