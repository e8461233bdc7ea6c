/** CUSTOM policies as Envoy's filters: a dry run that says which requests are asked about, and whom to ask (recording l7/25). */

import { ApiVersion } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import type { RBACSchema } from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import {
  ExtAuthzSchema,
  type HttpServiceSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/http/ext_authz/v3_pb';
import { RBACSchema as HttpRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/rbac/v3_pb';
import type {
  ListStringMatcherSchema,
  StringMatcherSchema,
} from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { StatusCode } from '@aquifer/wire/gen/envoy/type/v3_pb';
import type { AuthorizationProvider } from '../extension-providers.ts';
import { outboundCluster } from './names.ts';
import { duration, type Extension, extension, type Init } from './packed.ts';

type ExtAuthzInit = Init<typeof ExtAuthzSchema>;
type HttpServiceInit = Init<typeof HttpServiceSchema>;
type Matchers = Init<typeof ListStringMatcherSchema>;

const STAT_PREFIX = 'istio_ext_authz_';

/** A provider by the name that policies call it by, and the rules of requests that it is asked about. */
export interface AskedProvider {
  readonly name: string;
  readonly provider: AuthorizationProvider;
  readonly rules: Init<typeof RBACSchema>;
}

/** What the names of its rules begin with. */
export function askedRulePrefix(name: string): string {
  return `istio-ext-authz-${name}`;
}

/** In the order of their names; each has marks of its own where there are several. */
export function externalFilters(asked: readonly AskedProvider[]): Extension[] {
  return asked.flatMap(({ name, provider, rules }) => {
    const mark = asked.length === 1 ? STAT_PREFIX : `${STAT_PREFIX}${name}_`;
    return [
      extension('envoy.filters.http.rbac', HttpRbacSchema, {
        shadowRules: rules,
        shadowRulesStatPrefix: mark,
      }),
      extension('envoy.filters.http.ext_authz', ExtAuthzSchema, {
        ...common(provider),
        ...(provider.kind === 'grpc' ? grpcService(provider) : httpService(provider)),
        filterEnabledMetadata: {
          filter: 'envoy.filters.http.rbac',
          path: [{ segment: { case: 'key', value: `${mark}shadow_effective_policy_id` } }],
          value: {
            matchPattern: {
              case: 'stringMatch',
              value: { matchPattern: { case: 'prefix', value: askedRulePrefix(name) } },
            },
          },
        },
      }),
    ];
  });
}

function common({ failure, failureStatus, body }: AuthorizationProvider): ExtAuthzInit {
  return {
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: failure === 'passes',
    ...(isStatus(failureStatus) && { statusOnError: { code: failureStatus } }),
    ...(body !== null && {
      withRequestBody: {
        maxRequestBytes: body.maxBytes,
        allowPartialMessage: body.ofLonger === 'the-beginning',
      },
    }),
  };
}

/** One that Envoy knows. */
function isStatus(code: number | null): code is StatusCode {
  return (
    (Object.values(StatusCode) as (number | null)[]).includes(code) && code !== StatusCode.Empty
  );
}

function grpcService({ service, timeoutMs }: AuthorizationProvider): ExtAuthzInit {
  const { hostname, port } = service;
  const envoyGrpc = { clusterName: outboundCluster(port, hostname), authority: hostname };
  return {
    services: {
      case: 'grpcService',
      value: {
        targetSpecifier: { case: 'envoyGrpc', value: envoyGrpc },
        timeout: duration(timeoutMs),
      },
    },
  };
}

function httpService(provider: AuthorizationProvider): ExtAuthzInit {
  const { service, timeoutMs, pathPrefix, heardHeaders } = provider;
  const { hostname, port } = service;
  return {
    ...(heardHeaders.length > 0 && { allowedHeaders: matchers(heardHeaders) }),
    services: {
      case: 'httpService',
      value: {
        serverUri: {
          uri: `http://${hostname}`,
          httpUpstreamType: { case: 'cluster', value: outboundCluster(port, hostname) },
          timeout: duration(timeoutMs),
        },
        pathPrefix,
        ...requestOf(provider),
        ...responseOf(provider),
      },
    },
  };
}

function requestOf({ addedHeaders }: AuthorizationProvider): HttpServiceInit {
  if (addedHeaders.length === 0) return {};
  const headersToAdd = addedHeaders.map(([key, value]) => ({ key, value }));
  return { authorizationRequest: { headersToAdd } };
}

function responseOf(provider: AuthorizationProvider): HttpServiceInit {
  const { upstreamOnAllow, downstreamOnAllow, downstreamOnDeny } = provider;
  const all = [...upstreamOnAllow, ...downstreamOnAllow, ...downstreamOnDeny];
  if (all.length === 0) return {};
  return {
    authorizationResponse: {
      ...(upstreamOnAllow.length > 0 && { allowedUpstreamHeaders: matchers(upstreamOnAllow) }),
      ...(downstreamOnDeny.length > 0 && { allowedClientHeaders: matchers(downstreamOnDeny) }),
      ...(downstreamOnAllow.length > 0 && {
        allowedClientHeadersOnSuccess: matchers(downstreamOnAllow),
      }),
    },
  };
}

function matchers(names: readonly string[]): Matchers {
  return { patterns: names.map((name) => ({ ...pattern(name), ignoreCase: true })) };
}

function pattern(name: string): Init<typeof StringMatcherSchema> {
  if (name.endsWith('*')) return { matchPattern: { case: 'prefix', value: name.slice(0, -1) } };
  if (name.startsWith('*')) return { matchPattern: { case: 'suffix', value: name.slice(1) } };
  return { matchPattern: { case: 'exact', value: name } };
}
