/** Envoy's file access log in Istio's default text format (Istio docs "Envoy Access Logs"; recordings l7). */
import {
  type AccessLogFilterSchema,
  type AccessLogSchema,
  ComparisonFilter_Op,
} from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import { FileAccessLogSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import { extension, type Init } from './packed.ts';

type AccessLog = Init<typeof AccessLogSchema>;
type Filter = Init<typeof AccessLogFilterSchema>;

const FORMAT = [
  '[%START_TIME%]',
  '"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"',
  '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%',
  '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION%',
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%"',
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW%',
  '%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS%',
  '%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n',
].join(' ');

function fileLog(filter?: Filter): AccessLog {
  const textFormat = { specifier: { case: 'inlineString' as const, value: FORMAT } };
  return {
    ...extension('envoy.access_loggers.file', FileAccessLogSchema, {
      path: '/dev/stdout',
      accessLogFormat: {
        case: 'logFormat',
        value: { format: { case: 'textFormatSource', value: textFormat } },
      },
    }),
    ...(filter && { filter }),
  };
}

function withFlag(flag: string): Filter {
  return { filterSpecifier: { case: 'responseFlagFilter', value: { flags: [flag] } } };
}

/** One line for each request or connection. */
export const EVERY_REQUEST: readonly AccessLog[] = [fileLog()];

/** Connections that no filter chain takes. */
export const NO_ROUTE: readonly AccessLog[] = [fileLog(withFlag('NR'))];

/** Tunnels that could not be opened. */
export const UPSTREAM_FAILURE: readonly AccessLog[] = [fileLog(withFlag('UF'))];

/** CONNECTs answered with 400 or above. */
export const REFUSED_CONNECT: readonly AccessLog[] = [
  fileLog({
    filterSpecifier: {
      case: 'statusCodeFilter',
      value: {
        comparison: {
          op: ComparisonFilter_Op.GE,
          value: { defaultValue: 400, runtimeKey: 'istio.io/unset' },
        },
      },
    },
  }),
];
