import { CorsSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/cors/v3_pb';
import { HTTPFaultSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/fault/v3_pb';
import { JwtAuthenticationSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/jwt_authn/v3_pb';
import { LocalRateLimitSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/local_ratelimit/v3_pb';
import { RBACSchema as HttpRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/rbac/v3_pb';
import type { HttpFilter } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import type { DescMessage } from '@bufbuild/protobuf';
import { isType, unpack } from './any.ts';
import { ConfigProblem } from './problem.ts';
import { type AuthorizationFilter, type AuthorizationView, compileAuthorization } from './rbac.ts';

/** Routes speak of these filters by their names, and there may be one of each. */
const NAMED: readonly (readonly [DescMessage, string])[] = [
  [CorsSchema, 'envoy.filters.http.cors'],
  [HTTPFaultSchema, 'envoy.filters.http.fault'],
  [JwtAuthenticationSchema, 'envoy.filters.http.jwt_authn'],
  [LocalRateLimitSchema, 'envoy.filters.http.local_ratelimit'],
];
const RBAC = 'envoy.filters.http.rbac';

/** Throws `ConfigProblem` for filters that would be found under another name, or once too often. */
export function refuseRepeated(filters: readonly HttpFilter[], path: string): void {
  const seen = new Set<string>();
  for (const [i, { name, configType }] of filters.entries()) {
    const [, own] = NAMED.find(([schema]) => isType(configType.value, schema)) ?? [];
    const expected = isType(configType.value, HttpRbacSchema) ? RBAC : own;
    if (expected !== undefined && name !== expected)
      throw new ConfigProblem(`${path}[${i}].name`, `a filter of this type is called ${expected}`);
    if (own === undefined) continue;
    if (seen.has(own)) throw new ConfigProblem(`${path}[${i}]`, `there is another ${own}`);
    seen.add(own);
  }
}

/** What a filter decides about who may pass. All others only observe, or are compiled elsewhere. */
export function compileHttpFilter(
  filter: HttpFilter,
  path: string,
  view: AuthorizationView,
): AuthorizationFilter[] {
  const any = filter.configType.value;
  if (!isType(any, HttpRbacSchema)) return [];
  const { rules } = unpack(any, HttpRbacSchema, path);
  return rules === undefined ? [] : [compileAuthorization(rules, `${path}.rules`, view)];
}
