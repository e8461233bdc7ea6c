/** Filters of routes in Envoy's terms (spec l7 4.5, recording l7/05). */
import { isConnectionField, isFieldValue } from '@aquifer/wire';
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type RedirectActionSchema,
  RedirectAction_RedirectResponseCode as RedirectCode,
  type RouteAction_RequestMirrorPolicySchema,
  type RouteActionSchema,
  type RouteSchema,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { CorsPolicySchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/cors/v3_pb';
import { FractionalPercent_DenominatorType } from '@aquifer/wire/gen/envoy/type/v3_pb';
import { type Init, packed } from './packed.ts';
import { quoteRegex } from './regex.ts';
import type { BackendRef, RouteFilter, RouteMatch } from './route-rule.ts';

type Filters = readonly RouteFilter[];
type RouteInit = Init<typeof RouteSchema>;
type ActionInit = Init<typeof RouteActionSchema>;
type RedirectInit = Init<typeof RedirectActionSchema>;
type MirrorInit = Init<typeof RouteAction_RequestMirrorPolicySchema>;
type HeaderModifier = NonNullable<RouteFilter['requestHeaderModifier']>;
type PathModifier = NonNullable<NonNullable<RouteFilter['urlRewrite']>['path']>;

const UNSUPPORTED_FILTERS: readonly string[] = ['ExtensionRef', 'ExternalAuth'];

/** Why nothing here can run one of the filters; null if it can. Such a rule answers 500 rather than skip the filter. */
function filterProblem(filters: Filters): string | null {
  for (const { type, requestHeaderModifier, responseHeaderModifier } of filters) {
    if (UNSUPPORTED_FILTERS.includes(type)) return `unsupported filter type "${type}"`;
    const problem = headerProblem(requestHeaderModifier) ?? headerProblem(responseHeaderModifier);
    if (problem !== null) return problem;
  }
  return null;
}

/** Those that one backend of several can have: Envoy's weighted clusters have no others. */
const BACKEND_FILTERS: readonly string[] = [
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'URLRewrite',
];

/** The same for all filters of a rule, those of its backends included. */
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

/** A proxy would refuse its whole configuration for it, that of other routes included. */
function headerProblem({ set = [], add = [] }: HeaderModifier = {}): string | null {
  for (const { name, value } of [...set, ...add]) {
    if (isConnectionField(name.toLowerCase())) return `header "${name}" is not for a route to set`;
    if (!isFieldValue(value)) return `value of header "${name}" holds control characters`;
  }
  return null;
}

/** Not for a header option to change: Envoy refuses a configuration that does. */
function isAuthority(name: string): boolean {
  return name.toLowerCase() === 'host';
}

/** Sorted by name; of several values for one name the last counts, as in Istio. */
function options({ set = [], add = [] }: HeaderModifier) {
  const listed = (headers: typeof set, appendAction: AppendAction) =>
    [...new Map(headers.map(({ name, value }) => [name.toLowerCase(), value]))]
      .filter(
        ([key, value]) =>
          !isAuthority(key) && headerProblem({ set: [{ name: key, value }] }) === null,
      )
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ header: { key, value }, appendAction }));
  return [
    ...listed(set, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
    ...listed(add, AppendAction.APPEND_IF_EXISTS_OR_ADD),
  ];
}

/** A request's Host that is set or added is a rewrite of it (spec l7 1.8). */
function authoritiesOf(filters: Filters): string[] {
  const modifiers = filters.flatMap(({ requestHeaderModifier }) => requestHeaderModifier ?? []);
  return modifiers
    .flatMap(({ set = [], add = [] }) => [...set, ...add])
    .filter(({ name }) => isAuthority(name))
    .map(({ value }) => value);
}

/** The host that requests go on with, as routes and weighted clusters say it: that of the first filters that name one. */
export function hostRewrite(
  ...levels: readonly Filters[]
): Pick<ActionInit, 'hostRewriteSpecifier'> {
  const [value] = levels.flatMap((filters) => [
    ...filters.flatMap(({ urlRewrite: found }) => found?.hostname ?? []),
    ...authoritiesOf(filters),
  ]);
  return value === undefined ? {} : { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value } };
}

/** What routes and weighted clusters have in common. */
export type HeaderChanges = Required<
  Pick<
    RouteInit,
    | 'requestHeadersToAdd'
    | 'requestHeadersToRemove'
    | 'responseHeadersToAdd'
    | 'responseHeadersToRemove'
  >
>;

export function headerChanges(filters: Filters): HeaderChanges {
  const lower = (names: readonly string[] = []) =>
    names.filter((name) => !isAuthority(name)).map((name) => name.toLowerCase());
  const request = filters.flatMap(({ requestHeaderModifier: found }) => found ?? []);
  const response = filters.flatMap(({ responseHeaderModifier: found }) => found ?? []);
  return {
    requestHeadersToAdd: request.flatMap(options),
    requestHeadersToRemove: request.flatMap(({ remove }) => lower(remove)),
    responseHeadersToAdd: response.flatMap(options),
    responseHeadersToRemove: response.flatMap(({ remove }) => lower(remove)),
  };
}

const REDIRECT_CODES: Readonly<Record<number, RedirectCode>> = {
  301: RedirectCode.MOVED_PERMANENTLY,
  302: RedirectCode.FOUND,
  303: RedirectCode.SEE_OTHER,
  307: RedirectCode.TEMPORARY_REDIRECT,
  308: RedirectCode.PERMANENT_REDIRECT,
};

const WELL_KNOWN_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * Null without a RequestRedirect. Without port and scheme it leads to the port of the Service; a port that is the
 * scheme's own is not said.
 */
export function redirectAction(
  filters: Filters,
  match: RouteMatch,
  servicePort: number,
): RedirectInit | null {
  const redirect = filters.find(({ requestRedirect }) => requestRedirect)?.requestRedirect;
  if (redirect === undefined) return null;
  const { scheme, hostname = '', path, statusCode = 302 } = redirect;
  const port = redirect.port ?? (scheme === undefined ? servicePort : 0);
  const isImplied = WELL_KNOWN_PORTS[scheme ?? 'http'] === port;
  return {
    hostRedirect: hostname,
    portRedirect: isImplied ? 0 : port,
    responseCode: REDIRECT_CODES[statusCode] ?? RedirectCode.FOUND,
    ...(scheme !== undefined && {
      schemeRewriteSpecifier: { case: 'schemeRedirect' as const, value: scheme },
    }),
    ...(path !== undefined && { pathRewriteSpecifier: redirectPath(path, match) }),
  };
}

function redirectPath(
  path: PathModifier,
  match: RouteMatch,
): NonNullable<RedirectInit['pathRewriteSpecifier']> {
  if (path.type === 'ReplaceFullPath') {
    return { case: 'pathRedirect', value: path.replaceFullPath || '/' };
  }
  const rewrite = prefixReplacement(path.replacePrefixMatch, match);
  return rewrite.kind === 'regex'
    ? { case: 'regexRewrite', value: rewrite.value }
    : { case: 'prefixRewrite', value: rewrite.value };
}

/** The path of the URLRewrite, if there is one. */
export function urlRewrite(filters: Filters, match: RouteMatch): Partial<ActionInit> {
  const rewrite = filters.find((filter) => filter.urlRewrite)?.urlRewrite;
  if (rewrite === undefined) return {};
  const { path } = rewrite;
  return path === undefined ? {} : pathRewrite(path, match);
}

function pathRewrite(path: PathModifier, match: RouteMatch): Partial<ActionInit> {
  if (path.type === 'ReplaceFullPath') {
    return { regexRewrite: substitute('/.*', path.replaceFullPath || '/') };
  }
  const rewrite = prefixReplacement(path.replacePrefixMatch, match);
  return rewrite.kind === 'regex'
    ? { regexRewrite: rewrite.value }
    : { prefixRewrite: rewrite.value };
}

function substitute(regex: string, substitution: string) {
  return { pattern: { regex }, substitution };
}

/**
 * Envoy replaces just the characters of the prefix, so the slash between the two parts must be on one side only. A
 * prefix that is taken away is the one case that characters cannot express.
 */
function prefixReplacement(replacement: string | undefined, match: RouteMatch) {
  const prefix = match.path?.value ?? '/';
  const trimmed = (replacement ?? '').replace(/\/+$/, '');
  if (prefix === '/') return { kind: 'prefix' as const, value: `${trimmed}/` };
  if (trimmed !== '') return { kind: 'prefix' as const, value: trimmed };
  const value = substitute(`^${quoteRegex(prefix)}(/?)(.*)`, '/\\2');
  return { kind: 'regex' as const, value };
}

const PER_MILLION = 1_000_000;

type Fraction = Pick<NonNullable<RouteFilter['requestMirror']>, 'percent' | 'fraction'>;

/** The share of requests that a mirror gets; without a number all of them. */
function mirroredShare({ percent, fraction }: Fraction) {
  if (percent === undefined && fraction === undefined) return { numerator: 100 };
  const share =
    fraction === undefined
      ? (percent ?? 0) / 100
      : fraction.numerator / (fraction.denominator ?? 100);
  return {
    numerator: Math.trunc(share * PER_MILLION),
    denominator: FractionalPercent_DenominatorType.MILLION,
  };
}

type Mirror = NonNullable<RouteFilter['requestMirror']>;

/** Mirrors, with the cluster that each backend is. */
export function mirrors(
  filters: Filters,
  clusterOf: (backend: Mirror['backendRef']) => string,
): MirrorInit[] {
  return filters
    .flatMap(({ requestMirror }) => requestMirror ?? [])
    .map((mirror) => ({
      cluster: clusterOf(mirror.backendRef),
      runtimeFraction: { defaultValue: mirroredShare(mirror) },
      traceSampled: false,
      disableShadowHostSuffixAppend: true,
    }));
}

const CORS_FILTER = 'envoy.filters.http.cors';

/** The route's CORS policy, for the filter that every HTTP chain has. */
export function corsConfig(filters: Filters): RouteInit['typedPerFilterConfig'] {
  const cors = filters.find((filter) => filter.cors)?.cors;
  if (cors === undefined) return {};
  const { allowMethods = [], allowHeaders = [], exposeHeaders = [], maxAge = 5 } = cors;
  const policy = packed(CorsPolicySchema, {
    allowOriginStringMatch: (cors.allowOrigins ?? []).map(originMatch),
    allowMethods: allowMethods.join(','),
    allowHeaders: allowHeaders.join(','),
    exposeHeaders: exposeHeaders.join(','),
    maxAge: String(maxAge),
    ...(cors.allowCredentials !== undefined && { allowCredentials: cors.allowCredentials }),
    filterEnabled: { defaultValue: { numerator: 100 } },
    forwardNotMatchingPreflights: false,
  });
  return { [CORS_FILTER]: policy };
}

function originMatch(origin: string) {
  if (!origin.includes('*')) return { matchPattern: { case: 'exact' as const, value: origin } };
  const regex = `^${origin.split('*').map(quoteRegex).join('.*')}$`;
  return { matchPattern: { case: 'safeRegex' as const, value: { regex } } };
}
