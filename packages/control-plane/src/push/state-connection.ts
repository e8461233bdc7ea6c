/**
 * One state-of-the-world ADS stream (xDS protocol, "Basic Protocol Overview"): each response says all that a type holds for
 * the proxy, so that what is not in it is gone; of types that are asked for by name, what has changed is enough.
 */
import { CLUSTER_TYPE, LISTENER_TYPE } from '@aquifer/wire';
import {
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { create } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Resource } from '../derive/resource.ts';
import { Acknowledgements, type Rejection, type SubscriptionStatus } from './acknowledgements.ts';
import type { NamedAny } from './debug-request.ts';
import { CONTROL_PLANE_IDENTIFIER, ProxyConnection } from './proxy-connection.ts';
import type { ResourceSet, ServedReader } from './served-set.ts';
import { bytesFor } from './stock-envoy.ts';

export type StateStream = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;

const WILDCARD = '*';
/** Responses of these say everything, always. */
const FULL_STATE: readonly string[] = [CLUSTER_TYPE, LISTENER_TYPE];

/** What a request asks of the server, and what it says of the response before. */
interface Reaction {
  readonly isReplyWanted: boolean;
  readonly rejection: Rejection | null;
}

const OVERTAKEN: Reaction = { isReplyWanted: false, rejection: null };

/** One resource type on one stream: what the proxy wants, and what it was sent. */
class StateSubscription {
  readonly #isFullState: boolean;
  /** Null for everything. */
  #names: ReadonlySet<string> | null;
  #served: { readonly set: ResourceSet; readonly reader: ServedReader } | null = null;
  readonly #acknowledgements = new Acknowledgements();

  constructor(typeUrl: string, names: readonly string[]) {
    this.#isFullState = FULL_STATE.includes(typeUrl);
    this.#names = wanted(names);
  }

  get status(): SubscriptionStatus {
    return this.#acknowledgements.status;
  }

  get isLost(): boolean {
    return this.#served?.reader.isLost ?? false;
  }

  get nameCount(): number {
    return this.#names?.size ?? 0;
  }

  close(): void {
    this.#served?.reader.close();
  }

  /** To be called when a request cannot be answered, because nothing is known: everything is due then. */
  postpone(): void {
    this.close();
    this.#served = null;
  }

  /** A request that answers an overtaken response is repeated by the proxy; a NACK says what is wanted, too. */
  receive(request: DiscoveryRequest): Reaction {
    if (this.#acknowledgements.isOvertaken(request)) return OVERTAKEN;
    const rejection = this.#acknowledgements.receive(request);
    const before = this.#names;
    this.#names = wanted(request.resourceNames, before);
    return { isReplyWanted: !isSubset(this.#names, before), rejection };
  }

  /** Everything that is wanted. */
  all(current: ResourceSet): Resource[] {
    this.#follow(current);
    return [...current.values()].filter(({ name }) => this.#wants(name));
  }

  /** What to send after a change; null if the proxy does not want any of it. */
  changed(current: ResourceSet): Resource[] | null {
    if (this.#served?.set !== current) return this.all(current);
    const { changed, removed } = this.#served.reader.next();
    const found = changed.filter(({ name }) => this.#wants(name));
    const isGone = removed.some((name) => this.#wants(name));
    if (found.length === 0 && !isGone) return null;
    return this.#isFullState || this.#names === null ? this.all(current) : found;
  }

  sent(nonce: string, resources: readonly Resource[]): void {
    this.#acknowledgements.sent(nonce, resources);
  }

  #wants(name: string): boolean {
    return this.#names === null || this.#names.has(name);
  }

  #follow(current: ResourceSet): void {
    if (this.#served?.set === current) {
      this.#served.reader.next();
      return;
    }
    this.#served?.reader.close();
    this.#served = { set: current, reader: current.follow() };
  }
}

/** No names at all are everything on a stream that has not named any yet, and nothing afterwards. */
function wanted(
  names: readonly string[],
  before: ReadonlySet<string> | null = null,
): ReadonlySet<string> | null {
  if (names.includes(WILDCARD)) return null;
  return names.length === 0 && before === null ? null : new Set(names);
}

function isSubset(names: ReadonlySet<string> | null, of: ReadonlySet<string> | null): boolean {
  if (of === null) return true;
  return names !== null && [...names].every((name) => of.has(name));
}

export class StateConnection extends ProxyConnection<
  StateSubscription,
  DiscoveryRequest,
  DiscoveryResponse
> {
  receive(request: DiscoveryRequest): void {
    const { typeUrl } = request;
    const known = this.subscriptions.get(typeUrl);
    if (known === undefined) {
      const opened = new StateSubscription(typeUrl, request.resourceNames);
      this.subscriptions.set(typeUrl, opened);
      this.#answer(typeUrl, opened);
      return;
    }
    const { isReplyWanted, rejection } = known.receive(request);
    if (rejection !== null) this.noteRejection(typeUrl, rejection);
    if (isReplyWanted) this.#answer(typeUrl, known);
  }

  protected override change(
    typeUrl: string,
    subscription: StateSubscription,
    resources: ResourceSet,
  ): (() => void) | null {
    const changed = subscription.changed(resources);
    return changed && (() => this.#send(typeUrl, subscription, changed));
  }

  #answer(typeUrl: string, subscription: StateSubscription): void {
    const resources = this.resources(typeUrl);
    if (resources === null) subscription.postpone();
    else this.#send(typeUrl, subscription, subscription.all(resources));
  }

  protected override respond(typeUrl: string, answer: readonly NamedAny[]): void {
    const resources = answer.map(({ any }) => any);
    this.send(typeUrl, resources.length, (nonce) => stateResponse(typeUrl, nonce, resources));
  }

  #send(typeUrl: string, subscription: StateSubscription, resources: readonly Resource[]): void {
    this.send(typeUrl, resources.length, (nonce) => {
      subscription.sent(nonce, resources);
      const values = resources.map((resource) =>
        create(AnySchema, { typeUrl, value: bytesFor(this.proxy, typeUrl, resource) }),
      );
      return stateResponse(typeUrl, nonce, values);
    });
  }
}

function stateResponse(typeUrl: string, nonce: string, resources: Any[]): DiscoveryResponse {
  return create(DiscoveryResponseSchema, {
    typeUrl,
    nonce,
    versionInfo: nonce,
    resources,
    controlPlane: { identifier: CONTROL_PLANE_IDENTIFIER },
  });
}
