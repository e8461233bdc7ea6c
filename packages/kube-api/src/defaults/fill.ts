/** Filling of fields that are absent, as Go's defaulting functions do. */
import { isObject, type JsonObject, listOr, objectOr } from '../json.ts';

/** Sets a field that is absent: one that is a pointer in Go's types, where empty values count. */
export function fill(target: JsonObject, field: string, value: unknown): void {
  if (target[field] === undefined || target[field] === null) target[field] = value;
}

/** Sets a field that is absent or empty (`""`, 0): one that is a plain value in Go's types. */
export function fillEmpty(target: JsonObject, field: string, value: unknown): void {
  if (target[field] === '' || target[field] === 0) target[field] = value;
  else fill(target, field, value);
}

/** The object of a field, which is made where there is none. */
export function madeObject(target: JsonObject, field: string): JsonObject {
  fill(target, field, {});
  return objectOr(target[field]);
}

/** The objects of a list field; empty when there is none. */
export function itemsOf(target: JsonObject, field: string): JsonObject[] {
  return listOr(target[field]).filter(isObject);
}
