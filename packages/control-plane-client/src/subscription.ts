/** One resource as it arrived: its name and the bytes of its body. */
export interface ReceivedResource {
  readonly name: string;
  readonly body: Uint8Array;
}

/** A resource that could not be used, and why; the last good version of it stays in force. */
export interface RejectedResource {
  readonly name: string;
  readonly reason: string;
}

/** One response of the server: applied as a whole before anyone looks (spec ztunnel 5.3). */
export interface ResourceBatch {
  readonly resources: readonly ReceivedResource[];
  readonly removed: readonly string[];
}

/** A type of resource that this proxy follows. */
export interface Subscription {
  readonly typeUrl: string;
  /** `'*'` follows everything; a function tells the names wanted now (asked after each batch of any type). */
  readonly names: '*' | (() => ReadonlySet<string>);
  /** Applies what is valid and names what is not. */
  readonly apply: (
    batch: ResourceBatch,
  ) => readonly RejectedResource[] | Promise<readonly RejectedResource[]>;
}

/**
 * What one type's exchange with the server has reached: which versions are held and which names are asked for.
 * It outlives streams, so that a reconnect asks only for what changed.
 */
export class SubscriptionState {
  readonly subscription: Subscription;
  /** True once a response of this type was accepted without a rejection. */
  synced = false;
  #versions = new Map<string, string>();
  #requested = new Set<string>();

  constructor(subscription: Subscription) {
    this.subscription = subscription;
  }

  /** The first request of a stream. */
  initialRequest(): { subscribe: string[]; initialVersions: Record<string, string> } {
    const { names } = this.subscription;
    this.#requested = names === '*' ? new Set() : new Set(names());
    return {
      subscribe: [...this.#requested],
      initialVersions: Object.fromEntries(this.#versions),
    };
  }

  /** Names to add and to drop since the last request; null if nothing changed. */
  namesChanged(): { subscribe: string[]; unsubscribe: string[] } | null {
    const { names } = this.subscription;
    if (names === '*') return null;
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
    const rejected = await this.subscription.apply(batch);
    for (const name of batch.removed) this.#versions.delete(name);
    const refused = new Set(rejected.map(({ name }) => name));
    for (const [name, version] of versions) {
      if (!refused.has(name)) this.#versions.set(name, version);
    }
    if (rejected.length === 0) this.synced = true;
    return rejected;
  }
}
