/** CEL rules of a CRD (`x-kubernetes-validations`). */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { Environment } from '@marcbachmann/cel-js';
import { isObject } from './json.ts';
import { type Cause, invalidValue } from './status.ts';

interface Subject {
  readonly value: unknown;
  /** The same place in the object before the update; undefined on creation. */
  readonly previous: unknown;
  readonly path: string;
}

type Rule = (context: Record<string, unknown>) => unknown;

const environment = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  enableOptionalTypes: true,
});
const compiled = new Map<string, Rule | null>();

function compile(rule: string): Rule | null {
  const known = compiled.get(rule);
  if (known !== undefined) return known;
  let parsed: Rule | null = null;
  try {
    parsed = environment.parse(rule) as Rule;
  } catch {
    // A function of Kubernetes' own CEL library that this evaluator lacks: the rule cannot be checked here.
  }
  compiled.set(rule, parsed);
  return parsed;
}

/** CEL tells integers from doubles, JSON does not: the schema says which a number is. */
function celValue(schema: OpenApiSchema, value: unknown): unknown {
  if (typeof value === 'number') {
    return schema.type !== 'number' && Number.isInteger(value) ? BigInt(value) : value;
  }
  if (Array.isArray(value)) return value.map((item) => celValue(schema.items ?? {}, item));
  if (!isObject(value)) return value;
  const extra = schema.additionalProperties;
  const rest = typeof extra === 'object' ? extra : {};
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      celValue(schema.properties?.[key] ?? rest, item),
    ]),
  );
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return 'array';
  return isObject(value) ? 'object' : value;
}

function ruleCauses(schema: OpenApiSchema, { value, previous, path }: Subject): Cause[] {
  const causes: Cause[] = [];
  for (const { rule, message } of schema['x-kubernetes-validations'] ?? []) {
    // A transition rule is only checked when there is something to compare with.
    if (rule.includes('oldSelf') && previous === undefined) continue;
    const evaluate = compile(rule);
    if (evaluate === null) continue;
    if (!holds(evaluate, celValue(schema, value), celValue(schema, previous))) {
      causes.push(invalidValue(path, shown(value), message ?? `failed rule: ${rule}`));
    }
  }
  return causes;
}

function holds(evaluate: Rule, self: unknown, oldSelf: unknown): boolean {
  try {
    return evaluate({ self, oldSelf }) !== false;
  } catch {
    // Evaluation needs what this evaluator lacks: not checked.
    return true;
  }
}

function partsOf(
  schema: OpenApiSchema,
  { value, previous, path }: Subject,
): [OpenApiSchema, Subject][] {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return [];
    return value.map((item, at) => [
      items,
      { value: item, previous: undefined, path: `${path}[${at}]` },
    ]);
  }
  if (!isObject(value)) return [];
  const extra = schema.additionalProperties;
  return Object.entries(value).flatMap(([key, item]): [OpenApiSchema, Subject][] => {
    const named = schema.properties?.[key];
    const field = named ?? (typeof extra === 'object' ? extra : undefined);
    if (field === undefined) return [];
    const dotted = path === '' ? key : `${path}.${key}`;
    const before = isObject(previous) ? previous[key] : undefined;
    return [[field, { value: item, previous: before, path: named ? dotted : `${path}[${key}]` }]];
  });
}

/** The rules that do not hold, depth first, each with the place it guards. */
export function expressionCauses(schema: OpenApiSchema, subject: Subject): Cause[] {
  if (subject.value === undefined || subject.value === null) return [];
  const parts = partsOf(schema, subject).flatMap(([field, part]) => expressionCauses(field, part));
  return [...ruleCauses(schema, subject), ...parts];
}
