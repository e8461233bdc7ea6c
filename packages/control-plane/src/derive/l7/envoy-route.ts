/** A rule as a route of Envoy. Who is sent it says which cluster a destination is. */
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  type RedirectActionSchema,
  RedirectAction_RedirectResponseCode as RedirectCode,
  type RouteAction_HashPolicySchema,
  type RouteActionSchema,
  type RouteSchema,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import type {
  Destination,
  ForwardAction,
  HeaderChanges,
  HeaderOperations,
  PathRewrite,
  RedirectAction,
  RespondAction,
  RouteRule,
  WeightedDestination,
} from '../routing/route-rule.ts';
import { filterConfigs, fractionalPercent } from './envoy-filters.ts';
import { envoyMatch } from './envoy-match.ts';
import { retryPolicy } from './envoy-retry.ts';
import { duration, type Init } from './packed.ts';

export type RouteInit = Init<typeof RouteSchema>;
export type HashPolicyInit = Init<typeof RouteAction_HashPolicySchema>;
type ActionInit = Init<typeof RouteActionSchema>;
type RedirectInit = Init<typeof RedirectActionSchema>;

/** A cluster; `authority` is how traces show it, null for a cluster of no service. */
export interface RouteCluster {
  readonly name: string;
  readonly authority: string | null;
}

/** The proxy that follows a rule. */
export type Scheme = 'http' | 'https';

export interface RouteTarget {
  /** The port that requests come to. */
  readonly port: number;
  /** In which they come. Default: `http`. */
  readonly scheme?: Scheme;
  /** What the rules were made of, as Istio's tools name it. */
  readonly origin: { readonly namespace: string; readonly name: string };
  clusterOf(destination: Destination): RouteCluster;
  /** By what requests to it are hashed to one endpoint; null if they are not. */
  hashOf(destination: Destination): HashPolicyInit | null;
}

export function envoyRoute(rule: RouteRule, target: RouteTarget): RouteInit {
  const { namespace, name } = target.origin;
  const config = `/apis/networking.istio.io/v1/namespaces/${namespace}/virtual-service/${name}`;
  return {
    name: rule.name,
    match: envoyMatch(rule.match),
    metadata: { filterMetadata: { istio: { config } } },
    decorator: { operation: `${shownAuthority(rule, target)}${shownPath(rule)}` },
    ...headerOptions(changesOf(rule)),
    typedPerFilterConfig: filterConfigs(rule),
    action: actionOf(rule, target),
  };
}

/** Requests to one destination are shown by it. */
function shownAuthority({ action }: RouteRule, { origin, port, clusterOf }: RouteTarget): string {
  const only = action.kind === 'forward' ? onlyOne(action.destinations) : null;
  const authority = only === null ? null : clusterOf(only.destination).authority;
  return authority ?? `${origin.name}:${port}`;
}

function shownPath({ match }: RouteRule): string {
  if (match === null) return '/*';
  const { kind, value } = match.path;
  if (kind === 'segments') return '/*';
  return kind === 'prefix' ? `${value}*` : value;
}

function onlyOne(destinations: readonly WeightedDestination[]): WeightedDestination | null {
  const [first, ...others] = destinations;
  return others.length === 0 ? (first ?? null) : null;
}

/** Those of the rule, and of its destination if that is the only one. */
function changesOf({ headers, action }: RouteRule): readonly HeaderChanges[] {
  const only = action.kind === 'forward' ? onlyOne(action.destinations) : null;
  return only === null ? [headers] : [headers, only.headers];
}

/** What routes and weighted clusters have in common. */
function headerOptions(changes: readonly HeaderChanges[]) {
  return {
    requestHeadersToAdd: changes.flatMap(({ request }) => addedHeaders(request)),
    requestHeadersToRemove: changes.flatMap(({ request }) => request.remove),
    responseHeadersToAdd: changes.flatMap(({ response }) => addedHeaders(response)),
    responseHeadersToRemove: changes.flatMap(({ response }) => response.remove),
  };
}

function addedHeaders({ set, add }: HeaderOperations) {
  const listed = (headers: HeaderOperations['set'], appendAction: AppendAction) =>
    headers.map(([key, value]) => ({ header: { key, value }, appendAction }));
  return [
    ...listed(set, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
    ...listed(add, AppendAction.APPEND_IF_EXISTS_OR_ADD),
  ];
}

function actionOf({ action }: RouteRule, target: RouteTarget): NonNullable<RouteInit['action']> {
  switch (action.kind) {
    case 'forward':
      return { case: 'route', value: forward(action, target) };
    case 'redirect':
      return { case: 'redirect', value: redirect(action, target) };
    case 'respond':
      return { case: 'directResponse', value: directResponse(action) };
  }
}

function directResponse({ status, body }: RespondAction) {
  if (body === null) return { status };
  const specifier =
    typeof body === 'string'
      ? ({ case: 'inlineString', value: body } as const)
      : ({ case: 'inlineBytes', value: body } as const);
  return { status, body: { specifier } };
}

function forward(action: ForwardAction, target: RouteTarget): ActionInit {
  const { destinations, mirrors, retries } = action;
  const hashes = destinations.flatMap(({ destination }) => target.hashOf(destination) ?? []);
  const only = onlyOne(destinations);
  return {
    timeout: duration(action.timeoutMs),
    maxGrpcTimeout: duration(action.timeoutMs),
    ...(retries !== null && {
      retryPolicy: retryPolicy(retries, only !== null && hashes.length > 0),
    }),
    ...(action.missingStatus === 500 && {
      clusterNotFoundResponseCode: NotFoundCode.INTERNAL_SERVER_ERROR,
    }),
    requestMirrorPolicies: mirrors.map(({ destination, share }) => ({
      cluster: target.clusterOf(destination).name,
      runtimeFraction: { defaultValue: fractionalPercent(share) },
      traceSampled: false,
      disableShadowHostSuffixAppend: true,
    })),
    hashPolicy: hashes,
    ...pathRewrite(action.path),
    ...hostRewrite(action.authority ?? only?.authority ?? null),
    clusterSpecifier:
      only === null
        ? { case: 'weightedClusters', value: { clusters: weighted(action, target) } }
        : { case: 'cluster', value: target.clusterOf(only.destination).name },
  };
}

/** As recorded, a destination's own authority is said beside the rule's; Envoy lets it win. */
function weighted({ destinations }: ForwardAction, { clusterOf }: RouteTarget) {
  return destinations.map((entry) => ({
    name: clusterOf(entry.destination).name,
    weight: entry.weight,
    ...headerOptions([entry.headers]),
    ...hostRewrite(entry.authority),
  }));
}

function hostRewrite(value: string | null): Pick<ActionInit, 'hostRewriteSpecifier'> {
  return value === null ? {} : { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value } };
}

function pathRewrite(path: ForwardAction['path']): Partial<ActionInit> {
  if (path === null) return {};
  return path.kind === 'prefix' ? { prefixRewrite: path.value } : { regexRewrite: regexOf(path) };
}

function regexOf({ pattern, substitution }: Extract<PathRewrite, { readonly kind: 'regex' }>) {
  return { pattern: { regex: pattern }, substitution };
}

const REDIRECT_CODES: Readonly<Record<number, RedirectCode>> = {
  301: RedirectCode.MOVED_PERMANENTLY,
  302: RedirectCode.FOUND,
  303: RedirectCode.SEE_OTHER,
  307: RedirectCode.TEMPORARY_REDIRECT,
  308: RedirectCode.PERMANENT_REDIRECT,
};

const WELL_KNOWN_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** A port that is the scheme's own is not said. */
function redirect(action: RedirectAction, target: RouteTarget): RedirectInit {
  const { authority, path, scheme, status } = action;
  const port = action.port === 'request' ? target.port : (action.port ?? 0);
  const isImplied = WELL_KNOWN_PORTS[scheme ?? target.scheme ?? 'http'] === port;
  return {
    hostRedirect: authority ?? '',
    portRedirect: isImplied ? 0 : port,
    responseCode: REDIRECT_CODES[status] ?? RedirectCode.MOVED_PERMANENTLY,
    ...(scheme !== null && {
      schemeRewriteSpecifier: { case: 'schemeRedirect' as const, value: scheme },
    }),
    pathRewriteSpecifier: redirectPath(path),
  };
}

function redirectPath(path: PathRewrite): NonNullable<RedirectInit['pathRewriteSpecifier']> {
  switch (path.kind) {
    case 'full':
      return { case: 'pathRedirect', value: path.value };
    case 'prefix':
      return { case: 'prefixRewrite', value: path.value };
    case 'regex':
      return { case: 'regexRewrite', value: regexOf(path) };
  }
}
