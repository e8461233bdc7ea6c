import type { AccessLog } from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import { FileAccessLogSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import { isType, unpack } from './any.ts';

/** One finished request, as its access line needs it. */
interface AccessRecord {
  readonly startedAt: Date;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly flags: string;
  readonly details: string;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly durationMs: number;
  readonly upstreamServiceTimeMs: number | null;
  readonly requestHeader: (name: string) => string | null;
  readonly authority: string;
  readonly upstreamHost: string | null;
  readonly upstreamCluster: string | null;
  readonly upstreamFailure: string | null;
  readonly downstreamLocal: string;
  readonly downstreamRemote: string;
  readonly routeName: string;
}

export type AccessLogFormat = (record: AccessRecord) => string;

type Operator = (record: AccessRecord) => string | number | null;

/** Command operators of Envoy's format strings that a waypoint's requests have values for (spec l7 8.3). */
const OPERATORS: Readonly<Record<string, Operator>> = {
  START_TIME: ({ startedAt }) => startedAt.toISOString(),
  'REQ(:METHOD)': ({ method }) => method,
  'REQ(X-ENVOY-ORIGINAL-PATH?:PATH)': ({ path }) => path,
  'REQ(:PATH)': ({ path }) => path,
  PROTOCOL: () => 'HTTP/1.1',
  RESPONSE_CODE: ({ status }) => status,
  RESPONSE_FLAGS: ({ flags }) => flags,
  RESPONSE_CODE_DETAILS: ({ details }) => details,
  UPSTREAM_TRANSPORT_FAILURE_REASON: ({ upstreamFailure }) => upstreamFailure,
  BYTES_RECEIVED: ({ bytesReceived }) => bytesReceived,
  BYTES_SENT: ({ bytesSent }) => bytesSent,
  DURATION: ({ durationMs }) => durationMs,
  'RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)': ({ upstreamServiceTimeMs }) => upstreamServiceTimeMs,
  'REQ(:AUTHORITY)': ({ authority }) => authority,
  UPSTREAM_HOST: ({ upstreamHost }) => upstreamHost,
  UPSTREAM_CLUSTER: ({ upstreamCluster }) => upstreamCluster,
  UPSTREAM_CLUSTER_RAW: ({ upstreamCluster }) => upstreamCluster,
  DOWNSTREAM_LOCAL_ADDRESS: ({ downstreamLocal }) => downstreamLocal,
  DOWNSTREAM_REMOTE_ADDRESS: ({ downstreamRemote }) => downstreamRemote,
  ROUTE_NAME: ({ routeName }) => routeName,
};

/** Null when no access log goes to standard output. Operators without a value print `-`. */
export function compileAccessLog(logs: readonly AccessLog[]): AccessLogFormat | null {
  for (const [i, log] of logs.entries()) {
    const any = log.configType.value;
    if (!isType(any, FileAccessLogSchema)) continue;
    const { accessLogFormat } = unpack(any, FileAccessLogSchema, `access_log[${i}]`);
    const format = accessLogFormat.case === 'logFormat' ? accessLogFormat.value.format : undefined;
    const source = format?.case === 'textFormatSource' ? format.value.specifier : undefined;
    if (source?.case === 'inlineString') return compileFormat(source.value);
  }
  return null;
}

function compileFormat(format: string): AccessLogFormat {
  const parts = format.split(/%([A-Z_]+(?:\([^)]*\))?)%/);
  const operators = parts.map((part, i): ((record: AccessRecord) => string) => {
    if (i % 2 === 0) return () => part;
    const operator = OPERATORS[part] ?? headerOperator(part);
    return (record) => String(operator(record) ?? '-');
  });
  return (record) => operators.map((operator) => operator(record)).join('');
}

function headerOperator(part: string): Operator {
  const [, name] = /^REQ\(([^):]+)\)$/.exec(part) ?? [];
  if (name === undefined) return () => null;
  const lower = name.toLowerCase();
  return ({ requestHeader }) => requestHeader(lower);
}
