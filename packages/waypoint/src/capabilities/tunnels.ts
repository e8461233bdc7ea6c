import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { TransportSocketSchema } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { FilterSchema, ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouterSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/router/v3_pb';
import { ConfigSchema as HttpFilterStateSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/set_filter_state/v3_pb';
import {
  HttpConnectionManagerSchema,
  HttpFilterSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { TcpProxySchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3_pb';
import { RawBufferSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import {
  CertificateValidationContextSchema,
  CommonTlsContext_CombinedCertificateValidationContextSchema,
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  SubjectAltNameMatcherSchema,
  UpstreamTlsContextSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { StringMatcherSchema } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import type { DescMessage } from '@bufbuild/protobuf';
import {
  type Capability,
  capabilitiesOf,
  extension,
  HANDLED,
  handled,
  harmless,
  type MessageCapabilities,
  refused,
} from './capability.ts';
import { CLUSTERS } from './cluster.ts';
import { PEER_METADATA } from './filters.ts';
import { LISTENERS } from './listener.ts';
import { A_LABEL, OF_TUNNELS } from './reasons.ts';

/** Resources that describe the tunnels of HBONE: this proxy takes and opens them by itself. */
export const TUNNEL_RESOURCES: ReadonlySet<string> = new Set([
  'connect_terminate',
  'connect_originate',
]);

const NEVER_READ = harmless(OF_TUNNELS);
const OTHER_NAMES = refused(
  'names in certificates of tunnels are compared as a whole or by prefix',
);

/** What is otherwise in them. */
export const TUNNELS: readonly MessageCapabilities[] = [
  capabilitiesOf(ClusterSchema, {
    ...fieldsIn(CLUSTERS, ClusterSchema),
    original_dst_lb_config: NEVER_READ,
  }),
  capabilitiesOf(ListenerSchema, {
    ...fieldsIn(LISTENERS, ListenerSchema),
    use_original_dst: NEVER_READ,
  }),
  capabilitiesOf(FilterSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      [HttpConnectionManagerSchema.typeName]: HANDLED,
      [TcpProxySchema.typeName]: NEVER_READ,
    }),
  }),
  capabilitiesOf(HttpConnectionManagerSchema, {
    ...allOf(HttpConnectionManagerSchema, NEVER_READ),
    http_filters: HANDLED,
  }),
  capabilitiesOf(HttpFilterSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      [RouterSchema.typeName]: HANDLED,
      [HttpFilterStateSchema.typeName]: NEVER_READ,
      ...PEER_METADATA,
    }),
  }),
  capabilitiesOf(TransportSocketSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      [UpstreamTlsContextSchema.typeName]: HANDLED,
      [DownstreamTlsContextSchema.typeName]: NEVER_READ,
      [RawBufferSchema.typeName]: refused('tunnels are encrypted'),
    }),
  }),
  capabilitiesOf(UpstreamTlsContextSchema, {
    common_tls_context: HANDLED,
    sni: NEVER_READ,
  }),
  capabilitiesOf(CommonTlsContextSchema, {
    tls_params: harmless('tunnels are of TLS 1.3'),
    alpn_protocols: NEVER_READ,
    tls_certificate_sds_secret_configs: harmless('the certificate is the one of this proxy'),
    validation_context: refused('combined_validation_context says it here'),
    combined_validation_context: HANDLED,
    tls_certificate_provider_instance: refused('the certificate is the one of this proxy'),
  }),
  capabilitiesOf(CommonTlsContext_CombinedCertificateValidationContextSchema, {
    default_validation_context: HANDLED,
    validation_context_sds_secret_config: harmless('the roots are those of this proxy'),
  }),
  capabilitiesOf(CertificateValidationContextSchema, {
    trusted_ca: refused('the roots are those of this proxy'),
    crl: refused('the roots are those of this proxy'),
    match_subject_alt_names: refused('match_typed_subject_alt_names says it here'),
    match_typed_subject_alt_names: HANDLED,
    ca_certificate_provider_instance: refused('the roots are those of this proxy'),
  }),
  capabilitiesOf(SubjectAltNameMatcherSchema, handled('san_type', 'matcher')),
  capabilitiesOf(StringMatcherSchema, {
    ...handled('exact', 'prefix'),
    suffix: OTHER_NAMES,
    safe_regex: OTHER_NAMES,
    ignore_case: OTHER_NAMES,
  }),
];

function fieldsIn(
  area: readonly MessageCapabilities[],
  message: DescMessage,
): MessageCapabilities['fields'] {
  return area.find((entry) => entry.message === message)!.fields;
}

function allOf(message: DescMessage, capability: Capability): Record<string, Capability> {
  return Object.fromEntries(message.fields.map(({ name }) => [name, capability]));
}
