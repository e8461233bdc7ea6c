/** Access logs as Envoy takes them (Istio docs "Envoy Access Logs"; recordings l7/01, 27, 28). */
import {
  type AccessLogFilterSchema,
  type AccessLogSchema,
  ComparisonFilter_Op,
} from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import {
  ApiVersion,
  type SubstitutionFormatStringSchema,
} from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { FileAccessLogSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import { ExpressionFilterSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/filters/cel/v3_pb';
import {
  type CommonGrpcAccessLogConfigSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '@aquifer/wire/gen/envoy/extensions/access_loggers/grpc/v3_pb';
import { OpenTelemetryAccessLogConfigSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/open_telemetry/v3_pb';
import { ReqWithoutQuerySchema } from '@aquifer/wire/gen/envoy/extensions/formatter/req_without_query/v3_pb';
import type { JsonObject } from '@bufbuild/protobuf';
import type { ProxyTelemetry } from '../telemetry/proxy-telemetry.ts';
import type {
  FileLog,
  LogProvider,
  RecordLog,
  StreamedLog,
} from '../telemetry/telemetry-providers.ts';
import { outboundCluster } from './names.ts';
import { type Extension, extension, type Init, packed } from './packed.ts';

type AccessLog = Init<typeof AccessLogSchema>;
type Filter = Init<typeof AccessLogFilterSchema>;
type Format = Init<typeof SubstitutionFormatStringSchema>;
type CommonConfig = Init<typeof CommonGrpcAccessLogConfigSchema>;
type Logs = Pick<ProxyTelemetry, 'logs'>;

/** What most lines say, by the names that they have as members. */
const MEMBERS: Readonly<Record<string, string>> = {
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  route_name: '%ROUTE_NAME%',
};

/** The members of a line that stand in quotes. */
const QUOTED: readonly string[] = [
  ...['upstream_transport_failure_reason', 'x_forwarded_for', 'user_agent', 'request_id'],
  ...['authority', 'upstream_host'],
];

/** The usual line: `[time] "method path protocol" …`. */
const LINE = `${Object.entries(MEMBERS)
  .map(([name, command]) => (QUOTED.includes(name) ? `"${command}"` : command))
  .join(' ')
  .replace(MEMBERS.start_time!, `[${MEMBERS.start_time}]`)
  .replace(MEMBERS.method!, `"${MEMBERS.method}`)
  .replace(MEMBERS.protocol!, `${MEMBERS.protocol}"`)}\n`;

/** What peers are known as to Istio's Envoy. */
const PEERS: readonly string[] = ['upstream_peer', 'downstream_peer'];
const OLDER_PEERS: readonly string[] = [
  ...['wasm.upstream_peer', 'wasm.upstream_peer_id'],
  ...['wasm.downstream_peer', 'wasm.downstream_peer_id'],
];

/** Of every request or connection. */
export function everyRequest(telemetry: Logs): AccessLog[] {
  return accessLogs(telemetry);
}

/** Of connections that no filter chain takes. */
export function noRoute(telemetry: Logs): AccessLog[] {
  return accessLogs(telemetry, withFlag('NR'));
}

/** Of tunnels that could not be opened. */
export function upstreamFailure(telemetry: Logs): AccessLog[] {
  return accessLogs(telemetry, withFlag('UF'));
}

/** Of CONNECTs answered with 400 or above. */
export function refusedConnect(telemetry: Logs): AccessLog[] {
  return accessLogs(telemetry, {
    filterSpecifier: {
      case: 'statusCodeFilter',
      value: {
        comparison: {
          op: ComparisonFilter_Op.GE,
          value: { defaultValue: 400, runtimeKey: 'istio.io/unset' },
        },
      },
    },
  });
}

function withFlag(flag: string): Filter {
  return { filterSpecifier: { case: 'responseFlagFilter', value: { flags: [flag] } } };
}

function accessLogs({ logs }: Logs, only?: Filter): AccessLog[] {
  return logs.map(({ provider, expression }) => {
    const filters = [
      ...(only ? [only] : []),
      ...(expression === null ? [] : [byExpression(expression)]),
    ];
    const [filter] = filters.length > 1 ? [allOf(filters)] : filters;
    return { ...logOf(provider), ...(filter && { filter }) };
  });
}

function allOf(filters: Filter[]): Filter {
  return { filterSpecifier: { case: 'andFilter', value: { filters } } };
}

function byExpression(expression: string): Filter {
  const name = 'envoy.access_loggers.extension_filters.cel';
  const value = extension(name, ExpressionFilterSchema, { expression });
  return { filterSpecifier: { case: 'extensionFilter', value } };
}

function logOf(provider: LogProvider): Extension {
  switch (provider.kind) {
    case 'file':
      return extension('envoy.access_loggers.file', FileAccessLogSchema, {
        path: provider.path,
        accessLogFormat: { case: 'logFormat', value: lineFormat(provider) },
      });
    case 'streamed':
      return streamedLog(provider);
    case 'records':
      return recordLog(provider);
  }
}

function lineFormat({ format, emptyValues }: Pick<FileLog, 'format' | 'emptyValues'>): Format {
  const omits = emptyValues === 'omitted' && { omitEmptyValues: true };
  if (format?.kind === 'json') {
    const members = Object.keys(format.members).length === 0 ? MEMBERS : format.members;
    return {
      format: { case: 'jsonFormat', value: members as JsonObject },
      jsonFormatOptions: {},
      ...formattersOf(JSON.stringify(members)),
      ...omits,
    };
  }
  const text = ended(format?.text ?? '');
  const source = { specifier: { case: 'inlineString' as const, value: text } };
  return { format: { case: 'textFormatSource', value: source }, ...formattersOf(text), ...omits };
}

/** Every line has an end. */
function ended(text: string): string {
  if (text === '') return LINE;
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** A command that is an extension of Envoy must be asked for. */
function formattersOf(text: string): Pick<Format, 'formatters'> {
  if (!text.includes('%REQ_WITHOUT_QUERY')) return {};
  const name = 'envoy.formatter.req_without_query';
  return { formatters: [{ name, typedConfig: packed(ReqWithoutQuerySchema) }] };
}

function common(
  { service: { hostname, port }, logName }: StreamedLog | RecordLog,
  filterStateObjectsToLog: readonly string[],
): CommonConfig {
  const envoyGrpc = { clusterName: outboundCluster(port, hostname), authority: hostname };
  return {
    logName,
    grpcService: { targetSpecifier: { case: 'envoyGrpc', value: envoyGrpc } },
    transportApiVersion: ApiVersion.V3,
    filterStateObjectsToLog: [...filterStateObjectsToLog],
  };
}

function streamedLog(log: StreamedLog): Extension {
  const commonConfig = common(log, log.filterStates.length > 0 ? log.filterStates : PEERS);
  if (log.of === 'tcp') {
    return extension('envoy.tcp_grpc_access_log', TcpGrpcAccessLogConfigSchema, { commonConfig });
  }
  return extension('envoy.http_grpc_access_log', HttpGrpcAccessLogConfigSchema, {
    commonConfig,
    additionalRequestHeadersToLog: [...log.requestHeaders],
    additionalResponseHeadersToLog: [...log.responseHeaders],
    additionalResponseTrailersToLog: [...log.responseTrailers],
  });
}

function recordLog(log: RecordLog): Extension {
  const text = log.text === '' ? LINE : log.text;
  const values = Object.entries(log.labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({ key, value: textValue(value) }));
  return extension('envoy.access_loggers.open_telemetry', OpenTelemetryAccessLogConfigSchema, {
    commonConfig: common(log, [...PEERS, ...OLDER_PEERS]),
    disableBuiltinLabels: true,
    body: textValue(text),
    ...(values.length > 0 && { attributes: { values } }),
    ...formattersOf(text + JSON.stringify(log.labels)),
  });
}

function textValue(value: string) {
  return { value: { case: 'stringValue' as const, value } };
}
