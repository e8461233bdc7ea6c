import {
  AccessLogFilterSchema,
  AccessLogSchema,
  AndFilterSchema,
  ComparisonFilterSchema,
  ExtensionFilterSchema,
  ResponseFlagFilterSchema,
  StatusCodeFilterSchema,
} from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import { SubstitutionFormatStringSchema } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { FileAccessLogSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import { ExpressionFilterSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/filters/cel/v3_pb';
import { CommonGrpcAccessLogConfigSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/grpc/v3_pb';
import { OpenTelemetryAccessLogConfigSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/open_telemetry/v3_pb';
import {
  AnyValueSchema,
  KeyValueListSchema,
  KeyValueSchema,
} from '@aquifer/wire/gen/opentelemetry/proto/common/v1_pb';
import {
  capabilitiesOf,
  extension,
  HANDLED,
  handled,
  harmless,
  type MessageCapabilities,
  refused,
} from './capability.ts';
import { A_LABEL } from './reasons.ts';

/** Access logs. A command operator without a value here prints a dash. */
export const ACCESS_LOGS: readonly MessageCapabilities[] = [
  capabilitiesOf(AccessLogSchema, {
    name: harmless(A_LABEL),
    filter: HANDLED,
    typed_config: extension({
      [FileAccessLogSchema.typeName]: HANDLED,
      [OpenTelemetryAccessLogConfigSchema.typeName]: HANDLED,
    }),
  }),
  capabilitiesOf(FileAccessLogSchema, handled('path', 'log_format')),
  capabilitiesOf(SubstitutionFormatStringSchema, {
    ...handled('text_format_source', 'json_format', 'omit_empty_values'),
    formatters: harmless('commands of format strings are known without being asked for'),
    json_format_options: harmless('the keys of a line are in order in any case'),
  }),
  capabilitiesOf(AccessLogFilterSchema, {
    ...handled('status_code_filter', 'and_filter', 'response_flag_filter', 'extension_filter'),
  }),
  capabilitiesOf(ExtensionFilterSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({ [ExpressionFilterSchema.typeName]: HANDLED }),
  }),
  capabilitiesOf(ExpressionFilterSchema, handled('expression')),
  capabilitiesOf(OpenTelemetryAccessLogConfigSchema, {
    ...handled('common_config', 'body', 'attributes'),
    disable_builtin_labels: harmless('records have no labels but those that are asked for'),
    formatters: harmless('commands of format strings are known without being asked for'),
  }),
  capabilitiesOf(CommonGrpcAccessLogConfigSchema, {
    grpc_service: HANDLED,
    log_name: harmless('with the labels that Envoy would add, which are turned off'),
    transport_api_version: harmless('OpenTelemetry has its own'),
    filter_state_objects_to_log: harmless(
      'records of OpenTelemetry do not have them in Envoy either',
    ),
  }),
  capabilitiesOf(KeyValueListSchema, handled('values')),
  capabilitiesOf(KeyValueSchema, handled('key', 'value')),
  capabilitiesOf(AnyValueSchema, {
    string_value: HANDLED,
    ...Object.fromEntries(
      ['bool_value', 'int_value', 'double_value', 'array_value', 'kvlist_value', 'bytes_value'].map(
        (name) => [name, refused('only text is filled in')],
      ),
    ),
  }),
  capabilitiesOf(AndFilterSchema, handled('filters')),
  capabilitiesOf(StatusCodeFilterSchema, handled('comparison')),
  capabilitiesOf(ComparisonFilterSchema, handled('op', 'value')),
  capabilitiesOf(ResponseFlagFilterSchema, handled('flags')),
];
