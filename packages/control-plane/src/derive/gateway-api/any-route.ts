/** Routes of the Gateway API of whichever kind, as far as they are alike. */
import type { TCPRoute, TLSRoute } from '@aquifer/model/resources';
import { namespaceOf } from '../object.ts';
import {
  type BackendRef,
  gatewayRules,
  isServiceBackend,
  type Route,
} from '../routing/gateway-route.ts';
import type { RouteKindName } from './gateway-listener.ts';
import type { IsGranted } from './grants.ts';
import type { AttachingRoute } from './route-attachments.ts';

/** Those that lead connections on as they are. */
export type RawRoute = TCPRoute | TLSRoute;
export type AnyRoute = Route | RawRoute;

export const ROUTE_KINDS: readonly RouteKindName[] = [
  'HTTPRoute',
  'GRPCRoute',
  'TCPRoute',
  'TLSRoute',
];

/** Lists leave the kind out of their items; whatever reads them puts it back. */
export function routeKind({ kind }: AnyRoute): RouteKindName {
  return kind as RouteKindName;
}

export function isRaw(route: AnyRoute): route is RawRoute {
  return route.kind === 'TCPRoute' || route.kind === 'TLSRoute';
}

/** As listeners look at it. */
export function attaching(route: AnyRoute): AttachingRoute {
  const { hostnames = [] } = (route.spec ?? {}) as { readonly hostnames?: readonly string[] };
  return { kind: routeKind(route), namespace: namespaceOf(route), hostnames };
}

/** What a rule leads to, but for what gets nothing. */
export interface LeadingRule {
  readonly backends: readonly BackendRef[];
  /** That get copies. */
  readonly mirrors: readonly BackendRef[];
}

export function leadingRules(route: AnyRoute): readonly LeadingRule[] {
  if (isRaw(route)) {
    return route.spec.rules.map(({ backendRefs }) => {
      return { backends: receiving(backendRefs as readonly BackendRef[]), mirrors: [] };
    });
  }
  return gatewayRules(route).map(({ backends, filters }) => ({
    backends: receiving(backends),
    mirrors: filters.flatMap(({ requestMirror }) => requestMirror?.backendRef ?? []),
  }));
}

/** A backend that gets no requests is not looked at. */
export function receiving(backends: readonly BackendRef[]): BackendRef[] {
  return backends.filter(({ weight = 1 }) => weight > 0);
}

/** Whether a route may lead to the backend: to a Service of another namespace with a grant only. */
export function isPermitted(
  route: AnyRoute,
  { group, kind, namespace = namespaceOf(route), name }: BackendRef,
  isGranted: IsGranted,
): boolean {
  if (!isServiceBackend({ group, kind }) || kind === 'Hostname') return true;
  const from = { kind: routeKind(route), namespace: namespaceOf(route) };
  return isGranted(from, { kind: 'Service', namespace, name });
}
