/** The snapshot in force, and who wants to know when there is a newer one. */
import type { Snapshot } from '../derive/snapshot.ts';

export type SnapshotListener = (snapshot: Snapshot) => void;

export class Publisher {
  readonly #listeners = new Set<SnapshotListener>();
  #current: Snapshot | null = null;

  /** Null until the first derivation: nothing partial is ever served. */
  get current(): Snapshot | null {
    return this.#current;
  }

  publish(snapshot: Snapshot): void {
    this.#current = snapshot;
    for (const listener of this.#listeners) listener(snapshot);
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: SnapshotListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
