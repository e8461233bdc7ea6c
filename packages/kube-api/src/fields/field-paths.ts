/**
 * Sets of field paths, as `metadata.managedFields` records them (structured-merge-diff's `fieldpath.Set`). A path is a
 * sequence of elements in FieldsV1 notation: `f:name`, `k:{"name":"echo"}`, `v:"a"`.
 */
import { isObject, type JsonObject, ownValue } from '../json.ts';

const SEPARATOR = '\u0001';

/** A path as one string, so that sets of paths are sets of strings. The root is the empty string. */
export type FieldPath = string;
/** Never modified once made. */
export type FieldSet = ReadonlySet<FieldPath>;

/** The path of a part of what is at `parent`. */
export function childPath(parent: FieldPath, element: string): FieldPath {
  return parent === '' ? element : `${parent}${SEPARATOR}${element}`;
}

function elementsOf(path: FieldPath): string[] {
  return path === '' ? [] : path.split(SEPARATOR);
}

/** The path with these elements. */
export function pathOf(...elements: readonly string[]): FieldPath {
  return elements.join(SEPARATOR);
}

/** Everything that is in any of the sets. */
export function union(...sets: readonly FieldSet[]): Set<FieldPath> {
  return new Set(sets.flatMap((set) => [...set]));
}

/** The set and every ancestor of its members: who owns a field also holds the objects around it. */
export function withAncestors(set: FieldSet): Set<FieldPath> {
  const all = new Set(set);
  for (const path of set) {
    const elements = elementsOf(path);
    for (let length = elements.length - 1; length > 0; length--) {
      all.add(pathOf(...elements.slice(0, length)));
    }
  }
  return all;
}

/** The `fieldsV1` document of a set. */
export function toFieldsV1(set: FieldSet): JsonObject {
  const root: JsonObject = {};
  for (const path of [...set].toSorted()) {
    let node = root;
    for (const element of elementsOf(path)) {
      const existing = ownValue(node, element);
      const next: JsonObject = isObject(existing) ? existing : {};
      node[element] = next;
      node = next;
    }
    node['.'] = {};
  }
  return tidy(root);
}

/** A leaf is `{}`; only a node that also has children says `.`. */
function tidy(node: JsonObject): JsonObject {
  const entries = Object.entries(node);
  if (entries.length === 1 && entries[0]?.[0] === '.') return {};
  return Object.fromEntries(
    entries.map(([key, value]) => [key, key === '.' || !isObject(value) ? {} : tidy(value)]),
  );
}

/** The set that a `fieldsV1` document describes; anything malformed is left out. */
export function fromFieldsV1(document: unknown): Set<FieldPath> {
  const set = new Set<FieldPath>();
  const visit = (node: JsonObject, path: FieldPath): void => {
    const entries = Object.entries(node);
    if (path !== '' && (entries.length === 0 || Object.hasOwn(node, '.'))) set.add(path);
    for (const [element, child] of entries) {
      if (element !== '.' && isObject(child)) visit(child, childPath(path, element));
    }
  };
  if (isObject(document)) visit(document, '');
  return set;
}

/** `.spec.containers[name="echo"].image`, as conflicts name a field. */
export function displayPath(path: FieldPath): string {
  return elementsOf(path)
    .map((element) => {
      const body = element.slice(2);
      if (element.startsWith('f:')) return `.${body}`;
      if (!element.startsWith('k:')) return `[${element.startsWith('v:') ? '=' : ''}${body}]`;
      const keys = Object.entries(JSON.parse(body) as JsonObject);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');
}
