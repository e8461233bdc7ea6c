/** Defaults that a schema declares, filled in wherever their parent object exists. */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { isObject, type JsonObject, ownValue } from '../json.ts';

function fillField(target: JsonObject, name: string, field: OpenApiSchema): void {
  const value = ownValue(target, name);
  const absent = value === undefined || (value === null && field.nullable !== true);
  if (absent && field.default !== undefined) target[name] = structuredClone(field.default);
  applySchemaDefaults(field, ownValue(target, name));
}

/** Fills the defaults in place. The value must be the caller's own copy. */
export function applySchemaDefaults(schema: OpenApiSchema, value: unknown): void {
  if (Array.isArray(value)) {
    for (const item of value) applySchemaDefaults(schema.items ?? {}, item);
    return;
  }
  if (!isObject(value)) return;
  const { properties = {}, additionalProperties: extra } = schema;
  for (const [name, field] of Object.entries(properties)) fillField(value, name, field);
  if (typeof extra !== 'object') return;
  for (const [name, item] of Object.entries(value)) {
    if (ownValue(properties, name) === undefined) applySchemaDefaults(extra, item);
  }
}
