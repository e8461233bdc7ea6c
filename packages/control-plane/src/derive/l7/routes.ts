/** The routes of one port of a service at its waypoint (spec control-plane 6.2, l7 1.15; recordings l7/01, 04–07). */
import {
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  type RouteActionSchema,
  type RouteConfigurationSchema,
  type RouteSchema,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { byAge, namespaceOf } from '../object.ts';
import { resolveBackend } from './backend.ts';
import { type Init, seconds } from './packed.ts';
import { DEFAULT_RETRY_POLICY, resilience } from './resilience.ts';
import {
  corsConfig,
  type HeaderChanges,
  headerChanges,
  hostRewrite,
  mirrors,
  redirectAction,
  ruleProblem,
  urlRewrite,
} from './route-filters.ts';
import { bySpecificity, envoyMatch, isCatchAll, isReadable } from './route-match.ts';
import {
  type BackendRef,
  parentsOf,
  type RouteMatch,
  type RouteRule,
  routeRules,
} from './route-rule.ts';
import { parentKey, type ServiceScope, sourceOf } from './scope.ts';

type RouteInit = Init<typeof RouteSchema>;
type ActionInit = Init<typeof RouteActionSchema>;
type RouteConfigInit = Init<typeof RouteConfigurationSchema>;

/** Envoy's own limit is 4 KiB. */
const MAX_DIRECT_BODY_BYTES = 1_048_576;

function routeConfig(
  name: string,
  port: number,
  routes: RouteInit[],
  isDefault: boolean,
): RouteConfigInit {
  return {
    name,
    validateClusters: false,
    ...(isDefault && { maxDirectResponseBodySizeBytes: MAX_DIRECT_BODY_BYTES }),
    virtualHosts: [{ name: `inbound|http|${port}`, domains: ['*'], routes }],
  };
}

/** Everything to one cluster; `operation` is the authority that traces show. */
export function defaultRoutes(
  name: string,
  port: number,
  cluster: string,
  hostname: string,
): RouteConfigInit {
  const route: RouteInit = {
    name: 'default',
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    decorator: { operation: `${hostname}:${port}/*` },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: cluster },
        timeout: seconds(0),
        maxGrpcTimeout: seconds(0),
        retryPolicy: DEFAULT_RETRY_POLICY,
      },
    },
  };
  return routeConfig(name, port, [route], true);
}

/** The routes attached to the port, else the default route. Requests that no rule of theirs takes get 404. */
export function serviceRoutes(name: string, port: number, scope: ServiceScope): RouteConfigInit {
  const lists = routeLists(port, scope);
  if (lists.length === 0) return defaultRoutes(name, port, name, scope.service.hostname);
  const routes = lists.flatMap((list) => listRoutes(list, port, scope));
  return routeConfig(name, port, routes, false);
}

/** The routes of one namespace with the same kind of parent, of both kinds: their rules are sorted together. */
interface RouteList {
  /** As Istio names the VirtualService that it makes of the list. */
  readonly name: string;
  readonly namespace: string;
  readonly rules: readonly RouteRule[];
}

/** Those that name the port before those that name none; the service's own namespace before the waypoint's. */
function routeLists(port: number, { service, waypoint, routes }: ServiceScope): RouteList[] {
  const key = sourceOf(service);
  const namespaces = new Set([namespaceOf(service), waypoint.namespace]);
  const lists: RouteList[] = [];
  for (const wanted of [port, undefined]) {
    for (const namespace of namespaces) {
      const rules = routes
        .filter((route) => namespaceOf(route) === namespace)
        .filter((route) =>
          parentsOf(route).some(
            (parent) => parentKey(parent, route) === key && parent.port === wanted,
          ),
        )
        .toSorted(byAge)
        .flatMap(routeRules);
      const middle = wanted === undefined ? '' : `${wanted}~`;
      const name = `${namespace}~${middle}${service.hostname}`;
      if (rules.length > 0) lists.push({ name, namespace, rules });
    }
  }
  return lists;
}

interface Entry {
  readonly rule: RouteRule;
  readonly match: RouteMatch;
}

/** Up to the first match that takes every request; what follows it is never reached. */
function listRoutes(list: RouteList, port: number, scope: ServiceScope): RouteInit[] {
  const entries = list.rules
    .flatMap((rule): Entry[] => rule.matches.map((match) => ({ rule, match })))
    .filter(({ match }) => isReadable(match));
  entries.sort((a, b) => bySpecificity(a.match, b.match));
  const last = entries.findIndex(({ match }) => isCatchAll(match));
  const reachable = last < 0 ? entries : entries.slice(0, last + 1);
  return reachable.map((entry) => envoyRoute(entry, list, port, scope));
}

function envoyRoute(entry: Entry, list: RouteList, port: number, scope: ServiceScope): RouteInit {
  const { rule, match } = entry;
  const { hostname, headers, action } = routeAction(
    entry,
    { namespace: list.namespace, port },
    scope,
  );
  const { path } = match;
  const shownPath = path === null || path.type === 'PathPrefix' ? '/*' : path.value;
  const config = `/apis/networking.istio.io/v1/namespaces/${list.namespace}/virtual-service/${list.name}`;
  return {
    name: rule.name,
    match: envoyMatch(match),
    metadata: { filterMetadata: { istio: { config } } },
    decorator: { operation: `${hostname ?? list.name}:${port}${shownPath}` },
    ...headers,
    typedPerFilterConfig: corsConfig(rule.filters) ?? {},
    action,
  };
}

interface RouteTarget {
  readonly action: NonNullable<RouteInit['action']>;
  readonly headers: HeaderChanges;
  /** Of the only backend; null when there is none or several. */
  readonly hostname: string | null;
}

function routeAction(
  { rule, match }: Entry,
  { namespace, port }: { readonly namespace: string; readonly port: number },
  scope: ServiceScope,
): RouteTarget {
  const { filters } = rule;
  const headers = headerChanges(filters);
  const backends = rule.backends.filter(({ weight = 1 }) => weight > 0);
  const [first, ...others] = backends;
  const failure: RouteTarget = {
    action: { case: 'directResponse', value: { status: 500 } },
    headers,
    hostname: null,
  };
  if (ruleProblem(filters, backends) !== null) return failure;
  const redirect = redirectAction(filters, match, port);
  if (redirect !== null) {
    return { action: { case: 'redirect', value: redirect }, headers, hostname: null };
  }
  if (first === undefined) return failure;
  const { timeoutMs, retryPolicy } = resilience(rule);
  const common: ActionInit = {
    timeout: durationFromMs(timeoutMs),
    maxGrpcTimeout: durationFromMs(timeoutMs),
    ...(retryPolicy !== null && { retryPolicy }),
    clusterNotFoundResponseCode: NotFoundCode.INTERNAL_SERVER_ERROR,
    requestMirrorPolicies: mirrors(
      filters,
      (backend) => resolveBackend(backend, namespace, scope).cluster,
    ),
    ...urlRewrite(filters, match),
    ...hostRewrite(filters),
  };
  const resolve = (backend: BackendRef) => resolveBackend(backend, namespace, scope);
  if (others.length === 0) {
    const { cluster, hostname } = resolve(first);
    const value: ActionInit = {
      ...common,
      ...hostRewrite(filters, backendFilters(backends)),
      clusterSpecifier: { case: 'cluster', value: cluster },
    };
    const all = headerChanges([...filters, ...backendFilters(backends)]);
    return { action: { case: 'route', value }, headers: all, hostname };
  }
  const clusters = backends.map((backend) => ({
    name: resolve(backend).cluster,
    weight: backend.weight ?? 1,
    ...headerChanges(backend.filters ?? []),
    ...(common.hostRewriteSpecifier === undefined && hostRewrite(backend.filters ?? [])),
  }));
  const value: ActionInit = {
    ...common,
    clusterSpecifier: { case: 'weightedClusters', value: { clusters } },
  };
  return { action: { case: 'route', value }, headers, hostname: null };
}

function backendFilters(backends: readonly BackendRef[]) {
  return backends.flatMap(({ filters = [] }) => filters);
}
