/** Filters of routes of the Gateway API (spec l7 4.5, recording l7/05). */
import type { BackendRef, GatewayMatch, RouteFilter } from './gateway-route.ts';
import { headerProblem } from './header-problem.ts';
import { quoteRegex } from './regex.ts';
import type {
  CorsPolicy,
  ForwardAction,
  HeaderChanges,
  HeaderOperations,
  HeaderValue,
  PathRewrite,
  RedirectAction,
  Share,
  TextMatch,
} from './route-rule.ts';

type Filters = readonly RouteFilter[];
type HeaderModifier = NonNullable<RouteFilter['requestHeaderModifier']>;
type PathModifier = NonNullable<NonNullable<RouteFilter['urlRewrite']>['path']>;

const UNSUPPORTED_FILTERS: readonly string[] = ['ExtensionRef', 'ExternalAuth'];

/** Those that one backend of several can have: Envoy's weighted clusters have no others. */
const BACKEND_FILTERS: readonly string[] = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'URLRewrite',
];

/**
 * Why nothing here can run one of the filters of a rule and of its backends; null if all can be run. Such a rule answers
 * 500 rather than skip the filter.
 */
export function ruleProblem(
  filters: Filters,
  backends: readonly Pick<BackendRef, 'filters'>[],
): string | null {
  const ofBackends = backends.flatMap(({ filters: own = [] }) => own);
  const stray = ofBackends.find(
    ({ type, urlRewrite }) => !BACKEND_FILTERS.includes(type) || urlRewrite?.path !== undefined,
  );
  return (
    filterProblem([...filters, ...ofBackends]) ??
    (stray === undefined ? null : `unsupported filter type "${stray.type}" of a backend`)
  );
}

function filterProblem(filters: Filters): string | null {
  const unsupported = filters.find(({ type }) => UNSUPPORTED_FILTERS.includes(type));
  if (unsupported !== undefined) return `unsupported filter type "${unsupported.type}"`;
  const written = filters
    .flatMap(({ requestHeaderModifier, responseHeaderModifier }) => [
      requestHeaderModifier,
      responseHeaderModifier,
    ])
    .flatMap((modifier) => [...(modifier?.set ?? []), ...(modifier?.add ?? [])]);
  return headerProblem(written.map(({ name, value }) => [name, value]));
}

/** Not for a header option to change: Envoy refuses a configuration that does. */
function isAuthority(name: string): boolean {
  return name.toLowerCase() === 'host';
}

/** Sorted by name; of several values for one name the last counts, as in Istio. */
function values(headers: HeaderModifier['set'] = []): HeaderValue[] {
  return [...new Map(headers.map(({ name, value }) => [name.toLowerCase(), value]))]
    .filter(([name]) => !isAuthority(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function operations(modifiers: readonly (HeaderModifier | undefined)[]): HeaderOperations {
  const all = modifiers.filter((modifier) => modifier !== undefined);
  const removed = all.flatMap(({ remove = [] }) => remove).filter((name) => !isAuthority(name));
  return {
    set: all.flatMap(({ set }) => values(set)),
    add: all.flatMap(({ add }) => values(add)),
    remove: removed.map((name) => name.toLowerCase()),
  };
}

export function headerChanges(filters: Filters): HeaderChanges {
  return {
    request: operations(filters.map(({ requestHeaderModifier }) => requestHeaderModifier)),
    response: operations(filters.map(({ responseHeaderModifier }) => responseHeaderModifier)),
  };
}

/** The host that requests go on with, null for their own. A Host that is set or added is a rewrite of it (spec l7 1.8). */
export function newAuthority(filters: Filters): string | null {
  const [value] = [
    ...filters.flatMap(({ urlRewrite: found }) => found?.hostname ?? []),
    ...filters
      .flatMap(({ requestHeaderModifier }) => requestHeaderModifier ?? [])
      .flatMap(({ set = [], add = [] }) => [...set, ...add])
      .filter(({ name }) => isAuthority(name))
      .map((header) => header.value),
  ];
  return value ?? null;
}

/**
 * Null without a RequestRedirect. Without port and scheme it leads to the port that was asked for; a port that is the
 * scheme's own is not said.
 */
export function redirectAction(filters: Filters, match: GatewayMatch): RedirectAction | null {
  const redirect = filters.find(({ requestRedirect }) => requestRedirect)?.requestRedirect;
  if (redirect === undefined) return null;
  const { scheme, hostname, path, statusCode = 302 } = redirect;
  return {
    kind: 'redirect',
    authority: hostname ?? null,
    // As upstream, also without a path: an empty one leaves the request's.
    path: path === undefined ? { kind: 'full', value: '' } : newPath(path, match),
    scheme: scheme ?? null,
    port: redirect.port ?? (scheme === undefined ? 'request' : null),
    status: statusCode,
  };
}

function newPath(path: PathModifier, match: GatewayMatch): PathRewrite {
  if (path.type === 'ReplaceFullPath') {
    return { kind: 'full', value: path.replaceFullPath || '/' };
  }
  return prefixReplacement(path.replacePrefixMatch, match);
}

/** The path of the URLRewrite; null if there is none. */
export function rewrittenPath(filters: Filters, match: GatewayMatch): ForwardAction['path'] {
  const path = filters.find((filter) => filter.urlRewrite)?.urlRewrite?.path;
  if (path === undefined) return null;
  const rewrite = newPath(path, match);
  return rewrite.kind === 'full'
    ? { kind: 'regex', pattern: '/.*', substitution: rewrite.value }
    : rewrite;
}

/**
 * Envoy replaces just the characters of the prefix, so the slash between the two parts must be on one side only. A
 * prefix that is taken away is the one case that characters cannot express.
 */
function prefixReplacement(
  replacement: string | undefined,
  match: GatewayMatch,
): Exclude<PathRewrite, { readonly kind: 'full' }> {
  const prefix = match.path?.value ?? '/';
  const trimmed = (replacement ?? '').replace(/\/+$/, '');
  if (prefix === '/') return { kind: 'prefix', value: `${trimmed}/` };
  if (trimmed !== '') return { kind: 'prefix', value: trimmed };
  return { kind: 'regex', pattern: `^${quoteRegex(prefix)}(/?)(.*)`, substitution: '/\\2' };
}

const PER_MILLION = 1_000_000;

type Fraction = Pick<NonNullable<RouteFilter['requestMirror']>, 'percent' | 'fraction'>;

/** The share of requests that a mirror gets; without a number all of them. */
export function mirroredShare({ percent, fraction }: Fraction): Share {
  if (percent === undefined && fraction === undefined) return { numerator: 100, denominator: 100 };
  const share =
    fraction === undefined
      ? (percent ?? 0) / 100
      : fraction.numerator / (fraction.denominator ?? 100);
  return { numerator: Math.trunc(share * PER_MILLION), denominator: PER_MILLION };
}

/** Null without a CORS filter. */
export function corsPolicy(filters: Filters): CorsPolicy | null {
  const cors = filters.find((filter) => filter.cors)?.cors;
  if (cors === undefined) return null;
  const { allowCredentials } = cors;
  return {
    allowOrigins: (cors.allowOrigins ?? []).map(originMatch),
    allowMethods: cors.allowMethods ?? [],
    allowHeaders: cors.allowHeaders ?? [],
    exposeHeaders: cors.exposeHeaders ?? [],
    maxAgeS: cors.maxAge ?? 5,
    credentials: allowCredentials === undefined ? null : allowCredentials ? 'allowed' : 'refused',
    unmatchedPreflights: 'answered',
  };
}

function originMatch(origin: string): TextMatch {
  if (!origin.includes('*')) return { kind: 'exact', value: origin };
  return { kind: 'regex', value: `^${origin.split('*').map(quoteRegex).join('.*')}$` };
}
