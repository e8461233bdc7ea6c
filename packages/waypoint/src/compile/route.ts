import { RoutingPriority } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import type {
  RedirectAction,
  Route,
  RouteAction,
  RouteConfiguration,
  RouteMatch,
  VirtualHost,
  WeightedCluster_ClusterWeight,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import {
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  RedirectAction_RedirectResponseCode as RedirectCode,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { compileRouteFilters, type RouteFilters } from '../filters/filters.ts';
import { compileMirrors, type MirrorPolicy } from '../filters/mirror-policy.ts';
import { durationMs } from './any.ts';
import { compileHashPolicies, type RequestHasher } from './hash-policy.ts';
import { type HeaderMutation, requestMutation, responseMutation } from './header-mutation.ts';
import {
  compileRegexRewrite,
  type PathRewrite,
  redirectPath,
  replaceMatched,
} from './path-rewrite.ts';
import { ConfigProblem } from './problem.ts';
import { compileRetryPolicy, type RetryPolicy } from './retry-policy.ts';
import { RouteIndex } from './route-index.ts';
import { beginningOf, compileMatch } from './route-match.ts';
import type { InputMatch, MatchInput } from './string-match.ts';
import { headerText } from './wire-text.ts';

export interface WeightedTarget {
  readonly cluster: string;
  readonly weight: number;
  readonly hostRewrite: string | null;
  readonly requestHeaders: HeaderMutation | null;
  readonly responseHeaders: HeaderMutation | null;
}

export interface ForwardAction {
  readonly kind: 'forward';
  readonly targets: readonly WeightedTarget[];
  readonly totalWeight: number;
  readonly hostRewrite: string | null;
  readonly pathRewrite: PathRewrite | null;
  /** Milliseconds from the end of the request; 0 is no limit. */
  readonly timeoutMs: number;
  /** Most of what a client of gRPC may ask for instead, 0 for anything; null if it is not asked. */
  readonly maxGrpcTimeoutMs: number | null;
  readonly retry: RetryPolicy | null;
  readonly mirrors: readonly MirrorPolicy[];
  /** For clusters that balance by a hash; null if there is nothing to hash. */
  readonly hash: RequestHasher | null;
  readonly clusterNotFoundStatus: number;
}

export interface RedirectTo {
  readonly kind: 'redirect';
  readonly status: number;
  readonly host: string | null;
  readonly scheme: string | null;
  readonly port: number | null;
  readonly path: PathRewrite | null;
}

interface DirectResponse {
  readonly kind: 'direct';
  readonly status: number;
  readonly body: string;
}

export interface CompiledRoute {
  readonly name: string;
  /** What every path that it takes begins with; empty if there is nothing. */
  readonly beginning: string;
  readonly matches: InputMatch;
  readonly action: ForwardAction | RedirectTo | DirectResponse;
  /** Null when there is nothing to change, so that nothing is done. */
  readonly requestHeaders: HeaderMutation | null;
  readonly responseHeaders: HeaderMutation | null;
  readonly addsAttemptCount: boolean;
  /** What spans are called; empty for as usual. */
  readonly operation: string;
  readonly filters: RouteFilters | null;
}

/** All routes of a listener's chain; the first that matches wins. */
export interface RouteTable {
  find(input: MatchInput): CompiledRoute | null;
}

const NOT_FOUND_STATUS: Readonly<Record<NotFoundCode, number>> = {
  [NotFoundCode.SERVICE_UNAVAILABLE]: 503,
  [NotFoundCode.NOT_FOUND]: 404,
  [NotFoundCode.INTERNAL_SERVER_ERROR]: 500,
};

interface CompiledHost {
  readonly exact: ReadonlySet<string>;
  readonly suffixes: readonly string[];
  readonly prefixes: readonly string[];
  readonly isDefault: boolean;
  readonly routes: RouteIndex<CompiledRoute>;
}

/** `prefix` is where the configuration stands, with a point. */
export function compileRoutes(config: RouteConfiguration, prefix = ''): RouteTable {
  const hosts = config.virtualHosts.map((host, i) =>
    compileHost(host, `${prefix}virtual_hosts[${i}]`),
  );
  const only = hosts.length === 1 && hosts[0]!.isDefault ? hosts[0]! : null;
  const ignorePort = config.ignorePortInHostMatching;
  return {
    find: (input) => {
      const host = only ?? findHost(hosts, input.authority, ignorePort);
      return host?.routes.find(input) ?? null;
    },
  };
}

/** Exact, then the longest suffix wildcard, then the longest prefix wildcard, then `*`. */
function findHost(
  hosts: readonly CompiledHost[],
  authority: string,
  ignorePort: boolean,
): CompiledHost | null {
  const folded = authority.toLowerCase();
  const name = ignorePort ? folded.replace(/:\d+$/, '') : folded;
  let best: CompiledHost | null = null;
  let bestRank = -1;
  for (const host of hosts) {
    const rank = hostRank(host, name);
    if (rank > bestRank) {
      best = host;
      bestRank = rank;
    }
  }
  return best;
}

function hostRank(host: CompiledHost, name: string): number {
  if (host.exact.has(name)) return 1e9;
  const longest = (parts: readonly string[], fits: (part: string) => boolean) =>
    Math.max(-1, ...parts.filter(fits).map(({ length }) => length));
  const suffix = longest(host.suffixes, (part) => name.endsWith(part));
  if (suffix >= 0) return 1e6 + suffix;
  const prefix = longest(host.prefixes, (part) => name.startsWith(part));
  if (prefix >= 0) return 1e3 + prefix;
  return host.isDefault ? 0 : -1;
}

function compileHost(host: VirtualHost, path: string): CompiledHost {
  const domains = host.domains.map((domain) => domain.toLowerCase());
  const wildcard = (domain: string) => domain.includes('*');
  const routes = host.routes.map((route, i) =>
    compileRoute(route, {
      path: `${path}.routes[${i}]`,
      addsAttemptCount: host.includeRequestAttemptCount,
    }),
  );
  return {
    exact: new Set(domains.filter((domain) => !wildcard(domain))),
    suffixes: domains
      .filter((domain) => domain.length > 1 && domain.startsWith('*'))
      .map((d) => d.slice(1)),
    prefixes: domains
      .filter((domain) => domain.length > 1 && domain.endsWith('*'))
      .map((d) => d.slice(0, -1)),
    isDefault: domains.includes('*'),
    routes: new RouteIndex(routes),
  };
}

function compileRoute(
  route: Route,
  { path, addsAttemptCount }: { readonly path: string; readonly addsAttemptCount: boolean },
): CompiledRoute {
  return {
    name: route.name,
    beginning: beginningOf(route.match),
    matches: compileMatch(route.match, `${path}.match`),
    action: compileAction(route, path),
    requestHeaders: requestMutation(route, path),
    responseHeaders: responseMutation(route, path),
    addsAttemptCount,
    operation: route.decorator?.operation ?? '',
    filters: compileRouteFilters(route.typedPerFilterConfig, `${path}.typed_per_filter_config`),
  };
}

function compileAction(route: Route, path: string): CompiledRoute['action'] {
  const { action } = route;
  switch (action.case) {
    case 'route':
      return compileForward(action.value, route.match, `${path}.route`);
    case 'redirect':
      return compileRedirect(action.value, route.match, `${path}.redirect`);
    case 'directResponse': {
      const body = action.value.body?.specifier;
      const { status } = action.value;
      const text =
        body?.case === 'inlineString'
          ? body.value
          : Buffer.from(body?.case === 'inlineBytes' ? body.value : '').toString();
      // These have none; whoever reads one takes it for the next answer.
      return { kind: 'direct', status, body: status === 204 || status === 304 ? '' : text };
    }
    case undefined:
      throw new ConfigProblem(path, 'has no action');
  }
}

function compileForward(
  action: RouteAction,
  match: RouteMatch | undefined,
  path: string,
): ForwardAction {
  const targets = compileTargets(action, path);
  const { hostRewriteSpecifier: host } = action;
  if (action.priority !== RoutingPriority.DEFAULT)
    throw new ConfigProblem(`${path}.priority`, 'only DEFAULT is supported');
  return {
    kind: 'forward',
    targets,
    totalWeight: targets.reduce((sum, { weight }) => sum + weight, 0),
    hostRewrite: hostText(host.value, path),
    pathRewrite: compilePathRewrite(action, match, path),
    timeoutMs: durationMs(action.timeout) ?? 15_000,
    maxGrpcTimeoutMs: durationMs(action.maxGrpcTimeout),
    retry: compileRetryPolicy(action.retryPolicy, `${path}.retry_policy`),
    mirrors: compileMirrors(action.requestMirrorPolicies, `${path}.request_mirror_policies`),
    hash: compileHashPolicies(action.hashPolicy, `${path}.hash_policy`),
    clusterNotFoundStatus: NOT_FOUND_STATUS[action.clusterNotFoundResponseCode] ?? 503,
  };
}

function compileTargets(action: RouteAction, path: string): WeightedTarget[] {
  const { clusterSpecifier } = action;
  switch (clusterSpecifier.case) {
    case 'cluster':
      return [{ ...PLAIN_TARGET, cluster: clusterSpecifier.value, weight: 1 }];
    case 'weightedClusters':
      return clusterSpecifier.value.clusters.map((target, i) =>
        compileTarget(target, `${path}.weighted_clusters.clusters[${i}]`),
      );
    case undefined:
      throw new ConfigProblem(path, 'names no cluster');
  }
}

const PLAIN_TARGET = { hostRewrite: null, requestHeaders: null, responseHeaders: null } as const;

function compileTarget(target: WeightedCluster_ClusterWeight, path: string): WeightedTarget {
  const { hostRewriteSpecifier: host } = target;
  return {
    cluster: target.name,
    weight: target.weight ?? 0,
    hostRewrite: hostText(host.value, path),
    requestHeaders: requestMutation(target, path),
    responseHeaders: responseMutation(target, path),
  };
}

function compilePathRewrite(
  action: RouteAction,
  match: RouteMatch | undefined,
  path: string,
): PathRewrite | null {
  if (action.regexRewrite !== undefined) {
    return compileRegexRewrite(action.regexRewrite, `${path}.regex_rewrite`);
  }
  if (action.prefixRewrite === '') return null;
  return replaceMatched(match, action.prefixRewrite);
}

function compileRedirect(
  redirect: RedirectAction,
  match: RouteMatch | undefined,
  path: string,
): RedirectTo {
  const { pathRewriteSpecifier: rewrite, schemeRewriteSpecifier: scheme } = redirect;
  const statuses: Readonly<Record<RedirectCode, number>> = {
    [RedirectCode.MOVED_PERMANENTLY]: 301,
    [RedirectCode.FOUND]: 302,
    [RedirectCode.SEE_OTHER]: 303,
    [RedirectCode.TEMPORARY_REDIRECT]: 307,
    [RedirectCode.PERMANENT_REDIRECT]: 308,
  };
  const status = statuses[redirect.responseCode];
  if (status === undefined) throw new ConfigProblem(`${path}.response_code`, 'is unknown');
  return {
    kind: 'redirect',
    status,
    host: hostText(redirect.hostRedirect, path),
    scheme: scheme.case === undefined ? null : headerText(String(scheme.value), `${path}: scheme`),
    port: redirect.portRedirect || null,
    path: redirectPath(rewrite, match),
  };
}

/** Null for none. */
function hostText(host: string | undefined, path: string): string | null {
  return host === undefined || host === '' ? null : headerText(host, `${path}: host`);
}
