/** What becomes of requests that a VirtualService takes (spec l7 1.5–1.14, recordings l7/09, 10). */
import type { VirtualServiceHttpRoute } from '@aquifer/model/resources';
import { durationMs } from './durations.ts';
import { grpcStatusNamed } from './grpc-status.ts';
import {
  type CorsPolicy,
  DEFAULT_RETRIES,
  type Destination,
  type Fault,
  type ForwardAction,
  type Mirror,
  type RedirectAction,
  type RespondAction,
  type Retries,
  type Share,
} from './route-rule.ts';
import { headerChanges, newAuthority } from './virtual-service-headers.ts';
import { textMatch } from './virtual-service-match.ts';

type HttpRoute = VirtualServiceHttpRoute;
type Field<Name extends keyof HttpRoute> = NonNullable<HttpRoute[Name]>;

export function redirectAction(redirect: Field<'redirect'>): RedirectAction {
  const { uri = '', authority = '', scheme = '', port, derivePort, redirectCode } = redirect;
  return {
    kind: 'redirect',
    authority: authority || null,
    // As upstream, also without a path: an empty one leaves the request's.
    path: { kind: 'full', value: uri },
    scheme: scheme || null,
    port: port ?? (derivePort === 'FROM_REQUEST_PORT' ? 'request' : null),
    status: redirectCode || 301,
  };
}

export function respondAction({ status, body }: Field<'directResponse'>): RespondAction {
  const { string, bytes } = body ?? {};
  const text = string ?? (bytes === undefined ? null : Buffer.from(bytes, 'base64'));
  return { kind: 'respond', status, body: text };
}

/** `authority` is the route's own. Of several destinations those without a weight get nothing. */
export function forwardAction(route: HttpRoute, authority: string | null): ForwardAction {
  const { route: destinations = [], timeout = '0s', retries } = route;
  const isOnly = destinations.length === 1;
  const receiving = destinations.filter(({ weight = 0 }) => isOnly || weight > 0);
  return {
    kind: 'forward',
    destinations: receiving.map(({ destination, weight = 0, headers }) => ({
      destination: destinationOf(destination),
      weight: isOnly ? 1 : weight,
      headers: headerChanges(headers),
      authority: newAuthority(headers),
    })),
    path: rewrittenPath(route.rewrite),
    authority,
    mirrors: mirrorsOf(route),
    timeoutMs: durationMs(timeout),
    retries: retries === undefined ? DEFAULT_RETRIES : retriesOf(retries),
    missingStatus: 503,
  };
}

function destinationOf({ host, subset = '', port }: Field<'mirror'>): Destination {
  return { host: host || null, namespace: null, subset, port: port?.number ?? null };
}

function rewrittenPath({ uri, uriRegexRewrite }: HttpRoute['rewrite'] = {}): ForwardAction['path'] {
  if (uriRegexRewrite !== undefined) {
    const { match = '', rewrite = '' } = uriRegexRewrite;
    return { kind: 'regex', pattern: match, substitution: rewrite };
  }
  return uri ? { kind: 'prefix', value: uri } : null;
}

function mirrorsOf(route: HttpRoute): Mirror[] {
  const { mirror, mirrorPercent, mirrorPercentage, mirrors = [] } = route;
  const percentage = mirrorPercentage ?? null;
  const whole: Share = { numerator: mirrorPercent ?? 100, denominator: 100 };
  const first =
    mirror === undefined
      ? []
      : [{ destination: mirror, share: percentage === null ? whole : shareOf(percentage) }];
  const others = mirrors.map(({ destination, percentage: own }) => {
    return { destination, share: own === undefined ? ALL : shareOf(own) };
  });
  return [...first, ...others]
    .filter(({ share }) => share.numerator > 0)
    .map(({ destination, share }) => ({ destination: destinationOf(destination), share }));
}

const ALL: Share = { numerator: 100, denominator: 100 };
const PER_MILLION = 1_000_000;

/** Cut off after four decimals; no less than none and no more than all. */
function shareOf({ value = 0 }: Field<'mirrorPercentage'>): Share {
  const numerator = Math.min(Math.max(0, Math.trunc(value * 10_000)), PER_MILLION);
  return { numerator, denominator: PER_MILLION };
}

/** None if no attempts are said. */
function retriesOf(retries: Field<'retries'>): Retries | null {
  const { attempts = 0, perTryTimeout, retryOn = '', backoff } = retries;
  const { retryRemoteLocalities, retryIgnorePreviousHosts } = retries;
  if (attempts <= 0) return null;
  const avoids = retryIgnorePreviousHosts ?? null;
  return {
    ...DEFAULT_RETRIES,
    attempts,
    ...(retryOn !== '' && conditions(retryOn)),
    perTryTimeoutMs: perTryTimeout === undefined ? null : durationMs(perTryTimeout),
    backoffMs: backoff === undefined ? null : durationMs(backoff),
    previousHosts: avoids === null ? 'default' : avoids ? 'avoided' : 'allowed',
    localities: retryRemoteLocalities === true ? 'other' : 'any',
  };
}

const BY_CODE = 'retriable-status-codes';

/** Numbers are status codes, and ask for retries by them. */
function conditions(retryOn: string): Pick<Retries, 'on' | 'codes'> {
  const words = retryOn.split(',').map((word) => word.trim());
  const codes = words.filter((word) => /^[1-5]\d\d$/.test(word)).map(Number);
  const named = words.filter((word) => word !== '' && !codes.includes(Number(word))).join(',');
  return {
    on: codes.length > 0 && !named.includes(BY_CODE) ? `${named},${BY_CODE}` : named,
    codes,
  };
}

export function corsPolicy(cors: Field<'corsPolicy'>): CorsPolicy {
  const { allowOrigins, allowOrigin = [], maxAge, allowCredentials } = cors;
  const exact = allowOrigin.map((value) => ({ kind: 'exact', value }) as const);
  const credentials = allowCredentials ?? null;
  return {
    allowOrigins: allowOrigins?.flatMap((origin) => textMatch(origin) ?? []) ?? exact,
    allowMethods: cors.allowMethods ?? [],
    allowHeaders: cors.allowHeaders ?? [],
    exposeHeaders: cors.exposeHeaders ?? [],
    maxAgeS: maxAge === undefined ? null : Math.trunc(durationMs(maxAge) / 1000),
    credentials: credentials === null ? null : credentials ? 'allowed' : 'refused',
    unmatchedPreflights: cors.unmatchedPreflights === 'IGNORE' ? 'answered' : 'forwarded',
  };
}

/** A delay without a duration, and an abort without a status, are none. Null if nothing is left. */
export function faultOf({ delay, abort }: Field<'fault'>): Fault | null {
  const found: Fault = { delay: delayOf(delay), abort: abortOf(abort) };
  return found.delay === null && found.abort === null ? null : found;
}

function delayOf(delay: Field<'fault'>['delay']): Fault['delay'] {
  if (delay?.fixedDelay === undefined) return null;
  const { percentage, percent = 0, fixedDelay } = delay;
  const share: Share =
    percentage === undefined
      ? { numerator: Math.min(percent, 100), denominator: 100 }
      : shareOf(percentage);
  return { share, delayMs: durationMs(fixedDelay) };
}

function abortOf(abort: Field<'fault'>['abort']): Fault['abort'] {
  if (abort === undefined) return null;
  const { percentage, httpStatus, grpcStatus } = abort;
  const share = percentage === undefined ? null : shareOf(percentage);
  if (httpStatus !== undefined) return { share, status: { kind: 'http', code: httpStatus } };
  const code = grpcStatusNamed(grpcStatus ?? '');
  return code === null ? null : { share, status: { kind: 'grpc', code } };
}
