import { DemandedNames } from './demanded-names.ts';
import type { RejectedResource, ResourceBatch } from './resource-batch.ts';

/** A type of resource that this proxy follows. */
export interface Subscription {
  readonly typeUrl: string;
  /**
   * `'*'` follows everything; a function tells the names wanted now (asked after each batch of any type). Names on demand
   * are asked for one by one, and nobody waits for the first of them.
   */
  readonly names: '*' | (() => ReadonlySet<string>) | DemandedNames;
  /** Applies what is valid and names what is not. */
  readonly apply: (
    batch: ResourceBatch,
  ) => readonly RejectedResource[] | Promise<readonly RejectedResource[]>;
}

/** The first request for a type on a stream. */
export interface InitialRequest {
  readonly subscribe: string[];
  readonly unsubscribe: string[];
  readonly initialVersions: Record<string, string>;
}

const WILDCARD = '*';

/**
 * What one type's exchange with the server has reached: which versions are held and which names are asked for.
 * It outlives streams, so that a reconnect asks only for what changed.
 */
export class SubscriptionState {
  readonly subscription: Subscription;
  /** True once a response of this type was accepted without a rejection, or from the start if it is on demand. */
  synced: boolean;
  #versions = new Map<string, string>();
  #requested = new Set<string>();

  constructor(subscription: Subscription) {
    this.subscription = subscription;
    this.synced = subscription.names instanceof DemandedNames;
  }

  /** The first request of a stream. */
  initialRequest(): InitialRequest {
    const { names } = this.subscription;
    // Everything and at once nothing: else a server would take versions without names for a wish for everything.
    if (names instanceof DemandedNames) {
      return { subscribe: [WILDCARD], unsubscribe: [WILDCARD], initialVersions: names.open() };
    }
    this.#requested = names === '*' ? new Set() : new Set(names());
    return {
      subscribe: [...this.#requested],
      unsubscribe: [],
      initialVersions: Object.fromEntries(this.#versions),
    };
  }

  /** Names to add and to drop since the last request; null if nothing changed. */
  namesChanged(): { subscribe: string[]; unsubscribe: string[] } | null {
    const { names } = this.subscription;
    if (names === '*') return null;
    if (names instanceof DemandedNames) return names.takeRequest();
    const wanted = names();
    const subscribe = [...wanted].filter((name) => !this.#requested.has(name));
    const unsubscribe = [...this.#requested].filter((name) => !wanted.has(name));
    if (subscribe.length === 0 && unsubscribe.length === 0) return null;
    this.#requested = new Set(wanted);
    for (const name of unsubscribe) this.#versions.delete(name);
    return { subscribe, unsubscribe };
  }

  /**
   * Applies a response. Of a rejected resource the version that stays in force is remembered, if there is one: the
   * server sends the newer one again, and says so when it is gone.
   */
  async receive(
    batch: ResourceBatch,
    versions: ReadonlyMap<string, string>,
  ): Promise<readonly RejectedResource[]> {
    const { names, apply } = this.subscription;
    const rejected = await apply(batch);
    const refused = new Set(rejected.map(({ name }) => name));
    if (names instanceof DemandedNames) {
      names.received(batch, versions, refused);
      return rejected;
    }
    for (const name of batch.removed) this.#versions.delete(name);
    for (const [name, version] of versions) {
      if (!refused.has(name)) this.#versions.set(name, version);
    }
    if (rejected.length === 0) this.synced = true;
    return rejected;
  }
}
