/** Envoy's ext_authz filter, and the RBAC filter before it whose dry run says which requests it is for. */
import {
  ExtAuthzSchema,
  type HttpService,
  type ExtAuthz as PbExtAuthz,
} from '@aquifer/wire/gen/envoy/extensions/filters/http/ext_authz/v3_pb';
import { RBACSchema as HttpRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/rbac/v3_pb';
import type { HttpFilter } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import type { ListStringMatcher } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { httpProvider, type Provider } from '../filters/ext-authz.ts';
import { grpcProvider } from '../filters/ext-authz-grpc.ts';
import { MAX_REPLAY_BYTES } from '../request/request-body.ts';
import { durationMs, isType, unpack } from './any.ts';
import { ConfigProblem } from './problem.ts';
import { type AuthorizationFilter, type AuthorizationView, compileAuthorization } from './rbac.ts';
import { compileStringMatch, type TextMatch } from './string-match.ts';

/** Somebody who is asked whether requests may pass. */
export interface ExternalCheck {
  /** Names the rule that has a request asked about; null if it is not. */
  readonly asks: AuthorizationFilter;
  readonly provider: Provider;
  readonly cluster: string;
  /** 0 is no limit. */
  readonly timeoutMs: number;
  /** How much of a body is asked about; null for none. */
  readonly body: {
    readonly maxBytes: number;
    readonly ofLonger: 'the-beginning' | 'refused';
  } | null;
  /** What becomes of requests that nobody decides about: they pass, or are answered with this status. */
  readonly failure: 'passes' | number;
}

const FORBIDDEN = 403;
const EFFECTIVE_POLICY = 'shadow_effective_policy_id';

/** Those of a chain, in order. Throws `ConfigProblem` for what is not done. */
export function compileExternalChecks(
  filters: readonly HttpFilter[],
  path: string,
  view: AuthorizationView,
): ExternalCheck[] {
  return filters.flatMap(({ configType }, i) => {
    const any = configType.value;
    if (!isType(any, ExtAuthzSchema)) return [];
    const at = `${path}[${i}]`;
    return [compileCheck(unpack(any, ExtAuthzSchema, at), asker(filters, i, path, view), at)];
  });
}

function compileCheck(
  config: PbExtAuthz,
  askerOf: (config: PbExtAuthz) => AuthorizationFilter,
  path: string,
): ExternalCheck {
  const { withRequestBody, failureModeAllow, statusOnError } = config;
  if (withRequestBody !== undefined && withRequestBody.maxRequestBytes > MAX_REPLAY_BYTES) {
    throw new ConfigProblem(
      `${path}.with_request_body.max_request_bytes`,
      `is above ${MAX_REPLAY_BYTES}, which is what is kept of a request`,
    );
  }
  return {
    ...serviceOf(config, path),
    asks: askerOf(config),
    body:
      withRequestBody === undefined
        ? null
        : {
            maxBytes: withRequestBody.maxRequestBytes,
            ofLonger: withRequestBody.allowPartialMessage ? 'the-beginning' : 'refused',
          },
    failure: failureModeAllow ? 'passes' : statusOnError?.code || FORBIDDEN,
  };
}

function serviceOf(
  { services, allowedHeaders }: PbExtAuthz,
  path: string,
): Pick<ExternalCheck, 'provider' | 'cluster' | 'timeoutMs'> {
  const at = `${path}.allowed_headers`;
  if (services.case === 'grpcService') {
    const { targetSpecifier, timeout } = services.value;
    if (targetSpecifier.case !== 'envoyGrpc') {
      throw new ConfigProblem(`${path}.grpc_service`, 'names no cluster');
    }
    const { clusterName, authority } = targetSpecifier.value;
    const hears = allowedHeaders === undefined ? () => true : anyOf(allowedHeaders, at);
    return {
      provider: grpcProvider(authority || clusterName, hears),
      cluster: clusterName,
      timeoutMs: durationMs(timeout) ?? 0,
    };
  }
  if (services.case !== 'httpService') throw new ConfigProblem(path, 'names no service');
  return httpServiceOf(services.value, anyOf(allowedHeaders, at), `${path}.http_service`);
}

function httpServiceOf(
  { serverUri, pathPrefix, authorizationRequest, authorizationResponse: answer }: HttpService,
  hears: TextMatch,
  path: string,
): Pick<ExternalCheck, 'provider' | 'cluster' | 'timeoutMs'> {
  const at = `${path}.authorization_response`;
  const { allowedClientHeaders: onDeny } = answer ?? {};
  return {
    provider: httpProvider({
      pathPrefix,
      hears,
      added: (authorizationRequest?.headersToAdd ?? []).map(({ key, value }) => [
        key.toLowerCase(),
        value,
      ]),
      upstream: anyOf(answer?.allowedUpstreamHeaders, `${at}.allowed_upstream_headers`),
      onAllow: anyOf(
        answer?.allowedClientHeadersOnSuccess,
        `${at}.allowed_client_headers_on_success`,
      ),
      onDeny: onDeny === undefined ? null : anyOf(onDeny, `${at}.allowed_client_headers`),
    }),
    cluster: serverUri?.httpUpstreamType.value ?? '',
    timeoutMs: durationMs(serverUri?.timeout) ?? 0,
  };
}

function anyOf(list: ListStringMatcher | undefined, path: string): TextMatch {
  const all = (list?.patterns ?? []).map((pattern, i) =>
    compileStringMatch(pattern, `${path}.patterns[${i}]`),
  );
  return (text) => all.some((matches) => matches(text));
}

/** Which requests are asked about: all, or those that a rule of the RBAC filter before it marks, as a dry run. */
function asker(
  filters: readonly HttpFilter[],
  place: number,
  path: string,
  view: AuthorizationView,
): (config: PbExtAuthz) => AuthorizationFilter {
  return ({ filterEnabledMetadata }) => {
    if (filterEnabledMetadata === undefined) return () => 'all';
    const at = `${path}[${place}].filter_enabled_metadata`;
    const key = filterEnabledMetadata.path[0]?.segment.value ?? '';
    const value = filterEnabledMetadata.value?.matchPattern;
    if (value?.case !== 'stringMatch') throw new ConfigProblem(at, 'compares no text');
    const isAsked = compileStringMatch(value.value, at);
    const marking = filters.slice(0, place).flatMap(({ configType }, i) => {
      const any = configType.value;
      if (!isType(any, HttpRbacSchema)) return [];
      const rbac = unpack(any, HttpRbacSchema, `${path}[${i}]`);
      const isMeant = `${rbac.shadowRulesStatPrefix}${EFFECTIVE_POLICY}` === key;
      if (!isMeant || rbac.shadowRules === undefined) return [];
      return [compileAuthorization(rbac.shadowRules, `${path}[${i}].shadow_rules`, view)];
    });
    if (marking.length === 0) throw new ConfigProblem(at, `no filter before it sets ${key}`);
    return (input) => {
      const found = marking.map((mark) => mark(input)).find((name) => name !== null) ?? null;
      return found !== null && isAsked(found) ? found : null;
    };
  };
}
