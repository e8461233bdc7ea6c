/** Decoding by structure: what a schema does not name is unknown, what it types must have that type. */
import { canonicalQuantity } from '@aquifer/model/kubernetes';
import type { OpenApiSchema } from '@aquifer/model/resources';
import { isObject, type JsonObject, ownValue } from '../json.ts';
import { hasFormat } from './formats.ts';

/** A value of another type than its schema says. */
export interface TypeMistake {
  readonly path: string;
  /** As the schema names it: `integer`, `string`, `array`, `object`, `boolean`, `number`, `quantity`. */
  readonly expected: string;
  readonly format: string | undefined;
  /** The JSON type that was found. */
  readonly found: string;
  /** What is wrong with a value that has the type, as Go says it. */
  readonly problem?: string;
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

const INT32 = 2 ** 31;
const INT64 = 2 ** 63;

/** What Go's types cannot hold although the JSON type is right; null where there is nothing. */
function formatProblem(schema: OpenApiSchema, value: unknown): string | null {
  if (typeof value === 'number') return fitsInteger(schema, value) ? null : `number ${value}`;
  return typeof value === 'string' ? textProblem(schema, value) : null;
}

function fitsInteger({ type, format, ...schema }: OpenApiSchema, value: number): boolean {
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true && format === undefined;
  if (type !== 'integer' && !isIntOrString) return true;
  const bound = format === 'int64' ? INT64 : INT32;
  return value >= -bound && value < bound;
}

function textProblem({ format }: OpenApiSchema, text: string): string | null {
  if (format === 'date-time' && !hasFormat(format, text)) {
    return `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00"`;
  }
  const isBytes = format !== 'byte' || hasFormat(format, text.replaceAll(/[\r\n]/g, ''));
  return isBytes ? null : 'illegal base64 data';
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function hasType(schema: OpenApiSchema, found: string): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return (
      found === 'integer' ||
      found === 'string' ||
      (found === 'number' && schema.format === 'quantity')
    );
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
    const field =
      ownValue(schema.properties, key) ?? (typeof extra === 'object' ? extra : undefined);
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

/** What is wrong with a value, its fields apart; null where nothing is. */
function mistakeOf(
  schema: OpenApiSchema,
  value: unknown,
  path: string,
  { keepNulls }: Findings,
): TypeMistake | null {
  const found = jsonType(value);
  const { type: expected = 'int-or-string', format } = schema;
  if (!hasType(schema, found)) return { path, expected, format, found };
  const problem = keepNulls ? null : formatProblem(schema, value);
  return problem === null ? null : { path, expected, format, found, problem };
}

function decodeValue(
  schema: OpenApiSchema,
  value: unknown,
  path: string,
  findings: Findings,
): unknown {
  if (value === null && schema.nullable !== true && !findings.keepNulls) return undefined;
  const mistake = mistakeOf(schema, value, path, findings);
  if (mistake !== null) {
    findings.mistakes.push(mistake);
    return value;
  }
  if (schema.format === 'quantity') return decodeQuantity(value, path, findings);
  if (isObject(value)) return decodeObject(schema, value, path, findings);
  if (Array.isArray(value)) return decodeList(schema, value, path, findings);
  // Base64 may come in lines.
  const isBytes = schema.format === 'byte' && !findings.keepNulls;
  return isBytes ? String(value).replaceAll(/[\r\n]/g, '') : value;
}

function decodeList(
  { items }: OpenApiSchema,
  list: readonly unknown[],
  path: string,
  findings: Findings,
): readonly unknown[] {
  if (items === undefined) return list;
  return list.map((item, at) => decodeValue(items, item, `${path}[${at}]`, findings) ?? null);
}

/** The amount as Kubernetes writes it. */
function decodeQuantity(value: unknown, path: string, findings: Findings): unknown {
  const amount = canonicalQuantity(value);
  if (amount !== null) return amount;
  findings.mistakes.push({
    path,
    expected: 'quantity',
    format: 'quantity',
    found: jsonType(value),
  });
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
  if (mistake.expected === 'quantity') {
    return "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  }
  const { problem } = mistake;
  if (problem !== undefined && mistake.expected === 'string') return problem;
  const found = problem ?? goKinds[mistake.found] ?? mistake.found;
  const fields = mistake.path.replaceAll(/\[\d+\]/g, '');
  const owner = fields.startsWith('spec.') && !fields.slice(5).includes('.') ? `${kind}Spec` : kind;
  const type = mistake.expected === 'integer' ? mistake.format : goTypes[mistake.expected];
  return `json: cannot unmarshal ${found} into Go struct field ${owner}.${fields} of type ${type ?? 'intstr.IntOrString'}`;
}
