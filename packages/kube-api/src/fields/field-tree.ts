/** Walks values by their schema: which fields an object sets, and how two objects differ. */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { isObject, type JsonObject, ownValue, sameJson } from '../json.ts';
import { childPath, type FieldPath } from './field-paths.ts';

interface Child {
  readonly element: string;
  readonly schema: OpenApiSchema;
  readonly value: unknown;
}

const unknownSchema: OpenApiSchema = { 'x-kubernetes-preserve-unknown-fields': true };

/** The schema of a field; one that allows anything where none is declared. */
export function fieldSchema(schema: OpenApiSchema, name: string): OpenApiSchema {
  const extra = schema.additionalProperties;
  return ownValue(schema.properties, name) ?? (typeof extra === 'object' ? extra : unknownSchema);
}

/** `k:{"port":80,"protocol":"TCP"}`: what identifies an item of a keyed list, defaults included. */
function itemElement(schema: OpenApiSchema, item: unknown): string {
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const source = isObject(item) ? item : {};
  const identity = keys
    .toSorted()
    .map((key) => [key, source[key] ?? schema.items?.properties?.[key]?.default])
    .filter(([, value]) => value !== undefined);
  return `k:${JSON.stringify(Object.fromEntries(identity))}`;
}

/** The parts of a value that are owned one by one; null for a leaf, which is owned as a whole. */
function childrenOf(schema: OpenApiSchema, value: unknown): readonly Child[] | null {
  if (Array.isArray(value)) {
    const items = schema.items ?? unknownSchema;
    const type = schema['x-kubernetes-list-type'];
    if (type === 'map') {
      return value.map((item) => ({
        element: itemElement(schema, item),
        schema: items,
        value: item,
      }));
    }
    if (type === 'set') {
      return value.map((item) => ({
        element: `v:${JSON.stringify(item)}`,
        schema: items,
        value: item,
      }));
    }
    return null;
  }
  if (!isObject(value) || schema['x-kubernetes-map-type'] === 'atomic') return null;
  return Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => ({
      element: `f:${name}`,
      schema: fieldSchema(schema, name),
      value: field,
    }));
}

/** The fields that an applied configuration sets: leaves, list items and empty containers. */
export function appliedFields(schema: OpenApiSchema, value: unknown): Set<FieldPath> {
  const set = new Set<FieldPath>();
  const visit = (at: OpenApiSchema, node: unknown, path: FieldPath): void => {
    const children = childrenOf(at, node);
    if (children === null || children.length === 0) set.add(path);
    for (const child of children ?? []) {
      const next = childPath(path, child.element);
      if (child.element.startsWith('k:')) set.add(next);
      visit(child.schema, child.value, next);
    }
  };
  visit(schema, value, '');
  // Nobody owns the whole object, nor its metadata as such.
  set.delete('');
  set.delete('f:metadata');
  return set;
}

/** Paths by what happened to them. */
export interface FieldChanges {
  readonly added: Set<FieldPath>;
  readonly modified: Set<FieldPath>;
  readonly removed: Set<FieldPath>;
}

function collect(
  schema: OpenApiSchema,
  value: unknown,
  path: FieldPath,
  into: Set<FieldPath>,
): void {
  into.add(path);
  for (const child of childrenOf(schema, value) ?? []) {
    collect(child.schema, child.value, childPath(path, child.element), into);
  }
}

function byElement(children: readonly Child[]): Map<string, Child> {
  return new Map(children.map((child) => [child.element, child]));
}

/** How `after` differs from `before`; containers count as added or removed with all they hold. */
export function compareFields(
  schema: OpenApiSchema,
  before: JsonObject,
  after: JsonObject,
): FieldChanges {
  const changes: FieldChanges = { added: new Set(), modified: new Set(), removed: new Set() };
  const visit = (left: Child, right: Child, path: FieldPath): void => {
    const leftChildren = childrenOf(left.schema, left.value);
    const rightChildren = childrenOf(right.schema, right.value);
    if (leftChildren === null || rightChildren === null) {
      if (!sameJson(left.value, right.value)) changes.modified.add(path);
      return;
    }
    const old = byElement(leftChildren);
    for (const child of rightChildren) {
      const next = childPath(path, child.element);
      const counterpart = old.get(child.element);
      old.delete(child.element);
      if (counterpart === undefined) collect(child.schema, child.value, next, changes.added);
      else visit(counterpart, child, next);
    }
    for (const child of old.values()) {
      collect(child.schema, child.value, childPath(path, child.element), changes.removed);
    }
  };
  const root = { element: '', schema };
  visit({ ...root, value: before }, { ...root, value: after }, '');
  return changes;
}

/** Merges an applied configuration into the live object, field by field. */
export function mergeApplied(schema: OpenApiSchema, live: unknown, applied: unknown): unknown {
  const liveChildren = childrenOf(schema, live);
  const children = childrenOf(schema, applied);
  if (liveChildren === null || children === null) return applied;
  const wanted = byElement(children);
  const merged = liveChildren.map((child) => {
    const change = wanted.get(child.element);
    wanted.delete(child.element);
    if (change === undefined) return child;
    return { ...child, value: mergeApplied(child.schema, child.value, change.value) };
  });
  const all = [...merged, ...wanted.values()];
  if (Array.isArray(applied)) return all.map((child) => child.value);
  return Object.fromEntries(all.map((child) => [child.element.slice(2), child.value]));
}

/** The value without the fields of the set; containers of the set go when nothing is left in them. */
export function removeFields(
  schema: OpenApiSchema,
  value: unknown,
  doomed: ReadonlySet<FieldPath>,
  path: FieldPath = '',
): unknown {
  const children = childrenOf(schema, value);
  if (children === null) return value;
  const kept = children.flatMap((child) => {
    const at = childPath(path, child.element);
    const isLeaf = (childrenOf(child.schema, child.value) ?? []).length === 0;
    if (doomed.has(at) && (isLeaf || child.element.startsWith('k:'))) return [];
    const rest = removeFields(child.schema, child.value, doomed, at);
    const emptied = (childrenOf(child.schema, rest) ?? []).length === 0 && !isLeaf;
    return emptied && doomed.has(at) ? [] : [{ ...child, value: rest }];
  });
  if (Array.isArray(value)) return kept.map((child) => child.value);
  return Object.fromEntries(kept.map((child) => [child.element.slice(2), child.value]));
}
