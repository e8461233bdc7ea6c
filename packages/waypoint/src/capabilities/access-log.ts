import {
  AccessLogFilterSchema,
  AccessLogSchema,
  AndFilterSchema,
  ComparisonFilterSchema,
  ResponseFlagFilterSchema,
  StatusCodeFilterSchema,
} from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import { SubstitutionFormatStringSchema } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { FileAccessLogSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
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
    typed_config: extension({ [FileAccessLogSchema.typeName]: HANDLED }),
  }),
  capabilitiesOf(FileAccessLogSchema, handled('path', 'log_format')),
  capabilitiesOf(SubstitutionFormatStringSchema, {
    ...handled('text_format_source', 'json_format'),
    json_format_options: harmless('the keys of a line are in order in any case'),
  }),
  capabilitiesOf(AccessLogFilterSchema, {
    ...handled('status_code_filter', 'and_filter', 'response_flag_filter'),
    extension_filter: refused('expressions of CEL are not evaluated'),
  }),
  capabilitiesOf(AndFilterSchema, handled('filters')),
  capabilitiesOf(StatusCodeFilterSchema, handled('comparison')),
  capabilitiesOf(ComparisonFilterSchema, handled('op', 'value')),
  capabilitiesOf(ResponseFlagFilterSchema, handled('flags')),
];
