/** What rules say to filters of HTTP, by the names of the filters. */
import { CorsPolicySchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/cors/v3_pb';
import { HTTPFaultSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/fault/v3_pb';
import {
  type FractionalPercentSchema,
  FractionalPercent_DenominatorType as Per,
} from '@aquifer/wire/gen/envoy/type/v3_pb';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { CorsPolicy, Fault, RouteRule, Share } from '../routing/route-rule.ts';
import { stringMatcher } from './envoy-match.ts';
import { duration, type Init, packed } from './packed.ts';

export const FAULT_FILTER = 'envoy.filters.http.fault';

export function filterConfigs({ cors, fault }: RouteRule): Record<string, Any> {
  return {
    ...(fault !== null && { [FAULT_FILTER]: faultConfig(fault) }),
    ...(cors !== null && { 'envoy.filters.http.cors': corsConfig(cors) }),
  };
}

export function fractionalPercent({
  numerator,
  denominator,
}: Share): Init<typeof FractionalPercentSchema> {
  return { numerator, denominator: denominator === 100 ? Per.HUNDRED : Per.MILLION };
}

function corsConfig(cors: CorsPolicy): Any {
  const { allowMethods, allowHeaders, exposeHeaders, maxAgeS, credentials } = cors;
  return packed(CorsPolicySchema, {
    allowOriginStringMatch: cors.allowOrigins.map(stringMatcher),
    allowMethods: allowMethods.join(','),
    allowHeaders: allowHeaders.join(','),
    exposeHeaders: exposeHeaders.join(','),
    maxAge: maxAgeS === null ? '' : String(maxAgeS),
    ...(credentials !== null && { allowCredentials: credentials === 'allowed' }),
    filterEnabled: { defaultValue: { numerator: 100 } },
    forwardNotMatchingPreflights: cors.unmatchedPreflights === 'forwarded',
  });
}

function faultConfig({ delay, abort }: Fault): Any {
  return packed(HTTPFaultSchema, {
    ...(delay !== null && {
      delay: {
        percentage: fractionalPercent(delay.share),
        faultDelaySecifier: { case: 'fixedDelay', value: duration(delay.delayMs) },
      },
    }),
    ...(abort !== null && {
      abort: {
        ...(abort.share !== null && { percentage: fractionalPercent(abort.share) }),
        errorType: {
          case: abort.status.kind === 'http' ? 'httpStatus' : 'grpcStatus',
          value: abort.status.code,
        },
      },
    }),
  });
}
