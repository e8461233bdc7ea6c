/** The constraints of a structural schema, worded as kube-apiserver words them (apiextensions validation). */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { isObject, type JsonObject, sameJson } from './json.ts';
import { expressionCauses } from './schema-expressions.ts';
import { type Cause, invalidValue, requiredValue, unsupportedValue } from './status.ts';

type Check = (schema: OpenApiSchema, value: never, path: string) => Cause | null;

function inBody(path: string, value: unknown, should: string): Cause {
  return invalidValue(path, value, `${path} in body should ${should}`);
}

const numberChecks: readonly Check[] = [
  (schema, value: number, path) =>
    schema.maximum !== undefined && value > schema.maximum
      ? inBody(path, value, `be less than or equal to ${schema.maximum}`)
      : null,
  (schema, value: number, path) =>
    schema.minimum !== undefined && value < schema.minimum
      ? inBody(path, value, `be greater than or equal to ${schema.minimum}`)
      : null,
  (schema, value: number, path) =>
    schema.multipleOf !== undefined && value % schema.multipleOf !== 0
      ? inBody(path, value, `be a multiple of ${schema.multipleOf}`)
      : null,
];

const patterns = new Map<string, RegExp | null>();

function patternOf(source: string): RegExp | null {
  const known = patterns.get(source);
  if (known !== undefined) return known;
  let compiled: RegExp | null = null;
  try {
    compiled = new RegExp(source);
  } catch {
    // RE2 syntax that JavaScript lacks: the constraint cannot be checked here.
  }
  patterns.set(source, compiled);
  return compiled;
}

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
  (schema, value: string, path) =>
    schema.pattern !== undefined && patternOf(schema.pattern)?.test(value) === false
      ? inBody(path, value, `match '${schema.pattern}'`)
      : null,
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
  duplicateKey as Check,
];

function checksFor(value: unknown): readonly Check[] {
  if (typeof value === 'number') return numberChecks;
  if (typeof value === 'string') return stringChecks;
  return Array.isArray(value) ? arrayChecks : [];
}

function missingFields(schema: OpenApiSchema, value: JsonObject, path: string): Cause[] {
  return (schema.required ?? [])
    .filter((name) => value[name] === undefined)
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
    const field = schema.properties?.[key] ?? (typeof extra === 'object' ? extra : undefined);
    const at =
      schema.properties?.[key] === undefined
        ? `${path}[${key}]`
        : path === ''
          ? key
          : `${path}.${key}`;
    return field === undefined ? [] : [[field, item, at] as const];
  });
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

/** Only what is required: the rules of a built-in kind beyond its schema live in `built-in-rules.ts`. */
export function requiredCauses(schema: OpenApiSchema, value: JsonObject): Cause[] {
  const { status: _status, ...properties } = schema.properties ?? {};
  return constraintCauses({ ...schema, properties }, value, '').filter(
    (cause) => cause.reason === 'FieldValueRequired',
  );
}
