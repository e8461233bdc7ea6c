import type { Cluster } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { Http2ProtocolOptions } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type HttpProtocolOptions,
  HttpProtocolOptionsSchema,
} from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import type { ConnectionLifetimes, HttpVersion } from '../upstream/request-pool.ts';
import { durationMs, unpack } from './any.ts';

const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Which version requests to a cluster are sent in; `downstream` is the one that they came in. */
export type UpstreamProtocol = HttpVersion | 'downstream';

/** Default HTTP/1.1, as Envoy's. */
export function upstreamProtocol(cluster: Cluster): UpstreamProtocol {
  const any = cluster.typedExtensionProtocolOptions[OPTIONS];
  if (any === undefined) return 'HTTP/1.1';
  const path = `typed_extension_protocol_options[${OPTIONS}]`;
  const { upstreamProtocolOptions: chosen } = unpack(any, HttpProtocolOptionsSchema, path);
  if (chosen.case === 'useDownstreamProtocolConfig') return 'downstream';
  if (chosen.case !== 'explicitHttpConfig') return 'HTTP/1.1';
  return chosen.value.protocolConfig.case === 'http2ProtocolOptions' ? 'HTTP/2' : 'HTTP/1.1';
}

const IDLE_MS = 3_600_000;

/** Those of connections, whatever is spoken on them. Requests are counted in their old place or in the new one. */
export function connectionLifetimes({
  maxRequestsPerConnection,
  typedExtensionProtocolOptions,
}: Cluster): ConnectionLifetimes {
  const maxRequests = maxRequestsPerConnection ?? 0;
  const any = typedExtensionProtocolOptions[OPTIONS];
  if (any === undefined) return { maxRequests, idleMs: IDLE_MS, maxAgeMs: 0, maxStreams: 0 };
  const path = `typed_extension_protocol_options[${OPTIONS}]`;
  const options = unpack(any, HttpProtocolOptionsSchema, path);
  const common = options.commonHttpProtocolOptions;
  return {
    maxRequests: common?.maxRequestsPerConnection ?? maxRequests,
    idleMs: durationMs(common?.idleTimeout) ?? IDLE_MS,
    maxAgeMs: durationMs(common?.maxConnectionDuration) ?? 0,
    maxStreams: http2OptionsOf(options.upstreamProtocolOptions)?.maxConcurrentStreams ?? 0,
  };
}

function http2OptionsOf(
  chosen: HttpProtocolOptions['upstreamProtocolOptions'],
): Http2ProtocolOptions | undefined {
  switch (chosen.case) {
    case 'useDownstreamProtocolConfig':
      return chosen.value.http2ProtocolOptions;
    case 'explicitHttpConfig': {
      const { protocolConfig } = chosen.value;
      return protocolConfig.case === 'http2ProtocolOptions' ? protocolConfig.value : undefined;
    }
    case undefined:
      return undefined;
  }
}
