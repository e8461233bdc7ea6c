import { HttpServiceSchema } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  OpenTelemetryConfigSchema,
  Tracing_HttpSchema,
  ZipkinConfigSchema,
} from '@aquifer/wire/gen/envoy/config/trace/v3_pb';
import { EnvironmentResourceDetectorConfigSchema } from '@aquifer/wire/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3_pb';
import {
  CustomTag_EnvironmentSchema,
  CustomTag_HeaderSchema,
  CustomTag_LiteralSchema,
  CustomTagSchema,
} from '@aquifer/wire/gen/envoy/type/tracing/v3_pb';
import {
  capabilitiesOf,
  extension,
  HANDLED,
  handled,
  harmless,
  type MessageCapabilities,
} from './capability.ts';
import { A_LABEL, DRY_RUN } from './reasons.ts';

/** Who is told of spans, and what of them. */
export const TRACERS: readonly MessageCapabilities[] = [
  capabilitiesOf(Tracing_HttpSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      [ZipkinConfigSchema.typeName]: HANDLED,
      [OpenTelemetryConfigSchema.typeName]: HANDLED,
    }),
  }),
  capabilitiesOf(
    ZipkinConfigSchema,
    handled(
      'trace_id_128bit',
      'shared_span_context',
      'collector_endpoint_version',
      'trace_context_option',
      'collector_service',
    ),
  ),
  capabilitiesOf(
    OpenTelemetryConfigSchema,
    handled('grpc_service', 'http_service', 'service_name', 'resource_detectors'),
  ),
  capabilitiesOf(EnvironmentResourceDetectorConfigSchema, {}),
  capabilitiesOf(HttpServiceSchema, handled('http_uri', 'request_headers_to_add')),
  capabilitiesOf(CustomTagSchema, {
    ...handled('tag', 'literal', 'environment', 'request_header', 'value'),
    metadata: harmless(DRY_RUN),
  }),
  capabilitiesOf(CustomTag_LiteralSchema, handled('value')),
  capabilitiesOf(CustomTag_EnvironmentSchema, handled('name', 'default_value')),
  capabilitiesOf(CustomTag_HeaderSchema, handled('name', 'default_value')),
];
