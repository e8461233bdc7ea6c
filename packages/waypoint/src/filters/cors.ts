import { getHeader, type HeaderList, setHeader } from '@aquifer/http';
import type { CorsPolicy as PbCorsPolicy } from '@aquifer/wire/gen/envoy/extensions/filters/http/cors/v3_pb';
import { compileStringMatch, type TextMatch } from '../compile/string-match.ts';
import { headerText } from '../compile/wire-text.ts';
import { CORS_PREFLIGHT } from '../request/outcome.ts';
import type { FilteredRequest } from './filtered-request.ts';
import { runtimeFractionOf } from './fraction.ts';

/** What pages of other origins may do with a route (spec l7 1.13). Lists are as they are sent; empty for none. */
export interface CorsPolicy {
  readonly allowsOrigin: TextMatch;
  readonly methods: string;
  readonly headers: string;
  readonly exposed: string;
  readonly maxAge: string;
  readonly credentials: boolean;
  /** A preflight of an origin that is not allowed goes to the upstream. */
  readonly forwardsUnmatched: boolean;
}

/** Null where the policy is switched off. */
export function compileCors(policy: PbCorsPolicy, path: string): CorsPolicy | null {
  if (runtimeFractionOf(policy.filterEnabled, 1) === 0) return null;
  const origins = policy.allowOriginStringMatch.map((origin, i) =>
    compileStringMatch(origin, `${path}.allow_origin_string_match[${i}]`),
  );
  const text = (field: string, value: string) => headerText(value, `${path}.${field}`);
  return {
    allowsOrigin: (origin) => origins.some((matches) => matches(origin)),
    methods: text('allow_methods', policy.allowMethods),
    headers: text('allow_headers', policy.allowHeaders),
    exposed: text('expose_headers', policy.exposeHeaders),
    maxAge: text('max_age', policy.maxAge),
    credentials: policy.allowCredentials ?? false,
    forwardsUnmatched: policy.forwardNotMatchingPreflights ?? true,
  };
}

/** Answers preflights, which is true, and has answers to pages of other origins say what those may read. */
export function applyCors(policy: CorsPolicy, request: FilteredRequest): boolean {
  const { headers } = request.exchange.head;
  const origin = getHeader(headers, 'origin') ?? '';
  if (origin === '') return false;
  const isAllowed = policy.allowsOrigin(origin);
  const asked =
    request.method === 'OPTIONS' ? getHeader(headers, 'access-control-request-method') : '';
  if (asked) return answerPreflight(request, policy, { asked, origin: isAllowed ? origin : null });
  if (isAllowed) request.changeAnswer((answer) => allowOrigin(answer, policy, origin));
  return false;
}

function answerPreflight(
  request: FilteredRequest,
  policy: CorsPolicy,
  { asked, origin }: { readonly asked: string; readonly origin: string | null },
): boolean {
  if (origin === null && policy.forwardsUnmatched) return false;
  const { headers } = request.exchange.head;
  const wanted = getHeader(headers, 'access-control-request-headers') ?? '';
  const answer: HeaderList = [];
  if (policy.methods !== '') {
    answer.push('access-control-allow-methods', policy.methods === '*' ? asked : policy.methods);
  }
  if (policy.headers !== '') {
    answer.push('access-control-allow-headers', policy.headers === '*' ? wanted : policy.headers);
  }
  if (policy.maxAge !== '') answer.push('access-control-max-age', policy.maxAge);
  if (origin !== null) allowOrigin(answer, policy, origin);
  else if (policy.credentials) answer.push('access-control-allow-credentials', 'true');
  request.reply(CORS_PREFLIGHT, answer);
  return true;
}

function allowOrigin(answer: HeaderList, policy: CorsPolicy, origin: string): void {
  setHeader(answer, 'access-control-allow-origin', origin);
  if (policy.credentials) setHeader(answer, 'access-control-allow-credentials', 'true');
  if (policy.exposed !== '') setHeader(answer, 'access-control-expose-headers', policy.exposed);
}
