/** Objects go when their last owner is gone (Kubernetes "Garbage Collection"), and before it when it waits for them. */
import type { ApiObject } from './cluster-client.ts';
import { stringOr } from './json.ts';
import type { Storage, StoredEvent } from './storage/storage.ts';

/** An object with the collection it is in. */
export interface Dependent {
  readonly collection: string;
  readonly object: ApiObject;
}

/** What the collector may do; it retries nothing itself. */
export interface CollectorActions {
  delete(dependent: Dependent): Promise<void>;
  /** Stores the object with changed metadata; a conflict is retried by the next event. */
  update(dependent: Dependent, metadata: ApiObject['metadata']): Promise<void>;
}

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

function uidOf(object: ApiObject): string {
  return stringOr(object.metadata.uid) ?? '';
}

/** Works from the events of the storage until disposed. */
export class GarbageCollector implements Disposable {
  readonly #storage: Storage;
  readonly #actions: CollectorActions;
  readonly #uids = new Set<string>();
  /** uid of an owner → its dependents by their own uid. */
  readonly #dependents = new Map<string, Map<string, Dependent>>();
  readonly #subscription: Disposable;

  constructor(storage: Storage, actions: CollectorActions) {
    this.#storage = storage;
    this.#actions = actions;
    for (const collection of storage.collections()) {
      for (const object of storage.list(collection)) this.#record(collection, object);
    }
    this.#subscription = storage.subscribe((event) => this.#observe(event));
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #record(collection: string, object: ApiObject): void {
    this.#uids.add(uidOf(object));
    for (const owner of object.metadata.ownerReferences ?? []) {
      const known = this.#dependents.get(owner.uid) ?? new Map<string, Dependent>();
      known.set(uidOf(object), { collection, object });
      this.#dependents.set(owner.uid, known);
    }
  }

  #forget(object: ApiObject): void {
    for (const owner of object.metadata.ownerReferences ?? []) {
      this.#dependents.get(owner.uid)?.delete(uidOf(object));
    }
  }

  #observe(event: StoredEvent): void {
    if (event.previous !== null) this.#forget(event.previous);
    if (event.type === 'deleted') this.#uids.delete(uidOf(event.object));
    else this.#record(event.collection, event.object);
    // Never from within the write that caused it.
    queueMicrotask(() => this.#react(event));
  }

  #react(event: StoredEvent): void {
    const { object, collection } = event;
    if (event.type === 'deleted') {
      for (const dependent of this.#dependentsOf(object)) this.#settle(dependent, object);
      this.#dependents.delete(uidOf(object));
      for (const owner of object.metadata.ownerReferences ?? []) this.#release(owner.uid);
      return;
    }
    const dependent = { collection, object };
    if (event.type === 'added' && this.#isOrphaned(object))
      this.#run(this.#actions.delete(dependent));
    if (object.metadata.deletionTimestamp !== undefined) this.#propagate(dependent);
  }

  #dependentsOf(owner: ApiObject): Dependent[] {
    return [...(this.#dependents.get(uidOf(owner))?.values() ?? [])];
  }

  /** Has owners, and none of them exists. */
  #isOrphaned(object: ApiObject): boolean {
    const owners = object.metadata.ownerReferences ?? [];
    return owners.length > 0 && owners.every((owner) => !this.#uids.has(owner.uid));
  }

  /** A dependent whose owner went: deleted with its last owner, else it only loses the reference. */
  #settle(dependent: Dependent, owner: ApiObject): void {
    const { metadata } = dependent.object;
    if (this.#isOrphaned(dependent.object)) {
      this.#run(this.#actions.delete(dependent));
      return;
    }
    const left = (metadata.ownerReferences ?? []).filter((item) => item.uid !== uidOf(owner));
    this.#run(this.#actions.update(dependent, { ...metadata, ownerReferences: left }));
  }

  /** An owner that waits for its dependents (foreground), or lets go of them (orphan). */
  #propagate(owner: Dependent): void {
    const finalizers = owner.object.metadata.finalizers ?? [];
    const dependents = this.#dependentsOf(owner.object);
    if (finalizers.includes(ORPHAN)) {
      for (const dependent of dependents) {
        const { metadata } = dependent.object;
        const left = (metadata.ownerReferences ?? []).filter(
          (item) => item.uid !== uidOf(owner.object),
        );
        this.#run(this.#actions.update(dependent, { ...metadata, ownerReferences: left }));
      }
      this.#dropFinalizer(owner, ORPHAN);
    } else if (finalizers.includes(FOREGROUND)) {
      const blocking = dependents.filter((dependent) => blocks(dependent, owner.object));
      for (const dependent of dependents) {
        if (dependent.object.metadata.deletionTimestamp === undefined) {
          this.#run(this.#actions.delete(dependent));
        }
      }
      if (blocking.length === 0) this.#dropFinalizer(owner, FOREGROUND);
    }
  }

  /** A dependent went: an owner that waited for it may go now. */
  #release(ownerUid: string): void {
    if ([...(this.#dependents.get(ownerUid)?.values() ?? [])].length > 0) return;
    for (const collection of this.#storage.collections()) {
      const owner = this.#storage.list(collection).find((object) => uidOf(object) === ownerUid);
      if (owner !== undefined && owner.metadata.deletionTimestamp !== undefined) {
        this.#propagate({ collection, object: owner });
      }
    }
  }

  #dropFinalizer(owner: Dependent, finalizer: string): void {
    const { metadata } = owner.object;
    const finalizers = (metadata.finalizers ?? []).filter((item) => item !== finalizer);
    this.#run(this.#actions.update(owner, { ...metadata, finalizers }));
  }

  #run(action: Promise<void>): void {
    // A refusal (already gone, changed meanwhile) is settled by the event that caused it.
    action.catch(() => undefined);
  }
}

function blocks(dependent: Dependent, owner: ApiObject): boolean {
  return (dependent.object.metadata.ownerReferences ?? []).some(
    (reference) => reference.uid === uidOf(owner) && reference.blockOwnerDeletion === true,
  );
}
