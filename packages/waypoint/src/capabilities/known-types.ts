import { FilterConfigSchema as NamedFilterSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3_pb';
import { ExtAuthzSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/ext_authz/v3_pb';
import { FilterConfigSchema as GrpcStatsSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/grpc_stats/v3_pb';
import { ConfigSchema as HttpFilterStateSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/set_filter_state/v3_pb';
import { HttpInspectorSchema } from '@aquifer/wire/gen/envoy/extensions/filters/listener/http_inspector/v3_pb';
import { OriginalDstSchema } from '@aquifer/wire/gen/envoy/extensions/filters/listener/original_dst/v3_pb';
import { TlsInspectorSchema } from '@aquifer/wire/gen/envoy/extensions/filters/listener/tls_inspector/v3_pb';
import { ProxyProtocolUpstreamTransportSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/proxy_protocol/v3_pb';
import { DownstreamTlsContextSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { TypedStructSchema } from '@aquifer/wire/gen/udpa/type/v1_pb';
import {
  create,
  createFileRegistry,
  createRegistry,
  type DescMessage,
  type Registry,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, StringValueSchema } from '@bufbuild/protobuf/wkt';
import { CAPABILITIES, TUNNEL_CAPABILITIES } from './table.ts';

/** Types that the table only names: nobody looks into them. */
const NAMED: readonly DescMessage[] = [
  StringValueSchema,
  TypedStructSchema,
  OriginalDstSchema,
  HttpInspectorSchema,
  TlsInspectorSchema,
  GrpcStatsSchema,
  NamedFilterSchema,
  HttpFilterStateSchema,
  ExtAuthzSchema,
  DownstreamTlsContextSchema,
  ProxyProtocolUpstreamTransportSchema,
];

/** Of Istio, without definitions here: they are shown without their fields. */
const OPAQUE: readonly (readonly [pack: string, message: string])[] = [
  ['envoy.tcp.metadataexchange.config', 'MetadataExchange'],
  ['io.istio.http.peer_metadata', 'Config'],
  ['istio.envoy.config.filter.http.alpn.v2alpha1', 'FilterConfig'],
];

function opaque([pack, message]: (typeof OPAQUE)[number]): Registry {
  const file = create(FileDescriptorProtoSchema, {
    name: `${pack}.proto`,
    package: pack,
    syntax: 'proto3',
    messageType: [{ name: message }],
  });
  return createFileRegistry(file, () => undefined);
}

/** All types that the table speaks of, to read and show configuration as JSON. */
export const KNOWN_TYPES: Registry = createRegistry(
  ...[...CAPABILITIES.values(), ...TUNNEL_CAPABILITIES.values()].map(({ message }) => message),
  ...NAMED,
  ...OPAQUE.map(opaque),
);
