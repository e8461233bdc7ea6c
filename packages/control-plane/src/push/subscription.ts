/**
 * One resource type on one delta stream (spec control-plane 3.4): what the proxy wants, and what it was sent.
 *
 *   first request ──► always answered in full ──► ACK / NACK / stale: silent
 *   change of names ──► answered with the newly named        push ──► only what changed
 *
 * Always: a change of names counts, whatever else the request says: it is said once, and may come along with an ACK of a
 * response that was overtaken, or with a NACK.
 *
 * A wildcard subscription never stores names: it keeps its place in the changes of the set that it is served from.
 */
import {
  type Acknowledgement,
  Acknowledgements,
  type Rejection,
  type SubscriptionStatus,
} from './acknowledgements.ts';
import { type NamedResources, type Reply, ResourcesByName } from './named-resources.ts';
import type { Difference, ServedReader, ServedSet } from './served-set.ts';

/** The parts of a DeltaDiscoveryRequest that decide. */
export interface SubscriptionRequest extends Acknowledgement {
  readonly resourceNamesSubscribe: readonly string[];
  readonly resourceNamesUnsubscribe: readonly string[];
  readonly initialResourceVersions: Readonly<Record<string, string>>;
}

/** What a request asks of the server, and what it says of the response before. */
export interface Reaction {
  /** Null for nothing. */
  readonly reply: ReplyScope | null;
  readonly rejection: Rejection | null;
}

/** What an answer is about. */
export type ReplyScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'names'; readonly names: readonly string[] };

const WILDCARD = '*';

export class Subscription {
  /** Null for everything. */
  readonly #named: NamedResources | null;
  #initialVersions: ReadonlyMap<string, string> | null;
  #served: { readonly set: ServedSet; readonly reader: ServedReader } | null = null;
  readonly #acknowledgements = new Acknowledgements();

  /**
   * Opens with the stream's first request for the type; what follows goes through `receive`. `named` says what names lead
   * to, if there are names.
   */
  constructor(
    first: SubscriptionRequest,
    named: () => NamedResources = () => new ResourcesByName(),
  ) {
    const { resourceNamesSubscribe, resourceNamesUnsubscribe, initialResourceVersions } = first;
    const versions = new Map(Object.entries(initialResourceVersions));
    const names = new Set([...resourceNamesSubscribe, ...versions.keys()]);
    for (const name of resourceNamesUnsubscribe) names.delete(name);
    // `*` subscribed and unsubscribed at once opens a stream on demand: names follow later.
    const isWildcard = names.has(WILDCARD) || resourceNamesSubscribe.length === 0;
    this.#named = isWildcard ? null : named();
    this.#named?.subscribe(names);
    this.#initialVersions = versions;
  }

  get status(): SubscriptionStatus {
    return this.#acknowledgements.status;
  }

  /** Whether what the proxy has missed is not known any more. */
  get isLost(): boolean {
    return this.#served?.reader.isLost ?? false;
  }

  /** Names that are kept for it. */
  get nameCount(): number {
    return this.#named?.size ?? 0;
  }

  /** False while a request still waits for an answer, because nothing is known. */
  get isAnswered(): boolean {
    return this.#initialVersions === null;
  }

  receive(request: SubscriptionRequest): Reaction {
    const rejection = this.#acknowledgements.receive(request);
    return { reply: this.#changeNames(request), rejection };
  }

  /** To be called when a request cannot be answered, because nothing is known: everything is due then. */
  postpone(): void {
    this.#initialVersions ??= new Map();
  }

  /** The answer to the first request, or to a change of names. */
  reply(scope: ReplyScope, current: ServedSet): Reply {
    const initial = this.#initialVersions;
    this.#initialVersions = null;
    const { removed } = this.#follow(current);
    if (this.#named !== null) {
      if (scope.kind === 'names') return this.#named.find(scope.names, current);
      return withoutKnown(this.#named.find('all', current), initial);
    }
    const unknown = [...(initial?.keys() ?? [])].filter((name) => !current.has(name));
    const reply = { resources: [...current.values()], removed: [...removed, ...unknown] };
    return withoutKnown(reply, initial);
  }

  /** What changed since the last response; null when that is nothing the proxy wants. */
  push(current: ServedSet): Reply | null {
    const change = this.#follow(current);
    const reply: Reply =
      this.#named === null
        ? { resources: change.changed, removed: change.removed }
        : this.#named.changes(change, current);
    return reply.resources.length === 0 && reply.removed.length === 0 ? null : reply;
  }

  /** To be called when the stream has ended. */
  close(): void {
    this.#served?.reader.close();
  }

  sent(nonce: string, { resources }: Reply): void {
    this.#acknowledgements.sent(nonce, resources);
  }

  /** What has changed since it was called last; of a set that is served instead of another, whatever differs. */
  #follow(current: ServedSet): Difference {
    const last = this.#served;
    if (last?.set === current) return last.reader.next();
    last?.reader.close();
    this.#served = { set: current, reader: current.follow() };
    const removed = [...(last?.set.values() ?? [])].map(({ name }) => name);
    return {
      changed: [...current.values()],
      removed: removed.filter((name) => !current.has(name)),
    };
  }

  #changeNames(request: SubscriptionRequest): ReplyScope | null {
    const { resourceNamesSubscribe, resourceNamesUnsubscribe } = request;
    if (resourceNamesSubscribe.length === 0 && resourceNamesUnsubscribe.length === 0) return null;
    if (this.#named === null) return { kind: 'all' };
    this.#named.unsubscribe(resourceNamesUnsubscribe);
    this.#named.subscribe(resourceNamesSubscribe);
    if (resourceNamesSubscribe.length === 0) return null;
    return { kind: 'names', names: resourceNamesSubscribe };
  }
}

/** A proxy that reconnects says which versions it holds; those are not sent again. */
function withoutKnown(reply: Reply, versions: ReadonlyMap<string, string> | null): Reply {
  if (versions === null || versions.size === 0) return reply;
  const resources = reply.resources.filter(({ name, version }) => versions.get(name) !== version);
  return { ...reply, resources };
}
