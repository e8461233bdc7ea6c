/** Takes what the reflectors deliver into the inputs of the graph; it counts from the next round on. */
import { type ClusterInputs, KINDS, keyOf, type StoredObject } from './cluster-inputs.ts';
import type { WatchedKind } from './kinds.ts';
import { project } from './project.ts';
import type { ReflectorSink } from './reflector.ts';
import { isVisible } from './revision.ts';

export class ClusterStore implements ReflectorSink {
  readonly #inputs: ClusterInputs;
  readonly #revision: string;
  readonly #onChange: () => void;
  readonly #missing = new Set<WatchedKind>(KINDS);

  /**
   * `onChange` is called after every change, also when several come together. Configuration of revisions other than
   * `revision` is as if it were not there.
   */
  constructor(inputs: ClusterInputs, revision: string, onChange: () => void) {
    this.#inputs = inputs;
    this.#revision = revision;
    this.#onChange = onChange;
  }

  /** Whether every kind has been listed once: before that, what is derived would be partial. */
  get isComplete(): boolean {
    return this.#missing.size === 0;
  }

  replace(kind: WatchedKind, objects: readonly StoredObject[]): void {
    const isFirst = this.#missing.delete(kind);
    const visible = objects.filter((object) => isVisible(kind, object, this.#revision));
    const input = this.#inputs.anyOf(kind);
    input.replace(visible.map((object) => [keyOf(object), project(kind, object)]));
    if (isFirst || visible.length > 0 || input.size > 0) this.#onChange();
  }

  change(kind: WatchedKind, object: StoredObject, isDeleted: boolean): void {
    const isGone = isDeleted || !isVisible(kind, object, this.#revision);
    this.#inputs.anyOf(kind).set(keyOf(object), isGone ? undefined : project(kind, object));
    this.#onChange();
  }
}
