/**
 * The shapes of objects. A definition that somebody loosened, or that is older than we are, lets others through; what reads
 * them would fail, and everything else that is derived from the same things with it.
 */
import described from '../gen/shapes.json' with { type: 'json' };
import type { StoredObject } from './cluster-inputs.ts';
import { definitionPath, WATCHED_KINDS, type WatchedKind } from './kinds.ts';

/** A type by its name (`integer`: from 0 up; `scalar`: number or text; `any`: not looked at), a list, a map, or an object of known fields. */
type Shape =
  | 'any'
  | 'string'
  | 'number'
  | 'integer'
  | 'boolean'
  | 'scalar'
  | { readonly items: Shape }
  | { readonly values: Shape }
  | ObjectShape;

interface ObjectShape {
  readonly fields: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
}

/** By `group/Kind`; made by test/generate/shapes.ts. */
const SHAPES = described as unknown as Readonly<Record<string, Shape>>;

/** What is wrong with a part of an object. */
export interface ShapeFinding {
  /** Such as `spec.rules[0].to`. */
  readonly path: string;
  /** `unknown` and `missing` do not keep the object from being read. */
  readonly kind: 'type' | 'missing' | 'unknown';
  readonly text: string;
}

/**
 * Such as `spec.rules: expected a list, found an object`; null if the shape is right. Values are not judged, but for whole
 * numbers that nothing could be told to a proxy by, nor unknown fields. What a kind of Kubernetes' own lacks, its API server has let pass.
 */
export function shapeProblem(kind: WatchedKind, object: StoredObject): string | null {
  const isCustom = definitionPath(WATCHED_KINDS[kind]) !== null;
  const { apiVersion, kind: own = kind } = WATCHED_KINDS[kind];
  for (const finding of findings(shapeOf(apiVersion, own), object, '')) {
    // What a status lacks is not told, and nothing else.
    const isMissing = finding.kind === 'missing' && !finding.path.startsWith('status.');
    if (finding.kind === 'type' || (isMissing && isCustom)) {
      return `${finding.path}: ${finding.text}`;
    }
  }
  return null;
}

/** Everything that differs from the shape, unknown fields too; nothing of kinds that are not described. */
export function shapeFindings(object: {
  readonly apiVersion: string;
  readonly kind: string;
}): ShapeFinding[] {
  return [...findings(shapeOf(object.apiVersion, object.kind), object, '')];
}

function shapeOf(apiVersion: string, kind: string): Shape {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return SHAPES[`${group}/${kind}`] ?? 'any';
}

function* findings(shape: Shape, value: unknown, path: string): Iterable<ShapeFinding> {
  // Go writes null for what is not there.
  if (shape === 'any' || value === undefined || value === null) return;
  yield* presentFindings(shape, value, path);
}

function* presentFindings(
  shape: Exclude<Shape, 'any'>,
  value: unknown,
  path: string,
): Iterable<ShapeFinding> {
  const wanted = wantedType(shape);
  if (!isOfType(wanted, value)) yield wrongType(path, wanted, value);
  else if (typeof shape === 'object') yield* innerFindings(shape, value, path);
}

/** In words. */
function wantedType(shape: Exclude<Shape, 'any'>): string {
  if (typeof shape === 'string') return WORDS[shape] ?? shape;
  return 'items' in shape ? 'a list' : 'an object';
}

/** The most that fields of proxies' configuration hold, which are of 32 bits. */
const MAX_INTEGER = 2 ** 32 - 1;
const AN_INTEGER = `a whole number from 0 to ${MAX_INTEGER}`;

const WORDS: Readonly<Record<string, string>> = {
  scalar: 'a number or text',
  integer: AN_INTEGER,
};

function isOfType(wanted: string, value: unknown): boolean {
  if (wanted === 'a list') return Array.isArray(value);
  if (wanted === 'an object') return isRecord(value);
  if (wanted === AN_INTEGER) {
    return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_INTEGER;
  }
  const type = typeof value;
  return wanted === 'a number or text' ? type === 'number' || type === 'string' : type === wanted;
}

function* innerFindings(
  shape: Exclude<Shape, string>,
  value: unknown,
  path: string,
): Iterable<ShapeFinding> {
  if ('items' in shape) {
    for (const [index, item] of (value as readonly unknown[]).entries()) {
      // A field may be null, but a list has no places for what is not there.
      if (shape.items !== 'any') yield* presentFindings(shape.items, item, `${path}[${index}]`);
    }
    return;
  }
  const record = value as Readonly<Record<string, unknown>>;
  if ('fields' in shape) {
    yield* fieldFindings(shape, record, path);
    return;
  }
  for (const [key, item] of Object.entries(record)) {
    yield* findings(shape.values, item, `${path}[${JSON.stringify(key)}]`);
  }
}

function* fieldFindings(
  { fields, required = [] }: ObjectShape,
  value: Readonly<Record<string, unknown>>,
  path: string,
): Iterable<ShapeFinding> {
  const inner = (name: string): string => (path === '' ? name : `${path}.${name}`);
  for (const name of required) {
    if (value[name] === undefined || value[name] === null) {
      yield { path: inner(name), kind: 'missing', text: 'is missing' };
    }
  }
  for (const [name, field] of Object.entries(value)) {
    const shape = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (shape === undefined) yield { path: inner(name), kind: 'unknown', text: 'unknown field' };
    else yield* findings(shape, field, inner(name));
  }
}

function wrongType(path: string, wanted: string, value: unknown): ShapeFinding {
  return { path, kind: 'type', text: `expected ${wanted}, found ${foundIn(value)}` };
}

function foundIn(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (isRecord(value)) return 'an object';
  return typeof value === 'number' ? String(value) : typeof value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
