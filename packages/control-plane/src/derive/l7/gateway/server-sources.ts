/** Gateways of either API as servers: those of Istio's own kind are chosen by labels, those of the Gateway API by Services. */
import type { IstioGateway, ObjectMeta } from '@aquifer/model/resources';
import type { ObjectRef } from '../../../ingest/kinds.ts';
import {
  type GatewayListener,
  isServed,
  listenerName,
} from '../../gateway-api/gateway-listener.ts';
import type { ServedGateway } from '../../gateway-api/gateway-listeners.ts';
import { refTo } from '../../object.ts';

export type ServerSpec = NonNullable<NonNullable<IstioGateway['spec']>['servers']>[number];

/** What says where requests of a server go. */
export type RuledBy = 'VirtualServices' | 'routes';

/** Which proxies serve it: those with all of the labels, or those behind one of the Services. */
type ChosenBy =
  | { readonly kind: 'labels'; readonly labels: Readonly<Record<string, string>> }
  | { readonly kind: 'services'; readonly hostnames: readonly string[] };

export interface ServerSource {
  /** Its name is part of the names of route tables. */
  readonly metadata: ObjectMeta;
  /** What somebody wrote. */
  readonly source: ObjectRef;
  readonly ruledBy: RuledBy;
  readonly chosenBy: ChosenBy;
  readonly servers: readonly ServerSpec[];
}

export function sourceOfIstio(gateway: IstioGateway): ServerSource {
  const { selector = {}, servers = [] } = gateway.spec ?? {};
  return {
    metadata: gateway.metadata,
    source: refTo(gateway),
    ruledBy: 'VirtualServices',
    chosenBy: { kind: 'labels', labels: selector },
    servers,
  };
}

/** One for each listener, as Istio makes one Gateway of each. */
export function sourcesOfListeners({
  source,
  services,
  listeners,
}: ServedGateway): readonly ServerSource[] {
  return listeners.filter(isServed).map((listener) => {
    const { namespace, createdAt } = listener.owner;
    const name = listenerName(listener).slice(namespace.length + 1);
    return {
      metadata: { namespace, name, ...(createdAt !== '' && { creationTimestamp: createdAt }) },
      source: listener.owner.kind === 'Gateway' ? source : ownerOf(listener),
      ruledBy: 'routes',
      chosenBy: { kind: 'services', hostnames: services },
      servers: [serverOf(listener)],
    };
  });
}

function ownerOf({ owner: { kind, namespace, name } }: GatewayListener): ObjectRef {
  return { kind, namespace, name };
}

function serverOf({ port, protocol, hostname, tls }: GatewayListener): ServerSpec {
  return {
    port: { name: 'default', number: port, protocol },
    hosts: [hostname || '*'],
    ...(tls !== null && { tls }),
  };
}
