/** Defaults that a schema declares, filled in wherever their parent object exists. */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { isObject } from './json.ts';

/** Fills the defaults in place. The value must be the caller's own copy. */
export function applySchemaDefaults(schema: OpenApiSchema, value: unknown): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined)
      for (const item of value) applySchemaDefaults(schema.items, item);
    return;
  }
  if (!isObject(value)) return;
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const absent = value[name] === undefined || (value[name] === null && field.nullable !== true);
    if (absent && field.default !== undefined) value[name] = structuredClone(field.default);
    applySchemaDefaults(field, value[name]);
  }
  const extra = schema.additionalProperties;
  if (typeof extra !== 'object') return;
  for (const [name, item] of Object.entries(value)) {
    if (schema.properties?.[name] === undefined) applySchemaDefaults(extra, item);
  }
}
