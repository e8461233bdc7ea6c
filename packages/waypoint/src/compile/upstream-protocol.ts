import type { Cluster } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { Http2ProtocolOptions } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type HttpProtocolOptions,
  HttpProtocolOptionsSchema,
} from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import type { HttpVersion } from '../upstream/request-pool.ts';
import { unpack } from './any.ts';
import { ConfigProblem } from './problem.ts';

const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Which version requests to a cluster are sent in; `downstream` is the one that they came in. */
export type UpstreamProtocol = HttpVersion | 'downstream';

/** Default HTTP/1.1, as Envoy's. */
export function upstreamProtocol(cluster: Cluster): UpstreamProtocol {
  const any = cluster.typedExtensionProtocolOptions[OPTIONS];
  if (any === undefined) return 'HTTP/1.1';
  const path = `typed_extension_protocol_options[${OPTIONS}]`;
  const { upstreamProtocolOptions: chosen } = unpack(any, HttpProtocolOptionsSchema, path);
  if (http2OptionsOf(chosen)?.maxConcurrentStreams !== undefined)
    throw new ConfigProblem(
      `${path}.http2_protocol_options.max_concurrent_streams`,
      'an endpoint says itself how many requests it takes on a connection',
    );
  if (chosen.case === 'useDownstreamProtocolConfig') return 'downstream';
  if (chosen.case !== 'explicitHttpConfig') return 'HTTP/1.1';
  return chosen.value.protocolConfig.case === 'http2ProtocolOptions' ? 'HTTP/2' : 'HTTP/1.1';
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
