import type { Cluster } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { HttpProtocolOptionsSchema } from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import type { HttpVersion } from '../upstream/request-pool.ts';
import { unpack } from './any.ts';

const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Which version requests to a cluster are sent in; `downstream` is the one that they came in. */
export type UpstreamProtocol = HttpVersion | 'downstream';

/** Default HTTP/1.1, as Envoy's. */
export function upstreamProtocol(cluster: Cluster): UpstreamProtocol {
  const any = cluster.typedExtensionProtocolOptions[OPTIONS];
  if (any === undefined) return 'HTTP/1.1';
  const path = `${cluster.name}.typed_extension_protocol_options`;
  const { upstreamProtocolOptions: chosen } = unpack(any, HttpProtocolOptionsSchema, path);
  if (chosen.case === 'useDownstreamProtocolConfig') return 'downstream';
  if (chosen.case !== 'explicitHttpConfig') return 'HTTP/1.1';
  return chosen.value.protocolConfig.case === 'http2ProtocolOptions' ? 'HTTP/2' : 'HTTP/1.1';
}
