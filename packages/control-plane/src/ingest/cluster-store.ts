/**
 * Takes what the reflectors deliver into the inputs of the graph; it counts from the next round on.
 *
 * Always: an object that cannot be read changes nothing but what is said of it. The others of its list are taken.
 */
import type { Logger } from '@aquifer/runtime';
import { type ClusterInputs, keyOf, LISTED_KINDS, type StoredObject } from './cluster-inputs.ts';
import type { WatchedKind } from './kinds.ts';
import { type MalformedObjects, malformedKey, substituteFor } from './malformed.ts';
import { project } from './project.ts';
import type { ReflectorSink } from './reflector.ts';
import { isVisible } from './revision.ts';
import { shapeProblem } from './shape.ts';

export interface ClusterStoreDeps {
  readonly inputs: ClusterInputs;
  readonly malformed: MalformedObjects;
  /** Configuration of other revisions is as if it were not there. */
  readonly revision: string;
  readonly log: Logger;
  /** Called after every change, also when several come together. */
  readonly onChange: () => void;
}

export class ClusterStore implements ReflectorSink {
  readonly #deps: ClusterStoreDeps;
  readonly #missing = new Set<WatchedKind>(LISTED_KINDS);
  /** Of the objects that are malformed: their versions, so that each is said once. */
  readonly #said = new Map<string, string>();

  constructor(deps: ClusterStoreDeps) {
    this.#deps = deps;
  }

  /** Whether every kind has been listed once: before that, what is derived would be partial. */
  get isComplete(): boolean {
    return this.#missing.size === 0;
  }

  replace(kind: WatchedKind, objects: readonly StoredObject[]): void {
    const isFirst = this.#missing.delete(kind);
    const input = this.#deps.inputs.anyOf(kind);
    const seen = new Set<string>();
    const values: (readonly [string, StoredObject])[] = [];
    for (const object of objects) {
      if (!this.#isNamed(kind, object) || !this.#isVisible(kind, object)) continue;
      seen.add(malformedKey(kind, object));
      const value = this.#read(kind, object);
      if (value !== null) values.push([keyOf(object), value]);
    }
    input.replace(values);
    for (const key of this.#said.keys()) {
      if (key.startsWith(`${kind}/`) && !seen.has(key)) this.#forget(key);
    }
    if (isFirst || values.length > 0 || input.size > 0) this.#deps.onChange();
  }

  change(kind: WatchedKind, object: StoredObject, isDeleted: boolean): void {
    if (!this.#isNamed(kind, object)) return;
    const { inputs, onChange } = this.#deps;
    if (isDeleted || !this.#isVisible(kind, object)) {
      inputs.anyOf(kind).set(keyOf(object), undefined);
      this.#forget(malformedKey(kind, object));
    } else {
      const value = this.#read(kind, object);
      if (value !== null) inputs.anyOf(kind).set(keyOf(object), value);
    }
    onChange();
  }

  /** What counts as the object; null for one of which there is nothing that could. */
  #read(kind: WatchedKind, object: StoredObject): StoredObject | null {
    const problem = shapeProblem(kind, object);
    const key = malformedKey(kind, object);
    if (problem === null) {
      this.#forget(key);
      return project(kind, object);
    }
    const { malformed, inputs, log } = this.#deps;
    malformed.set(key, { kind, object, problem });
    const version = object.metadata.resourceVersion ?? '';
    if (this.#said.get(key) !== version) {
      log.warn('object is malformed; its last good version counts', { object: key, problem });
    }
    this.#said.set(key, version);
    return inputs.anyOf(kind).latest(keyOf(object)) ?? substituteFor(kind, object);
  }

  #forget(key: string): void {
    if (this.#said.delete(key)) this.#deps.malformed.set(key, undefined);
  }

  /** Nothing can be said of an object without a name, and to nobody. */
  #isNamed(kind: WatchedKind, object: unknown): object is StoredObject {
    const { metadata } = (object ?? {}) as {
      readonly metadata?: { readonly name?: unknown } | null;
    };
    const isNamed = typeof metadata?.name === 'string' && metadata.name !== '';
    if (!isNamed) this.#deps.log.warn('an object without a name is left out', { kind });
    return isNamed;
  }

  #isVisible(kind: WatchedKind, object: StoredObject): boolean {
    return isVisible(kind, object, this.#deps.revision);
  }
}
