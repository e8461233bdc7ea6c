/** One delta ADS stream: answers requests, pushes changes (spec control-plane 3.4). */
import { ADDRESS_TYPE } from '@aquifer/wire';
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { create } from '@bufbuild/protobuf';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { AddressesOnDemand } from './addresses-on-demand.ts';
import { type NamedResources, type Reply, ResourcesByName } from './named-resources.ts';
import { CONTROL_PLANE_IDENTIFIER, ProxyConnection } from './proxy-connection.ts';
import type { ResourceSet } from './served-set.ts';
import { type ReplyScope, Subscription } from './subscription.ts';

export type DeltaStream = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

export class DeltaConnection extends ProxyConnection<
  Subscription,
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse
> {
  receive(request: DeltaDiscoveryRequest): void {
    const { typeUrl } = request;
    const known = this.subscriptions.get(typeUrl);
    if (known === undefined) {
      const opened = new Subscription(request, () => this.#named(typeUrl));
      this.subscriptions.set(typeUrl, opened);
      this.#answer(typeUrl, opened, { kind: 'all' });
      return;
    }
    const { reply, rejection } = known.receive(request);
    if (rejection !== null) this.noteRejection(typeUrl, rejection);
    if (reply !== null) this.#answer(typeUrl, known, reply);
  }

  protected override change(
    typeUrl: string,
    subscription: Subscription,
    resources: ResourceSet,
  ): (() => void) | null {
    const reply = subscription.isAnswered
      ? subscription.push(resources)
      : subscription.reply({ kind: 'all' }, resources);
    return reply && (() => this.#send(typeUrl, subscription, reply));
  }

  #answer(typeUrl: string, subscription: Subscription, to: ReplyScope): void {
    const resources = this.resources(typeUrl);
    if (resources === null) subscription.postpone();
    else this.#send(typeUrl, subscription, subscription.reply(to, resources));
  }

  #named(typeUrl: string): NamedResources {
    return typeUrl === ADDRESS_TYPE
      ? new AddressesOnDemand(this.deps.addresses, this.proxy.nodeName)
      : new ResourcesByName();
  }

  #send(typeUrl: string, subscription: Subscription, reply: Reply): void {
    this.send(typeUrl, reply.resources.length, (nonce) => {
      subscription.sent(nonce, reply, new Date());
      return create(DeltaDiscoveryResponseSchema, {
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
    });
  }
}
