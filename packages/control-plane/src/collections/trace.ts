/**
 * Which parts of which inputs a value was derived from. Nothing is kept for this: the value is derived once more, from
 * inputs that tell who looks at them.
 */
import type { Context } from './cell.ts';
import type { Collection, Index } from './collection.ts';
import { IndexNode, Input, Mapped, Union } from './nodes.ts';

/** An input that was looked at. */
export interface TracedInput {
  /** Name of the input. */
  readonly input: string;
  readonly key: string;
  /** Of the fields that were read and there, sorted, such as `spec.ports[0].port`; of a part that was handed on as a whole, its own. */
  readonly paths: readonly string[];
}

/** More steps than that are not followed: the answer is for people. */
const MAX_STEPS = 2000;

/** Inputs in the order in which they were first looked at. */
export function trace(collection: Collection<unknown>, key: string): TracedInput[] {
  return new Tracer().trace(collection, key);
}

class Tracer {
  /** What was derived again: made of inputs that are watched. */
  readonly #derived = new Map<string, unknown>();
  readonly #paths = new Map<string, { input: string; key: string; paths: Set<string> }>();
  /** One for each value, since derivations may compare what they read. */
  readonly #watched = new WeakMap<object, object>();

  trace(collection: Collection<unknown>, key: string): TracedInput[] {
    this.#follow(collection, key);
    return Array.from(this.#paths.values(), ({ input, key: inputKey, paths }) => ({
      input,
      key: inputKey,
      paths: withoutPrefixes(paths),
    }));
  }

  /** The value, watched as far as it comes from inputs. */
  #follow(collection: Collection<unknown>, key: string): unknown {
    const value = collection.get(key);
    if (value === undefined) return undefined;
    if (collection instanceof Input) return this.#watch(collection.name, key, value);
    if (collection instanceof Union) return this.#follow(collection.partOf(key)!, key);
    if (!(collection instanceof Mapped)) return value;
    const step = `${collection.name} ${key}`;
    const known = this.#derived.get(step);
    if (known !== undefined || this.#derived.size >= MAX_STEPS) return known ?? value;
    // While it is derived, and if that fails, it is what it was.
    this.#derived.set(step, value);
    const read = (source: Collection<unknown>, sourceKey: string): unknown =>
      this.#follow(source, sourceKey);
    const derived: unknown = collection.deriveAgain(key, read, this.#context) ?? value;
    this.#derived.set(step, derived);
    return derived;
  }

  readonly #context: Context = {
    get: <T>(collection: Collection<T>, key: string) =>
      this.#follow(collection as Collection<unknown>, key) as T | undefined,
    lookup: <T>(index: Index<T>, indexKey: string) =>
      index instanceof IndexNode
        ? index.keysAt(indexKey).map((key) => this.#follow(index.source, key) as T)
        : index.lookup(indexKey),
  };

  #watch(input: string, key: string, value: unknown): unknown {
    const step = `${input} ${key}`;
    const known = this.#paths.get(step);
    const noted = known ?? { input, key, paths: new Set<string>() };
    if (known === undefined) this.#paths.set(step, noted);
    return this.#watchPart(value, '', noted.paths);
  }

  #watchPart(value: unknown, path: string, paths: Set<string>): unknown {
    if (typeof value !== 'object' || value === null) {
      if (value !== undefined) paths.add(path);
      return value;
    }
    // Of what is handed on as a whole nobody knows what becomes; what is looked into tells more.
    paths.add(path);
    const known = this.#watched.get(value);
    if (known !== undefined) return known;
    const watched = new Proxy(value, {
      get: (target, name, receiver) => {
        const part: unknown = Reflect.get(target, name, receiver);
        if (typeof name === 'symbol' || typeof part === 'function') return part;
        if (Array.isArray(target) && name === 'length') return part;
        return this.#watchPart(part, joined(target, path, name), paths);
      },
    });
    this.#watched.set(value, watched);
    return watched;
  }
}

function joined(target: object, path: string, name: string): string {
  if (Array.isArray(target)) return `${path}[${name}]`;
  const isPlain = /^[A-Za-z_][\w-]*$/.test(name);
  if (!isPlain) return `${path}[${JSON.stringify(name)}]`;
  return path === '' ? name : `${path}.${name}`;
}

function withoutPrefixes(paths: ReadonlySet<string>): string[] {
  const sorted = [...paths].toSorted();
  return sorted.filter(
    (path) =>
      path !== '' &&
      !sorted.some((other) => other.startsWith(`${path}.`) || other.startsWith(`${path}[`)),
  );
}
