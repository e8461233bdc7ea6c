/** Collects what the reflectors deliver, and hands out immutable states. */
import {
  applyChanges,
  type ClusterState,
  clusterStateOf,
  type StateChanges,
} from './cluster-state.ts';
import type { Change, StoredObject } from './collection.ts';
import { WATCHED_KINDS, type WatchedKind } from './kinds.ts';
import type { ReflectorSink } from './reflector.ts';
import { isVisible } from './revision.ts';

interface Meta {
  namespace?: string | undefined;
  name?: string | undefined;
  managedFields?: unknown;
}

export class ClusterStore implements ReflectorSink {
  #state: ClusterState = clusterStateOf([]);
  readonly #pending = new Map<WatchedKind, Map<string, Change<StoredObject>>>();
  readonly #missing = new Set(Object.keys(WATCHED_KINDS));
  readonly #onChange: () => void;
  readonly #revision: string;

  /**
   * `onChange` is called after every change, also when several come together. Configuration of revisions other than
   * `revision` is as if it were not there.
   */
  constructor(onChange: () => void, revision: string) {
    this.#onChange = onChange;
    this.#revision = revision;
  }

  /** Whether every kind has been listed once: before that, a state would be partial. */
  get isComplete(): boolean {
    return this.#missing.size === 0;
  }

  replace(kind: WatchedKind, objects: readonly StoredObject[]): void {
    const wasComplete = this.isComplete;
    this.#missing.delete(kind);
    const changes = new Map<string, Change<StoredObject>>();
    for (const object of this.#state[kind]) {
      changes.set(...toChange(object as StoredObject, true));
    }
    for (const object of objects) {
      changes.set(...toChange(object, !isVisible(kind, object, this.#revision)));
    }
    this.#pending.set(kind, changes);
    if (changes.size > 0 || !wasComplete) this.#onChange();
  }

  change(kind: WatchedKind, object: StoredObject, isDeleted: boolean): void {
    const changes = this.#pending.get(kind) ?? new Map<string, Change<StoredObject>>();
    const isGone = isDeleted || !isVisible(kind, object, this.#revision);
    this.#pending.set(kind, changes.set(...toChange(object, isGone)));
    this.#onChange();
  }

  /** The state with everything delivered so far. */
  take(): ClusterState {
    const changes: Partial<Record<WatchedKind, readonly Change<StoredObject>[]>> = {};
    for (const [kind, byKey] of this.#pending) {
      changes[kind] = [...byKey.values()].filter((change) => !isSame(this.#state, kind, change));
    }
    this.#pending.clear();
    this.#state = applyChanges(this.#state, changes as StateChanges);
    return this.#state;
  }
}

function toChange(object: StoredObject, isDeleted: boolean): [string, Change<StoredObject>] {
  const metadata = object.metadata as Meta;
  // Bookkeeping of the API server: often larger than the object, and never read here.
  delete metadata.managedFields;
  const { namespace = '', name = '' } = metadata;
  return [`${namespace}/${name}`, { namespace, name, object: isDeleted ? null : object }];
}

/** The same version of the same object, as a list after a reconnect repeats it. */
function isSame(state: ClusterState, kind: WatchedKind, change: Change<StoredObject>): boolean {
  const known = state[kind].get(change.namespace, change.name)?.metadata;
  const next = change.object?.metadata as typeof known;
  if (known === undefined || next === undefined) return known === next;
  return known.uid === next.uid && known.resourceVersion === next.resourceVersion;
}
