/** Gateways of class `istio`, and what is attached to them, as collections. */
import type { ListenerSet, ParentReference } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import type { Collection, Index } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import { type ClusterInputs, keyOf, objectKey } from '../../ingest/cluster-inputs.ts';
import { GATEWAY_CONTROLLER } from '../labels.ts';
import type { Installation } from '../mesh.ts';
import { labelsOf, namespaceOf } from '../object.ts';
import { type AnyRoute, attaching, ROUTE_KINDS, routeKind } from './any-route.ts';
import { type BackendTlsCollections, backendTlsCollections } from './backend-tls.ts';
import { type GatewayListener, listenerKey } from './gateway-listener.ts';
import { type GatewaySources, type ServedGateway, servedGateway } from './gateway-listeners.ts';
import { servicesOfGateway } from './gateway-services.ts';
import { grantLookup, type IsGranted } from './grants.ts';
import {
  type AttachedHost,
  attachedHosts,
  type Denial,
  denial,
  denialOf,
} from './route-attachments.ts';

/** A listener that took a route. */
export interface Attachment {
  readonly route: AnyRoute;
  /** `namespace/name` of the Gateway that serves it. */
  readonly gateway: string;
  readonly listener: GatewayListener;
  /** Empty where others have all of its names. */
  readonly hosts: readonly AttachedHost[];
}

/** What became of one reference to a Gateway or a ListenerSet. */
export interface GatewayParent {
  readonly parentRef: ParentReference;
  readonly attached: readonly Attachment[];
  /** Null if any listener took the route. */
  readonly denial: Denial | null;
}

export interface RouteParents {
  readonly route: AnyRoute;
  /** Those of Gateways that are served here; others are others' to speak of. */
  readonly parents: readonly GatewayParent[];
}

export interface GatewayApiCollections {
  /** By `namespace/name`. */
  readonly gateways: Collection<ServedGateway>;
  /** By kind and `namespace/name`. */
  readonly routeParents: Collection<RouteParents>;
  /** By `listenerKey`. */
  readonly attachments: Index<Attachment>;
  /** ListenerSets by the Gateway that is their parent. */
  readonly setsByGateway: Index<ListenerSet>;
  /** TLS towards backends. */
  readonly backendTls: BackendTlsCollections;
  grantsIn(context: Context): IsGranted;
}

export function gatewayApiCollections(
  graph: Graph,
  cluster: ClusterInputs,
  installation: Installation,
): GatewayApiCollections {
  const grantsIn = grantLookup(graph, cluster);
  const setsByGateway = graph.index('ListenerSets by Gateway', cluster.of('ListenerSet'), (set) => {
    const parent = gatewayOfSet(set);
    return parent === null ? [] : [parent];
  });
  const gateways = graph.map('served Gateways', cluster.of('Gateway'), (gateway, context, key) => {
    const classKey = objectKey('', gateway.spec.gatewayClassName);
    const found = context.get(cluster.of('GatewayClass'), classKey);
    if (found?.spec.controllerName !== GATEWAY_CONTROLLER) return null;
    const services = servicesOfGateway(gateway, GATEWAY_CONTROLLER, installation);
    return servedGateway(gateway, services, {
      sets: context.lookup(setsByGateway, key),
      namespaceLabels: namespaceLabels(cluster, context),
      secret: (namespace, name) => context.get(cluster.of('Secret'), objectKey(namespace, name)),
      configMap: (namespace, name) =>
        context.get(cluster.of('RootConfigMap'), objectKey(namespace, name)),
      isGranted: grantsIn(context),
    });
  });
  const routeParents = graph.union(
    'parents of routes',
    ...ROUTE_KINDS.map((kind) =>
      graph.flatMap(
        `parents of each ${kind}`,
        cluster.of(kind) as Collection<AnyRoute>,
        (route, context): readonly (readonly [string, RouteParents])[] => [
          [
            `${routeKind(route)}/${keyOf(route)}`,
            { route, parents: parentsIn(route, { cluster, gateways }, context) },
          ],
        ],
      ),
    ),
  );
  const each = graph.flatMap('attachments', routeParents, ({ parents }, _context, key) => {
    const all = parents.flatMap(({ attached }) => attached);
    // A route may name one listener twice.
    const byListener = new Map(all.map((made) => [listenerKey(made.listener), made]));
    return Array.from(byListener, ([listener, made]) => [`${key} ${listener}`, made] as const);
  });
  const attachments = graph.index('attachments by listener', each, ({ listener }) => [
    listenerKey(listener),
  ]);
  const backendTls = backendTlsCollections(graph, cluster);
  return { gateways, routeParents, attachments, setsByGateway, backendTls, grantsIn };
}

const GATEWAY_GROUP = 'gateway.networking.k8s.io';

/** Null for a parent of another kind. */
export function gatewayOfSet(set: ListenerSet): string | null {
  const { group = GATEWAY_GROUP, kind = 'Gateway', name } = set.spec.parentRef;
  const { namespace = namespaceOf(set) } = set.spec.parentRef;
  return group === GATEWAY_GROUP && kind === 'Gateway' ? objectKey(namespace, name) : null;
}

/** With the name of the namespace, also where the API server did not add it. */
function namespaceLabels(
  cluster: ClusterInputs,
  context: Context,
): GatewaySources['namespaceLabels'] {
  return (namespace) => ({
    'kubernetes.io/metadata.name': namespace,
    ...labelsOf(context.get(cluster.of('Namespace'), objectKey('', namespace))),
  });
}

interface ParentSources {
  readonly cluster: ClusterInputs;
  readonly gateways: Collection<ServedGateway>;
}

function parentsIn(route: AnyRoute, sources: ParentSources, context: Context): GatewayParent[] {
  return (route.spec?.parentRefs ?? []).flatMap((parentRef) => {
    const found = gatewayOfParent(parentRef, route, sources, context);
    if (found === null) return [];
    const { key, gateway, listed } = found;
    const labels = namespaceLabels(sources.cluster, context);
    const said = listed.map((listener) => denial(attaching(route), parentRef, listener, labels));
    const attached = listed
      .filter((_, index) => said[index] === null)
      .map((listener): Attachment => {
        const hosts = attachedHosts(attaching(route), listener, gateway.listeners);
        return { route, gateway: key, listener, hosts };
      });
    const denials = said.filter((one) => one !== null);
    const refused = listed.length === 0 ? NO_LISTENERS : denialOf(denials);
    return [{ parentRef, attached, denial: attached.length > 0 ? null : refused }];
  });
}

const NO_LISTENERS: Denial = {
  reason: 'NoMatchingParent',
  message: 'the parent has no listeners that are accepted',
};

interface FoundParent {
  readonly key: string;
  readonly gateway: ServedGateway;
  /** Of the parent itself: a Gateway's do not count at its ListenerSets, nor theirs at it. */
  readonly listed: readonly GatewayListener[];
}

/** Null for what is no Gateway that is served here. */
function gatewayOfParent(
  parent: ParentReference,
  route: AnyRoute,
  sources: ParentSources,
  context: Context,
): FoundParent | null {
  const { kind = 'Gateway', name } = parent;
  const namespace = parent.namespace ?? namespaceOf(route);
  const key = gatewayKey(parent, objectKey(namespace, name), sources, context);
  const gateway = key === null ? undefined : context.get(sources.gateways, key);
  if (key === null || gateway === undefined) return null;
  const listed = gateway.listeners.filter(
    ({ owner }) => owner.kind === kind && owner.namespace === namespace && owner.name === name,
  );
  return { key, gateway, listed };
}

/** Of the Gateway that serves the parent, which `own` is the key of. */
function gatewayKey(
  { group = GATEWAY_GROUP, kind = 'Gateway' }: ParentReference,
  own: string,
  { cluster }: ParentSources,
  context: Context,
): string | null {
  if (group !== GATEWAY_GROUP) return null;
  if (kind === 'Gateway') return own;
  const set = kind === 'ListenerSet' ? context.get(cluster.of('ListenerSet'), own) : undefined;
  return set === undefined ? null : gatewayOfSet(set);
}
