// hot path: a line for every request
import { joinHeader } from '@aquifer/http';
import type { AccessLog } from '@aquifer/wire/gen/envoy/config/accesslog/v3_pb';
import { FileAccessLogSchema } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import { isType, unpack } from './any.ts';

/** One finished request or connection, as its access line needs it. */
export interface AccessRecord {
  /** Of HTTP; null for bytes. */
  readonly protocol: string | null;
  /** Since the epoch. */
  readonly startedAtMs: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly flags: string;
  readonly details: string;
  /** Why a connection was ended from here; null otherwise. */
  readonly terminationDetails: string | null;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly durationMs: number;
  readonly upstreamServiceTimeMs: number | null;
  readonly requestHeaders: readonly string[];
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

/** Command operators of Envoy's format strings that a waypoint's requests and connections have values for (spec l7 8.3). */
const OPERATORS: Readonly<Record<string, Operator>> = {
  START_TIME: ({ startedAtMs }) => isoTime(startedAtMs),
  'REQ(:METHOD)': ({ method }) => method,
  'REQ(X-ENVOY-ORIGINAL-PATH?:PATH)': ({ path }) => path,
  'REQ(:PATH)': ({ path }) => path,
  PROTOCOL: ({ protocol }) => protocol,
  RESPONSE_CODE: ({ status }) => status,
  RESPONSE_FLAGS: ({ flags }) => flags,
  RESPONSE_CODE_DETAILS: ({ details }) => details,
  CONNECTION_TERMINATION_DETAILS: ({ terminationDetails }) => terminationDetails,
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
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: ({ downstreamRemote }) => downstreamRemote,
  ROUTE_NAME: ({ routeName }) => routeName,
};

/** What Envoy writes unless told otherwise (Envoy docs "Access logging", default format string). */
const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

let lastTimeMs = 0;
let lastTime = '';

/** Requests of one millisecond share its text, which costs more to make than the rest of a line. */
function isoTime(ms: number): string {
  const wholeMs = Math.floor(ms);
  if (wholeMs === lastTimeMs) return lastTime;
  lastTimeMs = wholeMs;
  lastTime = new Date(wholeMs).toISOString();
  return lastTime;
}

/** Null when no access log goes to standard output. Operators without a value print `-`. */
export function compileAccessLog(logs: readonly AccessLog[]): AccessLogFormat | null {
  for (const [i, log] of logs.entries()) {
    const any = log.configType.value;
    if (!isType(any, FileAccessLogSchema)) continue;
    const { accessLogFormat } = unpack(any, FileAccessLogSchema, `access_log[${i}]`);
    if (accessLogFormat.case === undefined) return compileFormat(DEFAULT_FORMAT);
    const format = accessLogFormat.case === 'logFormat' ? accessLogFormat.value.format : undefined;
    const source = format?.case === 'textFormatSource' ? format.value.specifier : undefined;
    if (source?.case === 'inlineString') return compileFormat(source.value);
  }
  return null;
}

function compileFormat(format: string): AccessLogFormat {
  const parts = format.split(/%([A-Z_]+(?:\([^)]*\))?)%/);
  const steps = parts.flatMap((part, i) =>
    i % 2 === 0
      ? []
      : [{ before: parts[i - 1]!, operator: OPERATORS[part] ?? headerOperator(part) }],
  );
  const tail = parts.at(-1)!;
  return (record) => {
    let line = '';
    for (const { before, operator } of steps) line += `${before}${operator(record) ?? '-'}`;
    return line + tail;
  };
}

function headerOperator(part: string): Operator {
  const [, name] = /^REQ\(([^):]+)\)$/.exec(part) ?? [];
  if (name === undefined) return () => null;
  const lower = name.toLowerCase();
  return ({ requestHeaders }) => joinHeader(requestHeaders, lower);
}
