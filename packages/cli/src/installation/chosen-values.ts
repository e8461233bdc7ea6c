import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { CliError } from '../errors.ts';
import { INSTALL_VALUES, type InstallValue } from './values.ts';

/** A file of values. */
export type Tree = { [key: string]: unknown };

const BY_PATH = new Map(INSTALL_VALUES.map((value) => [value.path, value]));

/** What was chosen of `INSTALL_VALUES`, over what holds without. */
export class ChosenValues {
  readonly #defaults: ReadonlyMap<string, unknown>;
  readonly #chosen: ReadonlyMap<string, unknown>;

  constructor(defaults: ReadonlyMap<string, unknown>, chosen: ReadonlyMap<string, unknown>) {
    this.#defaults = defaults;
    this.#chosen = chosen;
  }

  /** The value at a path of the table. */
  of(path: string): unknown {
    const normally = this.#defaults.get(path);
    const chosen = this.#chosen.get(path);
    if (isTree(normally) && isTree(chosen)) return merged(normally, chosen);
    return chosen ?? normally;
  }

  /** As a file of values that leads to the same. */
  toTree(): Tree {
    return treeOf(this.#chosen);
  }
}

/** Nested maps of values by their paths. */
export function treeOf(byPath: ReadonlyMap<string, unknown>): Tree {
  const tree: Tree = {};
  for (const [path, value] of byPath) {
    const steps = path.split('.');
    let at = tree;
    for (const step of steps.slice(0, -1)) {
      at[step] ??= {};
      at = at[step] as Tree;
    }
    at[steps.at(-1)!] = value;
  }
  return tree;
}

/** What is chosen by files and assignments as helm's `-f` and `--set` take them; later ones win. Throws what is wrong. */
export function chooseValues(
  defaults: ReadonlyMap<string, unknown>,
  earlier: Tree,
  files: readonly string[],
  assignments: readonly string[],
): ChosenValues {
  const chosen = new Map<string, unknown>();
  for (const tree of [earlier, ...files.map(readTree), ...assignments.map(assigned)])
    collect(tree, '', chosen);
  return new ChosenValues(defaults, chosen);
}

function readTree(file: string): Tree {
  let tree: unknown;
  try {
    tree = parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new CliError(`values file ${file}: ${(error as Error).message}`);
  }
  if (isTree(tree)) return tree;
  throw new CliError(`values file ${file}: it must be a map, such as "global: {tag: v1}"`);
}

/** `pilot.replicaCount=2`, `pilot.env.NAME=value`, `ztunnel.tolerations=[{operator: Exists}]`. */
function assigned(text: string): Tree {
  const at = text.indexOf('=');
  if (at <= 0)
    throw new CliError(
      `--set ${text}: write it as path=value`,
      'for example: --set pilot.replicaCount=2',
    );
  const path = text.slice(0, at);
  const written = text.slice(at + 1);
  const known = valueAt(path);
  let value: unknown = written;
  if (known === undefined || known.value.type !== 'string') {
    try {
      value = known?.isInside === true ? written : parse(written);
    } catch (error) {
      throw new CliError(`--set ${path}: ${(error as Error).message}`);
    }
  }
  return nested(path, value);
}

/** The value of the table that a path names, or names something inside of. */
function valueAt(path: string): { value: InstallValue; isInside: boolean } | undefined {
  const exact = BY_PATH.get(path);
  if (exact !== undefined) return { value: exact, isInside: false };
  const holder = INSTALL_VALUES.find(
    (value) => value.type === 'map' && path.startsWith(`${value.path}.`),
  );
  return holder && { value: holder, isInside: true };
}

/** What is below a map of the table is one step: names of labels and annotations have dots. */
function nested(path: string, value: unknown): Tree {
  const holder = valueAt(path);
  const isFlat =
    holder?.isInside === true &&
    /\.(?:env|podAnnotations|podLabels|nodeSelector)$/.test(holder.value.path);
  const steps = isFlat
    ? [...holder.value.path.split('.'), path.slice(holder.value.path.length + 1)]
    : path.split('.');
  return steps.reduceRight<unknown>((inner, step) => ({ [step]: inner }), value) as Tree;
}

function collect(tree: Tree, prefix: string, chosen: Map<string, unknown>): void {
  for (const [key, value] of Object.entries(tree)) {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    const known = BY_PATH.get(path);
    if (known !== undefined) {
      assertType(known, value);
      chosen.set(path, known.type === 'map' ? merged(chosen.get(path), value as Tree) : value);
    } else if (isTree(value) && INSTALL_VALUES.some((one) => one.path.startsWith(`${path}.`))) {
      collect(value, path, chosen);
    } else {
      throw unknownValue(path);
    }
  }
}

/** Maps of several files are one map, at every level, and null takes a key away, as with helm. */
function merged(before: unknown, added: Tree): Tree {
  if (!isTree(before)) return added;
  const result = new Map(Object.entries(before));
  for (const [key, value] of Object.entries(added)) {
    if (value === null) result.delete(key);
    else result.set(key, isTree(value) ? merged(result.get(key), value) : value);
  }
  return Object.fromEntries(result);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function assertType({ path, type, rendering }: InstallValue, value: unknown): void {
  const fits = {
    string: typeof value === 'string',
    integer: Number.isInteger(value) && (value as number) >= 0,
    map: isTree(value),
    list: Array.isArray(value),
  }[type];
  if (!fits)
    throw new CliError(
      `value ${path} must be ${type === 'integer' ? 'an' : 'a'} ${type}, not ${JSON.stringify(value)}`,
    );
  if (rendering === 'environment') assertTexts(path, value as Tree);
}

/** What an environment can hold; null takes a variable away. */
function assertTexts(path: string, variables: Tree): void {
  for (const [name, value] of Object.entries(variables)) {
    if (typeof value !== 'object' || value === null) continue;
    throw new CliError(
      `value ${path}.${name} must be text or a number, not ${JSON.stringify(value)}`,
    );
  }
}

function unknownValue(path: string): CliError {
  const last = path.split('.').at(-1)!.toLowerCase();
  const near = INSTALL_VALUES.map((value) => value.path).filter((known) =>
    known.toLowerCase().split('.').includes(last),
  );
  return new CliError(
    `there is no value ${path}`,
    near.length > 0
      ? `did you mean: ${near.join(', ')}`
      : `there are: ${INSTALL_VALUES.map((value) => value.path).join(', ')}`,
  );
}
