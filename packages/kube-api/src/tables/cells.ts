/** Pieces of cells that several kinds show. */
import type { ApiObject } from '../cluster-client.ts';
import { isObject, type JsonObject, listOr, objectOr, stringOr } from '../json.ts';
import { ageOf } from './duration.ts';

/** The objects of a list; empty when there is none. */
export function objects(value: unknown): JsonObject[] {
  return listOr(value).filter(isObject);
}

/** The spec, or an empty object. */
export function specOf(object: ApiObject): JsonObject {
  return objectOr(object.spec);
}

/** The status, or an empty object. */
export function statusOf(object: ApiObject): JsonObject {
  return objectOr(object.status);
}

/** As in its metadata. */
export function name(object: ApiObject): string {
  return object.metadata.name;
}

/** Since its creation, as kubectl shows it. */
export function age(object: ApiObject): string {
  return ageOf(object.metadata.creationTimestamp);
}

/** Pods that are wanted, there, and ready. */
export function replicaCells(object: ApiObject): number[] {
  const { replicas, readyReplicas } = statusOf(object);
  return [count(specOf(object).replicas), count(replicas), count(readyReplicas)];
}

/** The number, or zero. */
export function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/** `a=b,c=d`, or `<none>`. */
export function mapText(value: unknown): string {
  const entries = Object.entries(objectOr(value)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0
    ? '<none>'
    : entries.map(([key, item]) => `${key}=${String(item)}`).join(',');
}

/** A LabelSelector in its wire form, or `<none>`. */
export function selectorText(selector: unknown): string {
  const { matchLabels, matchExpressions } = objectOr(selector);
  const equal = Object.entries(objectOr(matchLabels))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${String(value)}`);
  const rest = objects(matchExpressions).map(({ key, operator, values }) => {
    const set = `(${listOr(values).join(',')})`;
    if (operator === 'In') return `${String(key)} in ${set}`;
    if (operator === 'NotIn') return `${String(key)} notin ${set}`;
    return operator === 'Exists' ? String(key) : `!${String(key)}`;
  });
  const terms = [...equal, ...rest];
  return terms.length === 0 ? '<none>' : terms.join(',');
}

/** Names and images of a workload's containers. */
export function containerCells(object: ApiObject): [string, string] {
  const containers = objects(objectOr(objectOr(specOf(object).template).spec).containers);
  const list = (field: string): string =>
    containers.map((container) => stringOr(container[field]) ?? '').join(',');
  return [list('name'), list('image')];
}

/** At most `limit` items, and how many more there are. */
export function shortList(items: readonly string[], limit: number): string {
  if (items.length <= limit) return items.join(',');
  return `${items.slice(0, limit).join(',')} + ${items.length - limit} more...`;
}
