/**
 * The JSONPath that CRDs use for printer columns: fields, indices, `[*]`, and filters like `[?(@.type=="Ready")]`
 * (client-go `util/jsonpath`, the part without ranges and scripts).
 */
import { isObject, ownValue } from '../json.ts';

type Step = (values: readonly unknown[]) => readonly unknown[];

const token =
  /\.([A-Za-z0-9_-]+)|\[\*\]|\[(-?\d+)\]|\['([^']*)'\]|\[\?\(@((?:\.[A-Za-z0-9_-]+)+)\s*(==|!=)\s*["']([^"']*)["']\s*\)\]/y;

function field(name: string): Step {
  return (values) =>
    values.filter(isObject).flatMap((value) => (Object.hasOwn(value, name) ? [value[name]] : []));
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (current, key) => (isObject(current) ? ownValue(current, key) : undefined),
    value,
  );
}

function filter(path: string, operator: string, wanted: string): Step {
  const keys = path.split('.').slice(1);
  return (values) =>
    values
      .flatMap((value) => (Array.isArray(value) ? (value as unknown[]) : []))
      .filter((item) => (String(at(item, keys)) === wanted) === (operator === '=='));
}

function stepOf(match: RegExpExecArray): Step {
  const [text, name, index, quoted, path, operator, wanted] = match;
  if (name !== undefined) return field(name);
  if (quoted !== undefined) return field(quoted);
  if (index !== undefined) {
    return (values) =>
      values.map((value) =>
        Array.isArray(value) ? (value as unknown[]).at(Number(index)) : undefined,
      );
  }
  if (text === '[*]') {
    return (values) =>
      values.flatMap((value) =>
        Array.isArray(value) ? (value as unknown[]) : isObject(value) ? Object.values(value) : [],
      );
  }
  return filter(path ?? '', operator ?? '==', wanted ?? '');
}

const compiled = new Map<string, readonly Step[]>();

function compile(path: string): readonly Step[] {
  const known = compiled.get(path);
  if (known !== undefined) return known;
  // `\.` is a dot within a field name; a quoted name says the same.
  const source = path.replaceAll(
    /\.((?:[^.[\\]|\\.)*\\.(?:[^.[\\]|\\.)*)/g,
    (_all, name: string) => `['${name.replaceAll('\\', '')}']`,
  );
  const steps: Step[] = [];
  token.lastIndex = 0;
  for (let match = token.exec(source); match !== null; match = token.exec(source)) {
    steps.push(stepOf(match));
  }
  compiled.set(path, steps);
  return steps;
}

/** Every value the path leads to; empty where it leads nowhere. */
export function readJsonPath(root: unknown, path: string): readonly unknown[] {
  return compile(path).reduce<readonly unknown[]>((values, step) => step(values), [root]);
}
