/** The constraints of a structural schema, worded as kube-apiserver words them (apiextensions validation). */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { isObject, type JsonObject, ownValue, sameJson, sortedJson } from '../json.ts';
import { type Cause, invalidValue, requiredValue, unsupportedValue } from '../status.ts';
import { alternativeCauses } from './alternatives.ts';
import { expressionCauses } from './expressions.ts';
import { hasFormat } from './formats.ts';
import { matchesPattern } from './pattern.ts';

type Check = (schema: OpenApiSchema, value: never, path: string) => Cause | null;

function inBody(path: string, value: unknown, should: string): Cause {
  return invalidValue(path, value, `${path} in body should ${should}`);
}

function broken(holds: boolean, path: string, value: unknown, should: string): Cause | null {
  return holds ? null : inBody(path, value, should);
}

/** OpenAPI 3.0 says by a boolean that a bound is excluded, later ones by the bound itself. */
function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: OpenApiSchema) {
  return {
    least: exclusiveMinimum === true ? undefined : minimum,
    most: exclusiveMaximum === true ? undefined : maximum,
    above: exclusiveMinimum === true ? minimum : exclusiveMinimum || undefined,
    below: exclusiveMaximum === true ? maximum : exclusiveMaximum || undefined,
  };
}

const numberChecks: readonly Check[] = [
  (schema, value: number, path) => {
    const { most, below } = bounds(schema);
    if (below !== undefined) return broken(value < below, path, value, `be less than ${below}`);
    return broken(!(value > (most ?? value)), path, value, `be less than or equal to ${most}`);
  },
  (schema, value: number, path) => {
    const { least, above } = bounds(schema);
    if (above !== undefined) return broken(value > above, path, value, `be greater than ${above}`);
    return broken(!(value < (least ?? value)), path, value, `be greater than or equal to ${least}`);
  },
  (schema, value: number, path) =>
    schema.multipleOf !== undefined && value % schema.multipleOf !== 0
      ? inBody(path, value, `be a multiple of ${schema.multipleOf}`)
      : null,
];

const stringChecks: readonly Check[] = [
  (schema, value: string, path) =>
    schema.maxLength !== undefined && value.length > schema.maxLength
      ? {
          reason: 'FieldValueTooLong',
          message: `Too long: may not be more than ${schema.maxLength} bytes`,
          field: path,
        }
      : null,
  (schema, value: string, path) =>
    schema.minLength !== undefined && value.length < schema.minLength
      ? inBody(path, value, `be at least ${schema.minLength} chars long`)
      : null,
  ({ pattern }, value: string, path) => {
    if (pattern === undefined) return null;
    const matches = matchesPattern(pattern, value);
    if (matches.ok) return broken(matches.value, path, value, `match '${pattern}'`);
    return invalidValue(path, value, `cannot be compared with '${pattern}': ${matches.error}`);
  },
  ({ format }, value: string, path) =>
    format === undefined || hasFormat(format, value)
      ? null
      : invalidValue(
          path,
          value,
          `${path} in body must be of type ${format}: ${JSON.stringify(value)}`,
        ),
];

function duplicateKey(
  schema: OpenApiSchema,
  value: readonly unknown[],
  path: string,
): Cause | null {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'map' && type !== 'set') return null;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const identities = value.map((item) =>
    JSON.stringify(isObject(item) && type === 'map' ? keys.map((key) => item[key]) : item),
  );
  const index = identities.findIndex((identity, at) => identities.indexOf(identity) < at);
  if (index < 0) return null;
  const shown = type === 'map' ? pick(value[index], keys) : value[index];
  return {
    reason: 'FieldValueDuplicate',
    message: `Duplicate value: ${JSON.stringify(shown)}`,
    field: `${path}[${index}]`,
  };
}

function pick(item: unknown, keys: readonly string[]): JsonObject {
  return isObject(item) ? Object.fromEntries(keys.map((key) => [key, item[key]])) : {};
}

const arrayChecks: readonly Check[] = [
  (schema, value: readonly unknown[], path) =>
    schema.maxItems !== undefined && value.length > schema.maxItems
      ? {
          reason: 'FieldValueTooMany',
          message: `Too many: ${value.length}: must have at most ${schema.maxItems} items`,
          field: path,
        }
      : null,
  (schema, value: readonly unknown[], path) =>
    schema.minItems !== undefined && value.length < schema.minItems
      ? inBody(path, value.length, `have at least ${schema.minItems} items`)
      : null,
  (schema, value: readonly unknown[], path) =>
    schema.uniqueItems === true &&
    new Set(value.map((item) => sortedJson(item))).size < value.length
      ? invalidValue(path, value, `${path} in body shouldn't contain duplicates`)
      : null,
  duplicateKey as Check,
];

const objectChecks: readonly Check[] = [
  ({ maxProperties: most }, value: JsonObject, path) =>
    broken(
      most === undefined || Object.keys(value).length <= most,
      path,
      value,
      `have at most ${most} properties`,
    ),
  ({ minProperties: least }, value: JsonObject, path) =>
    broken(
      least === undefined || Object.keys(value).length >= least,
      path,
      value,
      `have at least ${least} properties`,
    ),
];

function checksFor(value: unknown): readonly Check[] {
  if (typeof value === 'number') return numberChecks;
  if (typeof value === 'string') return stringChecks;
  if (Array.isArray(value)) return arrayChecks;
  return isObject(value) ? objectChecks : [];
}

function missingFields(schema: OpenApiSchema, value: JsonObject, path: string): Cause[] {
  return (schema.required ?? [])
    .filter((name) => ownValue(value, name) === undefined)
    .map((name) => requiredValue(path === '' ? name : `${path}.${name}`));
}

function children(
  schema: OpenApiSchema,
  value: unknown,
  path: string,
): readonly (readonly [OpenApiSchema, unknown, string])[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined
      ? []
      : value.map((item, at) => [items, item, `${path}[${at}]`] as const);
  }
  if (!isObject(value)) return [];
  const extra = schema.additionalProperties;
  return Object.entries(value).flatMap(([key, item]) => {
    const named = ownValue(schema.properties, key);
    const field = named ?? (typeof extra === 'object' ? extra : undefined);
    const at = named === undefined ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    return field === undefined ? [] : [[field, item, at] as const];
  });
}

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  integer: Number.isInteger,
  number: (value) => typeof value === 'number',
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  array: Array.isArray,
  object: isObject,
};

/** Alternatives may name types: those of an int-or-string do. */
function isOfType({ type = '' }: OpenApiSchema, value: unknown): boolean {
  return types[type]?.(value) ?? true;
}

function constraintCauses(schema: OpenApiSchema, value: unknown, path: string): Cause[] {
  if (value === undefined || (value === null && schema.nullable === true)) return [];
  const causes: Cause[] = [];
  if (isObject(value)) causes.push(...missingFields(schema, value, path));
  if (schema.enum !== undefined && !schema.enum.some((item) => sameJson(item, value))) {
    causes.push(unsupportedValue(path, value, schema.enum));
  }
  for (const check of checksFor(value)) {
    const cause = check(schema, value as never, path);
    if (cause !== null) causes.push(cause);
  }
  const judge = (other: OpenApiSchema): Cause[] =>
    isOfType(other, value)
      ? constraintCauses(other, value, path)
      : [inBody(path, value, `be of type ${other.type}`)];
  causes.push(...alternativeCauses(schema, path, judge));
  for (const [field, item, at] of children(schema, value, path)) {
    causes.push(...constraintCauses(field, item, at));
  }
  return causes;
}

/** Mistakes after which expressions are not evaluated, since they could not rely on the value's shape. */
const blocking = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

function hasExpressions(schema: OpenApiSchema): boolean {
  if (schema['x-kubernetes-validations'] !== undefined) return true;
  const extra = schema.additionalProperties;
  return [
    ...Object.values(schema.properties ?? {}),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...(typeof extra === 'object' ? [extra] : []),
  ].some(hasExpressions);
}

/** Every broken constraint of a custom resource: first the schema's own, then its CEL expressions. */
export function schemaCauses(schema: OpenApiSchema, value: JsonObject, previous: unknown): Cause[] {
  const causes = constraintCauses(schema, value, '');
  if (!hasExpressions(schema)) return causes;
  if (causes.some((cause) => blocking.has(cause.reason))) {
    const skipped =
      'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
    return [...causes, invalidValue('<nil>', null, skipped)];
  }
  return [...causes, ...expressionCauses(schema, { value, previous, path: '' })];
}

/** Only what is required: the rules of a built-in kind beyond its schema live in `built-in/rules.ts`. */
export function requiredCauses(schema: OpenApiSchema, value: JsonObject): Cause[] {
  const { status: _status, ...properties } = schema.properties ?? {};
  return constraintCauses({ ...schema, properties }, value, '').filter(
    (cause) => cause.reason === 'FieldValueRequired',
  );
}
