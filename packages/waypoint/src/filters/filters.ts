import { CorsPolicySchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/cors/v3_pb';
import { HTTPFaultSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/fault/v3_pb';
import { JwtAuthenticationSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/jwt_authn/v3_pb';
import { LocalRateLimitSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/local_ratelimit/v3_pb';
import type { HttpFilter } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import type { Any } from '@bufbuild/protobuf/wkt';
import { unpack } from '../compile/any.ts';
import { ConfigProblem } from '../compile/problem.ts';
import { type CorsPolicy, compileCors } from './cors.ts';
import { compileFault, type Fault } from './fault.ts';
import { compileJwt, type JwtFilter } from './jwt/jwt-authn.ts';
import { RateLimit } from './local-rate-limit.ts';

/** A filter of a connection manager: whether it is there, and what it does where a route says nothing. */
interface Presence<Config> {
  readonly isPresent: boolean;
  readonly forAll: Config | null;
}

/** The filters of a chain, beside authorization. */
export interface ChainFilters {
  /** Null if no tokens are verified. */
  readonly jwt: JwtFilter | null;
  readonly cors: boolean;
  readonly fault: Presence<Fault>;
  readonly rateLimit: Presence<RateLimit>;
}

/** What a route says to them. */
export interface RouteFilters {
  readonly cors: CorsPolicy | null;
  readonly fault: Fault | null;
  readonly rateLimit: RateLimit | null;
}

const CORS = 'envoy.filters.http.cors';
const JWT = 'envoy.filters.http.jwt_authn';
const FAULT = 'envoy.filters.http.fault';
const RATE_LIMIT = 'envoy.filters.http.local_ratelimit';

/**
 * In which they run: the stages in which a filter may. Configuration that wants another order is refused. Policies before
 * others say whom to ask, and deny behind them what is denied.
 */
const STAGES: Readonly<Record<string, readonly number[]>> = {
  'envoy.filters.http.rbac': [0, 2],
  'envoy.filters.http.ext_authz': [0],
  [JWT]: [1],
  [FAULT]: [3],
  [CORS]: [4],
  [RATE_LIMIT]: [5],
  'envoy.filters.http.router': [6],
};

export function compileChainFilters(filters: readonly HttpFilter[], path: string): ChainFilters {
  checkOrder(filters, path);
  const find = (name: string): HttpFilter | undefined =>
    filters.find((filter) => filter.name === name);
  const fault = find(FAULT);
  const rateLimit = find(RATE_LIMIT);
  return {
    jwt: readJwt(find(JWT)?.configType.value, path),
    cors: find(CORS) !== undefined,
    fault: { isPresent: fault !== undefined, forAll: readFault(fault?.configType.value, path) },
    rateLimit: {
      isPresent: rateLimit !== undefined,
      forAll: readRateLimit(rateLimit?.configType.value, path),
    },
  };
}

/** Null where a route says nothing to any filter, so that nothing is done. */
export function compileRouteFilters(
  configs: Readonly<Record<string, Any>>,
  path: string,
): RouteFilters | null {
  const names = Object.keys(configs);
  if (names.length === 0) return null;
  for (const name of names) {
    if (name !== CORS && name !== FAULT && name !== RATE_LIMIT) {
      throw new ConfigProblem(`${path}[${name}]`, 'is not supported');
    }
  }
  const cors = configs[CORS];
  return {
    cors: cors === undefined ? null : compileCors(unpack(cors, CorsPolicySchema, path), path),
    fault: readFault(configs[FAULT], path),
    rateLimit: readRateLimit(configs[RATE_LIMIT], path),
  };
}

function readJwt(any: Any | undefined, path: string): JwtFilter | null {
  return any === undefined ? null : compileJwt(unpack(any, JwtAuthenticationSchema, path), path);
}

function readFault(any: Any | undefined, path: string): Fault | null {
  return any === undefined ? null : compileFault(unpack(any, HTTPFaultSchema, path), path);
}

/** A filter without a bucket is there for routes that have one. */
function readRateLimit(any: Any | undefined, path: string): RateLimit | null {
  if (any === undefined) return null;
  const config = unpack(any, LocalRateLimitSchema, path);
  return config.tokenBucket === undefined ? null : new RateLimit(config, path);
}

function checkOrder(filters: readonly HttpFilter[], path: string): void {
  let stage = 0;
  let before = '';
  for (const { name } of filters) {
    if (!Object.hasOwn(STAGES, name)) continue;
    const next = STAGES[name]!.find((each) => each >= stage);
    if (next === undefined) {
      throw new ConfigProblem(path, `${before} before ${name} is not supported`);
    }
    stage = next;
    before = name;
  }
}
