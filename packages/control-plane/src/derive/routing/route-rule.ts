/**
 * One way of requests: what it takes, and what becomes of them. HTTPRoutes, GRPCRoutes and VirtualServices are read into
 * such rules; waypoints, sidecars and gateways are sent what they say. A list of them is tried in order.
 */

/** `prefix` is of characters; `regex` is RE2 and of the whole text. */
export interface TextMatch {
  readonly kind: 'exact' | 'prefix' | 'regex';
  readonly value: string;
}

export type ValueMatch = TextMatch | { readonly kind: 'present' };

/** `segments` is a prefix that ends where a segment of the path does. */
export interface PathMatch {
  readonly kind: TextMatch['kind'] | 'segments';
  readonly value: string;
}

export interface HeaderMatch {
  /** As HTTP/2 names it, also `:method`, `:authority` and `:scheme`. */
  readonly name: string;
  readonly match: ValueMatch;
  /** `lacks` is for requests whose header does not match; a missing header is an empty one then. */
  readonly sense: 'has' | 'lacks';
}

export interface QueryMatch {
  readonly name: string;
  readonly match: ValueMatch;
}

/** All of it must hold. */
export interface RouteMatch {
  readonly path: PathMatch;
  readonly pathCase: 'sensitive' | 'insensitive';
  readonly headers: readonly HeaderMatch[];
  readonly queryParams: readonly QueryMatch[];
}

export type HeaderValue = readonly [name: string, value: string];

export interface HeaderOperations {
  readonly set: readonly HeaderValue[];
  readonly add: readonly HeaderValue[];
  readonly remove: readonly string[];
}

export interface HeaderChanges {
  readonly request: HeaderOperations;
  readonly response: HeaderOperations;
}

/** Where requests go. A `host` of null is nothing that can be: requests to it fail. */
export interface Destination {
  readonly host: string | null;
  /** Of whose services the host is; null for the one that the mesh knows best by that name. */
  readonly namespace: string | null;
  /** Empty for all endpoints. */
  readonly subset: string;
  /** Null: its only port, or else the one that the request came for. */
  readonly port: number | null;
}

export interface WeightedDestination {
  readonly destination: Destination;
  /** Above 0, and compared with those of the others. */
  readonly weight: number;
  readonly headers: HeaderChanges;
  /** In place of the request's, if the rule itself does not say one; null leaves it. */
  readonly authority: string | null;
}

export interface Share {
  readonly numerator: number;
  readonly denominator: 100 | 1_000_000;
}

export interface Mirror {
  readonly destination: Destination;
  readonly share: Share;
}

/** A search and replacement in RE2; groups are `\1`. */
interface RegexSubstitution {
  readonly kind: 'regex';
  readonly pattern: string;
  readonly substitution: string;
}

/** `prefix` takes the place of what the match found. */
export type PathRewrite =
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'full'; readonly value: string }
  | RegexSubstitution;

export interface Retries {
  readonly attempts: number;
  /** Envoy's conditions, separated by commas. */
  readonly on: string;
  readonly codes: readonly number[];
  /** Milliseconds; null without a limit. */
  readonly perTryTimeoutMs: number | null;
  /** Base of the pause in milliseconds; null for Envoy's. */
  readonly backoffMs: number | null;
  /** Whether endpoints that failed are chosen again; `default` is no, unless requests are hashed to one. */
  readonly previousHosts: 'default' | 'avoided' | 'allowed';
  /** Whether a retry prefers localities that were not tried. */
  readonly localities: 'any' | 'other';
}

export interface ForwardAction {
  readonly kind: 'forward';
  /** At least one. */
  readonly destinations: readonly WeightedDestination[];
  readonly path: Exclude<PathRewrite, { readonly kind: 'full' }> | null;
  /** In place of the request's; null leaves it. */
  readonly authority: string | null;
  readonly mirrors: readonly Mirror[];
  /** Of the whole exchange, in milliseconds; 0 is no limit. */
  readonly timeoutMs: number;
  /** Null for none. */
  readonly retries: Retries | null;
  /** The answer where a destination is nothing. */
  readonly missingStatus: 500 | 503;
}

export interface RedirectAction {
  readonly kind: 'redirect';
  /** Null leaves the request's. */
  readonly authority: string | null;
  /** A full one that is empty leaves the request's. */
  readonly path: PathRewrite;
  readonly scheme: string | null;
  /** `request`: the port that the request came to. Null: that of the scheme. */
  readonly port: number | 'request' | null;
  /** 301, 302, 303, 307 or 308. */
  readonly status: number;
}

export interface RespondAction {
  readonly kind: 'respond';
  readonly status: number;
  readonly body: string | Uint8Array | null;
}

export type RouteAction = ForwardAction | RedirectAction | RespondAction;

export interface CorsPolicy {
  readonly allowOrigins: readonly TextMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  /** Seconds; null says nothing. */
  readonly maxAgeS: number | null;
  /** Null says nothing. */
  readonly credentials: 'allowed' | 'refused' | null;
  readonly unmatchedPreflights: 'forwarded' | 'answered';
}

export interface Fault {
  readonly delay: { readonly share: Share; readonly delayMs: number } | null;
  /** Without a share nothing is aborted. */
  readonly abort: {
    readonly share: Share | null;
    readonly status: { readonly kind: 'http' | 'grpc'; readonly code: number };
  } | null;
}

export interface RouteRule {
  /** What logs call it; may be empty. */
  readonly name: string;
  /** Null takes every request. */
  readonly match: RouteMatch | null;
  readonly headers: HeaderChanges;
  readonly action: RouteAction;
  readonly cors: CorsPolicy | null;
  readonly fault: Fault | null;
}

const NOTHING: HeaderOperations = { set: [], add: [], remove: [] };

export const NO_HEADER_CHANGES: HeaderChanges = { request: NOTHING, response: NOTHING };

/** As the mesh retries where nobody says anything. */
export const DEFAULT_RETRIES: Retries = {
  attempts: 2,
  on: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
  codes: [],
  perTryTimeoutMs: null,
  backoffMs: null,
  previousHosts: 'default',
  localities: 'any',
};

/** What becomes of requests for which a rule cannot do what it was asked: a filter or a header is never left out. */
export const FAILURE: RespondAction = { kind: 'respond', status: 500, body: null };

/** Whether it takes every request, so that nothing after it is ever reached. */
function isCatchAll({ match }: RouteRule): boolean {
  if (match === null) return true;
  return isAnyPath(match.path) && match.headers.length === 0 && match.queryParams.length === 0;
}

function isAnyPath({ kind, value }: PathMatch): boolean {
  return kind === 'regex' ? value === '.*' : kind !== 'exact' && value === '/';
}

/** The rules up to the first that takes every request; the others are never reached. */
export function reachable(rules: readonly RouteRule[]): readonly RouteRule[] {
  const last = rules.findIndex(isCatchAll);
  return last < 0 ? rules : rules.slice(0, last + 1);
}

/** Everything that requests and their copies go to. */
export function destinationsOf({ action }: RouteRule): Destination[] {
  if (action.kind !== 'forward') return [];
  return [...action.destinations, ...action.mirrors].map(({ destination }) => destination);
}
