/** One discovery stream of one proxy, whichever protocol it speaks. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from '@aquifer/runtime';
import type { Rejection, SubscriptionStatus } from './acknowledgements.ts';
import type { AddressIndex } from './address-index.ts';
import type { AnswerDebug, DebugRequest, NamedAny } from './debug-request.ts';
import { GENERATORS, NO_RESOURCES, type ResourceGenerator } from './generators.ts';
import type { ConnectedProxy } from './proxy.ts';
import type { Published } from './publisher.ts';
import type { PushMetrics } from './push-metrics.ts';
import type { ServedSet } from './served-set.ts';

export interface ConnectionDeps {
  readonly log: Logger;
  readonly metrics: PushMetrics;
  readonly published: () => Published;
  /** Of the workloads and services that are served. */
  readonly addresses: AddressIndex;
  readonly answerDebug: AnswerDebug;
  /** Ends the stream, because the proxy reads too slowly to be served. */
  readonly abandon: () => void;
}

/** The parts of a gRPC stream that a connection uses. */
interface ResponseStream<Response> {
  write(response: Response): boolean;
  pause(): unknown;
  resume(): unknown;
  end(): unknown;
  on(event: 'drain', listener: () => void): unknown;
}

const GENERATOR_BY_TYPE: ReadonlyMap<string, ResourceGenerator> = new Map(
  GENERATORS.map((generator) => [generator.typeUrl, generator]),
);

/** What every subscription to a type has. */
interface AnySubscription {
  readonly status: SubscriptionStatus;
  /** Whether what the proxy has missed is not known any more. */
  readonly isLost: boolean;
  /** Names that are kept for it. */
  readonly nameCount: number;
  close(): void;
}

export abstract class ProxyConnection<Subscription extends AnySubscription, Request, Response> {
  readonly proxy: ConnectedProxy;
  readonly connectedAt: Date = new Date();
  protected readonly deps: ConnectionDeps;
  protected readonly subscriptions: Map<string, Subscription> = new Map();
  readonly #stream: ResponseStream<Response>;
  #isBlocked = false;

  constructor(stream: ResponseStream<Response>, proxy: ConnectedProxy, deps: ConnectionDeps) {
    this.#stream = stream;
    this.proxy = proxy;
    this.deps = deps;
    // While the proxy reads slowly, newer changes replace older ones unsent, and its requests wait.
    stream.on('drain', () => {
      this.#isBlocked = false;
      this.push();
      if (!this.#isBlocked) stream.resume();
    });
  }

  abstract receive(request: Request): void;

  /** What a push has for a subscription; null for nothing. */
  protected abstract change(
    typeUrl: string,
    subscription: Subscription,
    resources: ServedSet,
  ): (() => void) | null;

  /** Sends what belongs to no subscription. */
  protected abstract respond(typeUrl: string, answer: readonly NamedAny[]): void;

  /** Answers a request for the control plane's own state; throws a Refusal. An acknowledgement wants no answer. */
  debug(request: DebugRequest & { readonly responseNonce: string }): void {
    if (request.responseNonce !== '') return;
    this.respond(request.typeUrl, this.deps.answerDebug(request));
  }

  /** State of each subscribed type, for the admin pages. */
  get statuses(): ReadonlyMap<string, SubscriptionStatus> {
    return new Map([...this.subscriptions].map(([type, { status }]) => [type, status]));
  }

  /** Types and names that are kept for the proxy. */
  get nameCount(): number {
    let count = this.subscriptions.size;
    for (const { nameCount } of this.subscriptions.values()) count += nameCount;
    return count;
  }

  /** Ends the stream without an error: the proxy connects again, perhaps to another replica. */
  close(): void {
    this.#stream.end();
  }

  /** To be called when the stream has ended, whoever ended it. */
  end(): void {
    for (const subscription of this.subscriptions.values()) subscription.close();
  }

  /** Sends what has changed, type by type in push order. Never throws: other types and proxies go on. */
  push(): void {
    if (this.subscriptions.values().some(({ isLost }) => isLost)) {
      this.deps.abandon();
      return;
    }
    for (const { typeUrl } of GENERATORS) {
      const subscription = this.subscriptions.get(typeUrl);
      if (subscription === undefined || this.#isBlocked) continue;
      try {
        const resources = this.resources(typeUrl);
        if (resources !== null) this.change(typeUrl, subscription, resources)?.();
      } catch (error) {
        const { message } = error as Error;
        this.deps.log.error('push failed', { proxy: this.proxy.id, type: typeUrl, error: message });
      }
    }
  }

  /**
   * What the type holds for the proxy, null while nothing is known about it. Types that nobody generates have no
   * resources: the proxy gets an empty answer and can go on.
   */
  resources(typeUrl: string): ServedSet | null {
    const generator = GENERATOR_BY_TYPE.get(typeUrl);
    if (generator === undefined) return NO_RESOURCES;
    return generator.generate(this.proxy, this.deps.published());
  }

  protected noteRejection(typeUrl: string, { error, resources }: Rejection): void {
    this.deps.metrics.rejected(typeUrl);
    this.deps.log.warn('proxy rejected configuration', {
      proxy: this.proxy.id,
      type: typeUrl,
      resources: resources.join(','),
      error,
    });
  }

  /** `make` gets the response's nonce. */
  protected send(typeUrl: string, count: number, make: (nonce: string) => Response): void {
    const response = make(randomUUID());
    this.deps.metrics.pushed(typeUrl, count);
    if (this.#stream.write(response)) return;
    this.#isBlocked = true;
    this.#stream.pause();
  }
}

/** JSON, as istioctl reads it; a pod's hostname is its name. */
export const CONTROL_PLANE_IDENTIFIER: string = JSON.stringify({
  Component: 'istiod',
  ID: hostname(),
  Info: { product: 'aquifer' },
});
