import {
  CidrRangeSchema,
  DataSourceSchema,
  HeaderValueOptionSchema,
  HeaderValueSchema,
  Http1ProtocolOptionsSchema,
  RuntimeFractionalPercentSchema,
  RuntimeUInt32Schema,
  TypedExtensionConfigSchema,
} from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { UriTemplateMatchConfigSchema } from '@aquifer/wire/gen/envoy/extensions/path/match/uri_template/v3_pb';
import { EnvironmentResourceDetectorConfigSchema } from '@aquifer/wire/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3_pb';
import {
  FilterStateMatcherSchema,
  PathMatcherSchema,
  RegexMatchAndSubstituteSchema,
  RegexMatcherSchema,
  StringMatcherSchema,
} from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import {
  FractionalPercentSchema,
  HttpStatusSchema,
  TokenBucketSchema,
} from '@aquifer/wire/gen/envoy/type/v3_pb';
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

/** Matchers, fractions, addresses and the like, which stand in resources of every kind. */
export const VALUES: readonly MessageCapabilities[] = [
  capabilitiesOf(
    StringMatcherSchema,
    handled('exact', 'prefix', 'suffix', 'safe_regex', 'ignore_case'),
  ),
  capabilitiesOf(RegexMatcherSchema, handled('regex')),
  capabilitiesOf(RegexMatchAndSubstituteSchema, handled('pattern', 'substitution')),
  capabilitiesOf(PathMatcherSchema, handled('path')),
  capabilitiesOf(FilterStateMatcherSchema, handled('key', 'string_match')),
  capabilitiesOf(UriTemplateMatchConfigSchema, handled('path_template')),
  capabilitiesOf(TypedExtensionConfigSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      [UriTemplateMatchConfigSchema.typeName]: HANDLED,
      [EnvironmentResourceDetectorConfigSchema.typeName]: HANDLED,
    }),
  }),
  capabilitiesOf(CidrRangeSchema, handled('address_prefix', 'prefix_len')),
  capabilitiesOf(HeaderValueSchema, handled('key', 'value')),
  capabilitiesOf(HeaderValueOptionSchema, {
    ...handled('header', 'append_action'),
    append: refused('append_action says it'),
  }),
  capabilitiesOf(DataSourceSchema, {
    ...handled('inline_bytes', 'inline_string'),
    filename: refused('no files are read: inline_string says it here'),
  }),
  capabilitiesOf(FractionalPercentSchema, handled('numerator', 'denominator')),
  capabilitiesOf(RuntimeFractionalPercentSchema, handled('default_value')),
  capabilitiesOf(RuntimeUInt32Schema, {
    default_value: HANDLED,
    runtime_key: harmless('nothing changes at run time: the default is what holds'),
  }),
  capabilitiesOf(HttpStatusSchema, handled('code')),
  capabilitiesOf(TokenBucketSchema, handled('max_tokens', 'tokens_per_fill', 'fill_interval')),
  capabilitiesOf(Http1ProtocolOptionsSchema, {}),
];
