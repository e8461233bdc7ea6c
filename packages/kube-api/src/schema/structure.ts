/** Decoding by structure: what a schema does not name is unknown, what it types must have that type. */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { isObject, type JsonObject } from '../json.ts';

/** A value of another type than its schema says. */
export interface TypeMistake {
  readonly path: string;
  /** As the schema names it: `integer`, `string`, `array`, `object`, `boolean`, `number`. */
  readonly expected: string;
  readonly format: string | undefined;
  /** The JSON type that was found. */
  readonly found: string;
}

/** What decoding found. */
export interface Decoded {
  /** Without the unknown fields. */
  readonly value: JsonObject;
  readonly unknown: readonly string[];
  readonly mistakes: readonly TypeMistake[];
}

interface Findings {
  readonly unknown: string[];
  readonly mistakes: TypeMistake[];
  readonly keepNulls: boolean;
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function hasType(schema: OpenApiSchema, found: string): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return found === 'integer' || found === 'string' || found === 'number';
  }
  if (schema.type === undefined || schema.type === found) return true;
  if (found === 'null') return schema.nullable === true;
  return schema.type === 'number' && found === 'integer';
}

function childPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function decodeObject(
  schema: OpenApiSchema,
  value: JsonObject,
  path: string,
  findings: Findings,
): JsonObject {
  const kept: JsonObject = {};
  const extra = schema.additionalProperties;
  const keepsUnknown =
    schema['x-kubernetes-preserve-unknown-fields'] === true ||
    extra === true ||
    (schema.properties === undefined && schema.type === undefined);
  for (const [key, item] of Object.entries(value)) {
    const field = schema.properties?.[key] ?? (typeof extra === 'object' ? extra : undefined);
    if (field !== undefined) {
      const decoded = decodeValue(field, item, childPath(path, key), findings);
      if (decoded !== undefined) kept[key] = decoded;
    } else if (keepsUnknown) {
      kept[key] = item;
    } else {
      findings.unknown.push(childPath(path, key));
    }
  }
  return kept;
}

function decodeValue(
  schema: OpenApiSchema,
  value: unknown,
  path: string,
  findings: Findings,
): unknown {
  if (value === null && schema.nullable !== true && !findings.keepNulls) return undefined;
  const found = jsonType(value);
  if (!hasType(schema, found)) {
    const expected = schema.type ?? 'int-or-string';
    findings.mistakes.push({ path, expected, format: schema.format, found });
    return value;
  }
  if (isObject(value)) return decodeObject(schema, value, path, findings);
  if (Array.isArray(value) && schema.items !== undefined) {
    const { items } = schema;
    return value.map(
      (item, index) => decodeValue(items, item, `${path}[${index}]`, findings) ?? null,
    );
  }
  return value;
}

/**
 * @param keepNulls as for custom resources, where null is a value of its own; the built-in kinds read null as absent.
 */
export function decodeStructure(
  schema: OpenApiSchema,
  value: JsonObject,
  keepNulls: boolean,
): Decoded {
  const findings: Findings = { unknown: [], mistakes: [], keepNulls };
  const decoded = decodeObject(schema, value, '', findings);
  return { value: decoded, unknown: findings.unknown, mistakes: findings.mistakes };
}

const goKinds: Readonly<Record<string, string>> = {
  integer: 'number',
  boolean: 'bool',
};

const goTypes: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'bool',
  number: 'float64',
  array: '[]interface {}',
  object: 'map[string]interface {}',
};

/** How Go's JSON decoder words a type mistake in one of the built-in kinds. */
export function goTypeMistake(kind: string, mistake: TypeMistake): string {
  const found = goKinds[mistake.found] ?? mistake.found;
  const fields = mistake.path.replaceAll(/\[\d+\]/g, '');
  const owner = fields.startsWith('spec.') && !fields.slice(5).includes('.') ? `${kind}Spec` : kind;
  const type = mistake.expected === 'integer' ? mistake.format : goTypes[mistake.expected];
  return `json: cannot unmarshal ${found} into Go struct field ${owner}.${fields} of type ${type ?? 'intstr.IntOrString'}`;
}
