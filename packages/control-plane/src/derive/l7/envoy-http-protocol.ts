/** In which HTTP endpoints are spoken to, and how long their connections live (spec l7 2.4; recordings l7/14, 15, 17). */
import type { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { HttpProtocolOptionsSchema } from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import type { TrafficPolicy } from '../traffic/traffic-policy.ts';
import { durationOf, type Init, packed } from './packed.ts';
import type { L7Port } from './port-protocol.ts';

type HttpOptions = Init<typeof HttpProtocolOptionsSchema>;
type Upstream = NonNullable<HttpOptions['upstreamProtocolOptions']>;
type HttpPool = NonNullable<NonNullable<TrafficPolicy['connectionPool']>['http']>;

export function httpOptions(options: HttpOptions): Init<typeof ClusterSchema> {
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return { typedExtensionProtocolOptions: { [name]: packed(HttpProtocolOptionsSchema, options) } };
}

/** What the client speaks. */
export const AS_DOWNSTREAM: HttpOptions = {
  upstreamProtocolOptions: {
    case: 'useDownstreamProtocolConfig',
    value: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
  },
};

const HTTP1: Upstream = {
  case: 'explicitHttpConfig',
  value: { protocolConfig: { case: 'httpProtocolOptions', value: {} } },
};

/** `tlsNames` are names that TLS takes from the request. Nothing is said where nothing need be. */
export function portHttpOptions(
  port: L7Port,
  policy: TrafficPolicy | null,
  tlsNames: HttpOptions['upstreamHttpProtocolOptions'] | null,
): Init<typeof ClusterSchema> {
  const upstream = upstreamProtocol(port, policy?.connectionPool?.http ?? {});
  const common = commonOptions(policy);
  if (upstream === null && common === null && tlsNames === null) return {};
  return httpOptions({
    upstreamProtocolOptions: upstream ?? HTTP1,
    ...(common !== null && { commonHttpProtocolOptions: common }),
    ...(tlsNames !== null && { upstreamHttpProtocolOptions: tlsNames }),
  });
}

/** Whether endpoints are spoken to in HTTP/2, whoever asks. */
export function isHttp2(port: L7Port, policy: TrafficPolicy | null): boolean {
  const { h2UpgradePolicy, useClientProtocol } = policy?.connectionPool?.http ?? {};
  return h2UpgradePolicy === 'UPGRADE' || (port.protocol === 'http2' && useClientProtocol !== true);
}

/** Null for HTTP/1.1, or none at all. A sniffed port is spoken to in what the client speaks. */
function upstreamProtocol({ protocol }: L7Port, http: HttpPool): Upstream | null {
  if (http.h2UpgradePolicy === 'UPGRADE') return http2(http);
  if (http.useClientProtocol === true || protocol === 'unknown') {
    return AS_DOWNSTREAM.upstreamProtocolOptions ?? null;
  }
  return protocol === 'http2' ? http2(http) : null;
}

function http2({ maxConcurrentStreams, http2KeepAlive }: HttpPool): Upstream {
  const { interval, timeout } = http2KeepAlive ?? {};
  const value = {
    ...(maxConcurrentStreams && { maxConcurrentStreams }),
    ...(http2KeepAlive !== undefined && {
      connectionKeepalive: {
        ...(interval !== undefined && { interval: durationOf(interval) }),
        ...(timeout !== undefined && { timeout: durationOf(timeout) }),
      },
    }),
  };
  return {
    case: 'explicitHttpConfig',
    value: { protocolConfig: { case: 'http2ProtocolOptions', value } },
  };
}

/** Null if nothing is said; what holds for TCP also holds for HTTP that says nothing. */
function commonOptions(
  policy: TrafficPolicy | null,
): HttpOptions['commonHttpProtocolOptions'] | null {
  const { tcp = {}, http = {} } = policy?.connectionPool ?? {};
  const idleTimeout = durationOf(http.idleTimeout ?? tcp.idleTimeout);
  const maxConnectionDuration = durationOf(tcp.maxConnectionDuration);
  const { maxRequestsPerConnection, maxConcurrentStreams } = http;
  const options = {
    ...(idleTimeout && { idleTimeout }),
    ...(maxConnectionDuration && { maxConnectionDuration }),
    ...(maxRequestsPerConnection && { maxRequestsPerConnection }),
  };
  return Object.keys(options).length > 0 || maxConcurrentStreams ? options : null;
}
