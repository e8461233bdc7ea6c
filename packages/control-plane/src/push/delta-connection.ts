/** One delta ADS stream: answers requests, pushes changes (spec control-plane 3.4). */
import { ADDRESS_TYPE } from '@aquifer/wire';
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  type ResourceSchema,
} from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { AddressesOnDemand } from './addresses-on-demand.ts';
import type { NamedAny } from './debug-request.ts';
import { type NamedResources, type Reply, ResourcesByName } from './named-resources.ts';
import { CONTROL_PLANE_IDENTIFIER, ProxyConnection } from './proxy-connection.ts';
import type { ResourceSet } from './served-set.ts';
import { bytesFor } from './stock-envoy.ts';
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

  protected override respond(typeUrl: string, answer: readonly NamedAny[]): void {
    const resources = answer.map(({ name, any }) => ({ name, resource: any }));
    this.send(typeUrl, answer.length, (nonce) => deltaResponse(typeUrl, nonce, { resources }));
  }

  #send(typeUrl: string, subscription: Subscription, reply: Reply): void {
    this.send(typeUrl, reply.resources.length, (nonce) => {
      subscription.sent(nonce, reply);
      const resources = reply.resources.map((resource) => ({
        name: resource.name,
        version: resource.version,
        resource: { typeUrl, value: bytesFor(this.proxy, typeUrl, resource) },
        aliases: [...(reply.aliasesOf?.(resource) ?? [])],
      }));
      const removedResources = [...reply.removed];
      return deltaResponse(typeUrl, nonce, { resources, removedResources });
    });
  }
}

function deltaResponse(
  typeUrl: string,
  nonce: string,
  content: {
    readonly resources: MessageInitShape<typeof ResourceSchema>[];
    readonly removedResources?: string[];
  },
): DeltaDiscoveryResponse {
  return create(DeltaDiscoveryResponseSchema, {
    ...content,
    typeUrl,
    nonce,
    systemVersionInfo: nonce,
    controlPlane: { identifier: CONTROL_PLANE_IDENTIFIER },
  });
}
