/** One delta ADS stream of one proxy: answers requests, pushes changes, waits when the proxy reads slowly. */
import { randomUUID } from 'node:crypto';
import type { Logger } from '@aquifer/runtime';
import { ADDRESS_TYPE } from '@aquifer/wire';
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { create } from '@bufbuild/protobuf';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { AddressIndex } from './address-index.ts';
import { AddressesOnDemand } from './addresses-on-demand.ts';
import { GENERATORS, NO_RESOURCES, type ResourceGenerator } from './generators.ts';
import { type NamedResources, type Reply, ResourcesByName } from './named-resources.ts';
import type { ConnectedProxy } from './proxy.ts';
import type { Published } from './publisher.ts';
import type { PushMetrics } from './push-metrics.ts';
import type { ServedSet } from './served-set.ts';
import { type ReplyScope, Subscription, type SubscriptionStatus } from './subscription.ts';

export type DeltaStream = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

export interface ConnectionDeps {
  readonly log: Logger;
  readonly metrics: PushMetrics;
  readonly published: () => Published;
  /** Of the workloads and services that are served. */
  readonly addresses: AddressIndex;
}

const GENERATOR_BY_TYPE: ReadonlyMap<string, ResourceGenerator> = new Map(
  GENERATORS.map((generator) => [generator.typeUrl, generator]),
);

export class DeltaConnection {
  readonly proxy: ConnectedProxy;
  readonly connectedAt: Date = new Date();
  readonly #stream: DeltaStream;
  readonly #deps: ConnectionDeps;
  readonly #subscriptions = new Map<string, Subscription>();
  #isBlocked = false;

  constructor(stream: DeltaStream, proxy: ConnectedProxy, deps: ConnectionDeps) {
    this.#stream = stream;
    this.proxy = proxy;
    this.#deps = deps;
    // While the proxy reads slowly, newer changes replace older ones unsent, and its requests wait.
    stream.on('drain', () => {
      this.#isBlocked = false;
      this.push();
      if (!this.#isBlocked) stream.resume();
    });
  }

  /** State of each subscribed type, for the admin pages. */
  get statuses(): ReadonlyMap<string, SubscriptionStatus> {
    return new Map([...this.#subscriptions].map(([type, { status }]) => [type, status]));
  }

  receive(request: DeltaDiscoveryRequest): void {
    const { typeUrl } = request;
    const known = this.#subscriptions.get(typeUrl);
    if (known === undefined) {
      const opened = new Subscription(request, () => this.#named(typeUrl));
      this.#subscriptions.set(typeUrl, opened);
      this.#answer(typeUrl, opened, { kind: 'all' });
      return;
    }
    const reaction = known.receive(request);
    switch (reaction.kind) {
      case 'reply':
        this.#answer(typeUrl, known, reaction.to);
        return;
      case 'nacked':
        this.#deps.metrics.rejected(typeUrl);
        this.#deps.log.warn('proxy rejected configuration', {
          proxy: this.proxy.id,
          type: typeUrl,
          resources: reaction.resources.join(','),
          error: reaction.error,
        });
        return;
      case 'acked':
      case 'stale':
        return;
    }
  }

  /** Ends the stream without an error: the proxy connects again, perhaps to another replica. */
  close(): void {
    this.#stream.end();
  }

  /** To be called when the stream has ended, whoever ended it. */
  end(): void {
    for (const subscription of this.#subscriptions.values()) subscription.close();
  }

  /** Sends what has changed, type by type in push order. Never throws: other types and proxies go on. */
  push(): void {
    for (const { typeUrl } of GENERATORS) {
      const subscription = this.#subscriptions.get(typeUrl);
      if (subscription === undefined || this.#isBlocked) continue;
      try {
        this.#pushType(typeUrl, subscription);
      } catch (error) {
        const { message } = error as Error;
        this.#deps.log.error('push failed', {
          proxy: this.proxy.id,
          type: typeUrl,
          error: message,
        });
      }
    }
  }

  #answer(typeUrl: string, subscription: Subscription, to: ReplyScope): void {
    const resources = this.#resources(typeUrl);
    if (resources !== null) this.#send(typeUrl, subscription, subscription.reply(to, resources));
  }

  #pushType(typeUrl: string, subscription: Subscription): void {
    const resources = this.#resources(typeUrl);
    if (resources === null) return;
    if (!subscription.isAnswered) {
      this.#send(typeUrl, subscription, subscription.reply({ kind: 'all' }, resources));
      return;
    }
    const reply = subscription.push(resources);
    if (reply !== null) this.#send(typeUrl, subscription, reply);
  }

  #named(typeUrl: string): NamedResources {
    return typeUrl === ADDRESS_TYPE
      ? new AddressesOnDemand(this.#deps.addresses, this.proxy.nodeName)
      : new ResourcesByName();
  }

  /** Types that nobody generates have no resources: the proxy gets an empty answer and can go on. */
  #resources(typeUrl: string): ServedSet | null {
    const generator = GENERATOR_BY_TYPE.get(typeUrl);
    if (generator === undefined) return NO_RESOURCES;
    return generator.generate(this.proxy, this.#deps.published());
  }

  #send(typeUrl: string, subscription: Subscription, reply: Reply): void {
    const nonce = randomUUID();
    subscription.sent(nonce, reply, new Date());
    const response = create(DeltaDiscoveryResponseSchema, {
      typeUrl,
      nonce,
      systemVersionInfo: nonce,
      resources: reply.resources.map((resource) => ({
        name: resource.name,
        version: resource.version,
        resource: { typeUrl, value: resource.bytes },
        aliases: [...(reply.aliasesOf?.(resource) ?? [])],
      })),
      removedResources: [...reply.removed],
      controlPlane: { identifier: CONTROL_PLANE_IDENTIFIER },
    });
    this.#deps.metrics.pushed(typeUrl, reply.resources.length);
    if (this.#stream.write(response)) return;
    this.#isBlocked = true;
    this.#stream.pause();
  }
}

/** JSON, as istioctl reads it. */
const CONTROL_PLANE_IDENTIFIER = JSON.stringify({
  Component: 'istiod',
  Info: { product: 'aquifer' },
});
