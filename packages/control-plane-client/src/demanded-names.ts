import type { ResourceBatch } from './resource-batch.ts';

/** What became of names that were asked for. */
export interface DemandChange {
  /** What there is to them is in force, or it is known that there is nothing. */
  readonly answered: readonly string[];
  /** Others were used since: what becomes of these is followed no more. */
  readonly dropped: readonly string[];
}

/** A resource as the server sent it last. */
interface HeldResource {
  readonly version: string;
  /** Further names that it goes by. */
  readonly aliases: readonly string[];
}

/** Names for a request: what is new, and what is not followed any more. */
interface NameRequest {
  readonly subscribe: string[];
  readonly unsubscribe: string[];
}

/** About 100 bytes each, here and in each thread; a node whose pods talk to more services at a time asks again now and then. */
const MAX_NAMES = 16_384;

/**
 * The names of one type of resource that are asked for when somebody needs them, and what the server has sent.
 *
 *   asked ──resource or removal, by name or alias──► answered ──the longest unused of too many──► dropped
 *
 * Always: a name that is answered stays subscribed, also if there is nothing to it, so that the server says when that
 * changes. A name that is not answered is not dropped: while too many are open, no more are asked for.
 */
export class DemandedNames {
  readonly #max: number;
  /** Of those that somebody used, the longest unused first. */
  readonly #names = new Map<string, 'asked' | 'answered'>();
  /** Followed as long as they are pinned, used or not. */
  readonly #pinned = new Map<string, 'asked' | 'answered'>();
  readonly #held = new Map<string, HeldResource>();
  /** Let go by the last `release`: what the server sends of these may have crossed it. */
  #released: ReadonlySet<string> = new Set();
  readonly #listeners = new Set<(change: DemandChange) => void>();
  readonly #toSubscribe = new Set<string>();
  readonly #toUnsubscribe = new Set<string>();
  #onRequest: () => void = () => undefined;

  /** Follows up to `max` names, besides pinned ones. */
  constructor(max: number = MAX_NAMES) {
    this.#max = max;
  }

  /** Resources that the server has sent, by name. */
  get held(): ReadonlyMap<string, HeldResource> {
    return this.#held;
  }

  /** Whether a name is followed for its own sake. */
  wants(name: string): boolean {
    return this.#names.has(name) || this.#pinned.has(name);
  }

  /** Asks for a name, unless that was done before; it counts as used. Whoever asks hears of the answer either way. */
  ask(name: string): void {
    const state = this.#names.get(name) ?? this.#pinned.get(name);
    if (state === undefined && !this.#hasRoom()) return;
    if (!this.#pinned.has(name)) this.#renew(name, state ?? 'asked');
    if (state === undefined) this.#subscribe(name);
    if (state === 'answered') this.#announce({ answered: [name], dropped: [] });
  }

  /** Names in use are dropped after others. */
  touch(names: Iterable<string>): void {
    for (const name of names) {
      const state = this.#names.get(name);
      if (state !== undefined) this.#renew(name, state);
    }
  }

  /** Follows a name until it is unpinned. */
  pin(name: string): void {
    if (this.#pinned.has(name)) return;
    const state = this.#names.get(name);
    this.#names.delete(name);
    this.#pinned.set(name, state ?? 'asked');
    if (state === undefined) this.#subscribe(name);
  }

  /** From now on the name is one that was used just now. */
  unpin(name: string): void {
    const state = this.#pinned.get(name);
    this.#pinned.delete(name);
    if (state !== undefined) this.#renew(name, state);
  }

  /** Resources that nobody wants any more: they are unsubscribed from. */
  release(names: readonly string[]): void {
    for (const name of names) {
      this.#held.delete(name);
      this.#unsubscribe(name);
    }
    this.#released = new Set(names);
  }

  onChange(listener: (change: DemandChange) => void): void {
    this.#listeners.add(listener);
  }

  /** Who sends requests: called when there is something for `takeRequest`. */
  set onRequest(listener: () => void) {
    this.#onRequest = listener;
  }

  /** What the first request of a stream claims: the versions held, and nothing of what else is asked for. */
  open(): Record<string, string> {
    this.#toSubscribe.clear();
    this.#toUnsubscribe.clear();
    const versions = new Map<string, string>();
    for (const name of [...this.#pinned.keys(), ...this.#names.keys()]) versions.set(name, '');
    for (const [name, { version }] of this.#held) versions.set(name, version);
    return Object.fromEntries(versions);
  }

  /** What has changed since the last request; null if nothing has. */
  takeRequest(): NameRequest | null {
    const subscribe = [...this.#toSubscribe];
    const unsubscribe = [...this.#toUnsubscribe];
    if (subscribe.length === 0 && unsubscribe.length === 0) return null;
    this.#toSubscribe.clear();
    this.#toUnsubscribe.clear();
    return { subscribe, unsubscribe };
  }

  /** To be called when a response is in force. What was refused in it is an answer too: no better one will come. */
  received(
    { resources, removed }: ResourceBatch,
    versions: ReadonlyMap<string, string>,
    refused: ReadonlySet<string>,
  ): void {
    const answered = new Set(removed);
    for (const name of removed) this.#held.delete(name);
    for (const { name, aliases = [] } of resources) {
      for (const each of [name, ...aliases]) answered.add(each);
      if (refused.has(name)) continue;
      this.#held.set(name, { version: versions.get(name) ?? '', aliases });
      if (this.#released.has(name)) this.#subscribe(name);
    }
    const settled = [...answered].filter((name) => this.#settle(name));
    if (settled.length > 0) this.#announce({ answered: settled, dropped: [] });
  }

  /** False if nobody has asked for it, or it was answered before. */
  #settle(name: string): boolean {
    for (const names of [this.#names, this.#pinned]) {
      if (names.get(name) !== 'asked') continue;
      names.set(name, 'answered');
      return true;
    }
    return false;
  }

  #hasRoom(): boolean {
    if (this.#names.size >= this.#max) this.#dropUnused();
    return this.#names.size < this.#max;
  }

  /** An eighth at a time, so that looking for what they leave behind is rare. */
  #dropUnused(): void {
    const dropped: string[] = [];
    const excess = Math.ceil(this.#max / 8);
    for (const [name, state] of this.#names) {
      if (dropped.length === excess) break;
      if (state === 'answered') dropped.push(name);
    }
    if (dropped.length === 0) return;
    for (const name of dropped) {
      this.#names.delete(name);
      // A resource by that name may be wanted by another one.
      if (!this.#held.has(name)) this.#unsubscribe(name);
    }
    this.#announce({ answered: [], dropped });
  }

  #renew(name: string, state: 'asked' | 'answered'): void {
    this.#names.delete(name);
    this.#names.set(name, state);
  }

  #subscribe(name: string): void {
    this.#toUnsubscribe.delete(name);
    this.#toSubscribe.add(name);
    this.#onRequest();
  }

  #unsubscribe(name: string): void {
    this.#toSubscribe.delete(name);
    this.#toUnsubscribe.add(name);
    this.#onRequest();
  }

  #announce(change: DemandChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
