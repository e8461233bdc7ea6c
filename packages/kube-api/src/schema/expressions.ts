/** CEL rules of a CRD (`x-kubernetes-validations`). */

import { err, ok, type Result } from '@aquifer/model';
import type { OpenApiSchema } from '@aquifer/model/resources';
import { isObject, ownValue } from '../json.ts';
import { type Cause, invalidValue } from '../status.ts';
import { kubernetesCel, parseRule } from './cel-library.ts';

interface Subject {
  readonly value: unknown;
  /** The same place in the object before the update; undefined on creation. */
  readonly previous: unknown;
  readonly path: string;
}

type Rule = NonNullable<OpenApiSchema['x-kubernetes-validations']>[number];
type Evaluate = (context: Record<string, unknown>) => unknown;

const environment = kubernetesCel();
/** Definitions come and go. */
const MAX_KEPT = 1_000;
const compiled = new Map<string, Result<Evaluate, string>>();
const someValue = environment.parse('optional.of(value)');
const noValue: unknown = environment.evaluate('optional.none()');

function firstLine(error: unknown): string {
  return (error as Error).message.split('\n')[0] ?? '';
}

function compile(text: string): Result<Evaluate, string> {
  try {
    return ok(parseRule(environment, text) as Evaluate);
  } catch (error) {
    return err(firstLine(error));
  }
}

/** The error says why an expression has no value here: it cannot be read, or looks at what is not there. */
function outcomeOf(text: string, context: Record<string, unknown>): Result<unknown, string> {
  const evaluate = compiled.get(text) ?? compile(text);
  if (compiled.size >= MAX_KEPT) compiled.clear();
  compiled.set(text, evaluate);
  if (!evaluate.ok) return evaluate;
  try {
    return ok(evaluate.value(context));
  } catch (error) {
    return err(firstLine(error));
  }
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
      celValue(ownValue(schema.properties, key) ?? rest, item),
    ]),
  );
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return 'array';
  return isObject(value) ? 'object' : value;
}

/** What is said when the rule does not hold. */
function messageOf(
  { rule, message, messageExpression }: Rule,
  context: Record<string, unknown>,
): string {
  const made = messageExpression === undefined ? undefined : outcomeOf(messageExpression, context);
  if (made?.ok === true && typeof made.value === 'string') return made.value;
  return message ?? `failed rule: ${rule}`;
}

/**
 * What a rule refuses. A rule that has no value refuses too: the API cannot tell that it holds, and kube-apiserver does the
 * same.
 */
function ruleCauses(schema: OpenApiSchema, { value, previous, path }: Subject): Cause[] {
  const causes: Cause[] = [];
  const self = celValue(schema, value);
  for (const rule of schema['x-kubernetes-validations'] ?? []) {
    // A transition rule is only checked when there is something to compare with.
    const isTransition = /\boldSelf\b/.test(rule.rule) && rule.optionalOldSelf !== true;
    if (isTransition && previous === undefined) continue;
    const context = { self, oldSelf: oldValue(schema, previous, rule) };
    const holds = outcomeOf(rule.rule, context);
    if (holds.ok && holds.value === true) continue;
    const why = holds.ok
      ? messageOf(rule, context)
      : `${holds.error} evaluating rule: ${rule.message ?? rule.rule}`;
    causes.push(invalidValue(path, shown(value), why));
  }
  return causes;
}

function oldValue(schema: OpenApiSchema, previous: unknown, rule: Rule): unknown {
  const value = celValue(schema, previous);
  if (rule.optionalOldSelf !== true) return value;
  return previous === undefined ? noValue : someValue({ value });
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
    const named = ownValue(schema.properties, key);
    const field = named ?? (typeof extra === 'object' ? extra : undefined);
    if (field === undefined) return [];
    const dotted = path === '' ? key : `${path}.${key}`;
    const before = isObject(previous) ? ownValue(previous, key) : undefined;
    return [[field, { value: item, previous: before, path: named ? dotted : `${path}[${key}]` }]];
  });
}

/** The rules that do not hold, depth first, each with the place it guards. */
export function expressionCauses(schema: OpenApiSchema, subject: Subject): Cause[] {
  if (subject.value === undefined || subject.value === null) return [];
  const parts = partsOf(schema, subject).flatMap(([field, part]) => expressionCauses(field, part));
  return [...ruleCauses(schema, subject), ...parts];
}
