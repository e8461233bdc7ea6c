/** The rules of routes of the Gateway API, whichever of its kinds; `gateway-rules.ts` makes the mesh's own of them. */
import type {
  GRPCRoute,
  HTTPRoute,
  HTTPRouteFilter,
  HTTPRouteMatch,
  HTTPRouteRule,
  ParentReference,
} from '@aquifer/model/resources';
import { type LabelledObject, nameOf, namespaceOf } from '../object.ts';
import { quoteRegex } from './regex.ts';

/** The kinds that route requests. */
export type Route = HTTPRoute | GRPCRoute;
export type RouteKind = 'HTTPRoute' | 'GRPCRoute';

/** A GRPCRoute has some of the types of an HTTPRoute. */
export type RouteFilter = HTTPRouteFilter;
export type BackendRef = NonNullable<HTTPRouteRule['backendRefs']>[number];
type ValueMatch = NonNullable<HTTPRouteMatch['headers']>[number];

/** A trailing slash of a prefix means nothing and is gone. */
export interface GatewayPath {
  readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression';
  readonly value: string;
}

export interface GatewayMatch {
  /** Null says nothing of the path, which ranks below every path. */
  readonly path: GatewayPath | null;
  readonly method: string | null;
  readonly headers: readonly ValueMatch[];
  readonly queryParams: readonly ValueMatch[];
}

export interface GatewayRule {
  /** Its own, else `<namespace>.<route>.<index>`. */
  readonly name: string;
  /** At least one; the rule holds for requests that any of them takes. */
  readonly matches: readonly GatewayMatch[];
  readonly filters: readonly RouteFilter[];
  readonly backends: readonly BackendRef[];
  readonly timeouts: NonNullable<HTTPRouteRule['timeouts']>;
  /** Undefined: as the mesh does without being asked. */
  readonly retry: HTTPRouteRule['retry'];
}

export function kindOf(route: Route): RouteKind {
  return isGrpc(route) ? 'GRPCRoute' : 'HTTPRoute';
}

function isGrpc(route: Route): route is GRPCRoute {
  return route.kind === 'GRPCRoute';
}

/** The kinds of parents that are services of the mesh, and the groups they are of. */
const SERVICE_GROUPS: Readonly<Record<string, string>> = {
  Service: '',
  ServiceEntry: 'networking.istio.io',
};

/** The parts that routes of every kind have. */
export interface AttachedObject extends LabelledObject {
  readonly spec?: { readonly parentRefs?: readonly ParentReference[] | undefined } | undefined;
}

/** The parents that are services of the mesh. */
export function parentsOf(route: AttachedObject): ParentReference[] {
  return (route.spec?.parentRefs ?? []).filter(
    ({ group = 'gateway.networking.k8s.io', kind = 'Gateway' }) => SERVICE_GROUPS[kind] === group,
  );
}

/** Whether it can be a service of the mesh: a Service, or a host of any, as Istio's kind Hostname names it. */
export function isServiceBackend({
  group = '',
  kind = 'Service',
}: Pick<BackendRef, 'group' | 'kind'>): boolean {
  return kind === 'Hostname' ? group === 'networking.istio.io' : group === '' && kind === 'Service';
}

const rulesByRoute = new WeakMap<Route, readonly GatewayRule[]>();

/**
 * In the order of the route. Without any, a GRPCRoute asks for nothing, an HTTPRoute for one that fails everything.
 * Routes of a cluster state never change, so each is read once.
 */
export function gatewayRules(route: Route): readonly GatewayRule[] {
  const known = rulesByRoute.get(route);
  if (known !== undefined) return known;
  const rules = readRules(route);
  rulesByRoute.set(route, rules);
  return rules;
}

function readRules(route: Route): GatewayRule[] {
  const origin = `${namespaceOf(route)}.${nameOf(route)}`;
  if (isGrpc(route)) {
    return (route.spec?.rules ?? []).map((rule, index) => ({
      ...commonOf(rule, `${origin}.${index}`),
      matches: (rule.matches?.length ? rule.matches : [{}]).map(grpcMatch),
      timeouts: {},
      retry: undefined,
    }));
  }
  return (route.spec.rules ?? [{}]).map((rule, index) => ({
    ...commonOf(rule, `${origin}.${index}`),
    matches: (rule.matches?.length ? rule.matches : [{}]).map(httpMatch),
    timeouts: rule.timeouts ?? {},
    retry: rule.retry,
  }));
}

type GrpcRule = NonNullable<NonNullable<GRPCRoute['spec']>['rules']>[number];
type GrpcMatch = NonNullable<GrpcRule['matches']>[number];

function commonOf(
  { name, filters = [], backendRefs = [] }: HTTPRouteRule | GrpcRule,
  unnamed: string,
): Pick<GatewayRule, 'name' | 'filters' | 'backends'> {
  return { name: name ?? unnamed, filters, backends: backendRefs };
}

function httpMatch({ path, method, headers = [], queryParams = [] }: HTTPRouteMatch): GatewayMatch {
  const { type = 'PathPrefix', value = '/' } = path ?? {};
  return {
    path: type === 'PathPrefix' ? prefix(value) : { type, value },
    method: method ?? null,
    headers,
    queryParams,
  };
}

function grpcMatch({ method, headers = [] }: GrpcMatch): GatewayMatch {
  return { path: callPath(method), method: null, headers, queryParams: [] };
}

/** gRPC asks for `/<service>/<method>`; an empty name is any. */
function callPath({
  type = 'Exact',
  service = '',
  method = '',
}: NonNullable<GrpcMatch['method']> = {}): GatewayPath | null {
  if (service === '' && method === '') return null;
  if (type === 'RegularExpression') {
    const value = `/${service || ANY_NAME}/${method || '.+'}`;
    return { type: 'RegularExpression', value };
  }
  if (method === '') return prefix(`/${service}`);
  if (service !== '') return { type: 'Exact', value: `/${service}/${method}` };
  return { type: 'RegularExpression', value: `/${ANY_NAME}/${quoteRegex(method)}` };
}

const ANY_NAME = '[^/]+';

function prefix(text: string): GatewayPath {
  return { type: 'PathPrefix', value: text.replace(/\/+$/, '') || '/' };
}
