// hot path: a line for every request
import { joinHeader } from '@aquifer/http';
import type { HostMetadata } from '../clusters/host.ts';
import type { AccessRecord } from './access-record.ts';
import { ConfigProblem } from './problem.ts';
import { compileRecordExpression, textOfValue } from './record-expression.ts';

export type Operator = (record: AccessRecord) => string | number | null;

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
  ROUTE_NAME: ({ routeName }) => routeName,
  GRPC_STATUS: ({ grpcStatus }) => GRPC_NAMES[Number(grpcStatus ?? Number.NaN)] ?? grpcStatus,
  GRPC_STATUS_NUMBER: ({ grpcStatus }) => (grpcStatus === null ? null : Number(grpcStatus)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: ({ downstreamRemote }) => downstreamRemote,
  DOWNSTREAM_PEER_URI_SAN: ({ source }) => source.principal || null,
  TRACE_ID: ({ traceId }) => traceId,
};

/** As Envoy names them in lines. */
const GRPC_NAMES: readonly string[] = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** Those of Envoy's that have no value here: they print as missing. Any other name is refused, as Envoy does. */
const WITHOUT_VALUE =
  /^(?:CONNECTION_ID|DOWNSTREAM_\w+|DYNAMIC_METADATA|ENVIRONMENT|FILTER_STATE|HOSTNAME|METADATA|PROTOCOL|QUERY_PARAM|REQUESTED_SERVER_NAME|REQUEST_\w+|RESP|RESPONSE_\w+|ROUNDTRIP_DURATION|STREAM_ID|TRACE_ID|TRAILER|TLS_\w+|UNIQUE_ID|UPSTREAM_\w+|VIRTUAL_CLUSTER_NAME|CLUSTER_METADATA|COMMON_DURATION|CEL|EMIT_TIME|REQ|REQ_WITHOUT_QUERY|START_TIME|LOCAL_REPLY_BODY|BYTES_\w+|GRPC_STATUS|ACCESS_LOG_TYPE)$/;

/** What stands between percent signs: a name, what it is about, and how long the text may be. */
const COMMAND = /^([A-Z_0-9]+)(?:\((.*)\))?(?::(\d+))?$/s;

/** Throws `ConfigProblem` for a command that Envoy does not know either. */
export function compileOperator(command: string, path: string): Operator {
  const [, name = '', about, limit] = COMMAND.exec(command) ?? [];
  const whole = about === undefined ? name : `${name}(${about})`;
  const operator = OPERATORS[whole] ?? argumentOperator(name, about, path);
  if (operator !== null) return limit === undefined ? operator : cut(operator, Number(limit));
  if (WITHOUT_VALUE.test(name)) return () => null;
  throw new ConfigProblem(path, `%${command}% is no command of a format string`);
}

function cut(operator: Operator, characters: number): Operator {
  return (record) => {
    const value = operator(record);
    return typeof value === 'string' ? value.slice(0, characters) : value;
  };
}

function argumentOperator(name: string, about: string | undefined, path: string): Operator | null {
  if (about === undefined) return null;
  switch (name) {
    case 'REQ':
      return requestField(about);
    case 'RESP':
      return headerOperator(about, ({ responseHeaders }) => responseHeaders);
    case 'REQ_WITHOUT_QUERY': {
      const whole = requestField(about) ?? (() => null);
      return (record) => withoutQuery(whole(record));
    }
    case 'FILTER_STATE':
      return peerOperator(about);
    case 'CEL': {
      const read = compileRecordExpression(about, path);
      return (record) => textOfValue(read(record));
    }
    default:
      return null;
  }
}

const PEER = /^(downstream|upstream)_peer_obj:FIELD:(\w+)$/;

/** What Istio's Envoy knows of the ends of a connection, by their names there. */
function peerOperator(about: string): Operator | null {
  const [, side, field = ''] = PEER.exec(about) ?? [];
  const name = Object.hasOwn(PEER_FIELDS, field) ? PEER_FIELDS[field]! : null;
  if (side === undefined || name === null) return null;
  return (record) => (side === 'upstream' ? record.destination : record.source)?.[name] ?? null;
}

const PEER_FIELDS: Readonly<Record<string, keyof HostMetadata>> = {
  app: 'canonicalName',
  cluster: 'cluster',
  namespace: 'namespace',
  revision: 'canonicalRevision',
  service: 'canonicalName',
  version: 'canonicalRevision',
  workload: 'workload',
};

function requestField(about: string): Operator | null {
  const known = OPERATORS[`REQ(${about})`];
  if (known !== undefined || about.includes(':')) return known ?? null;
  return headerOperator(about, ({ requestHeaders }) => requestHeaders);
}

/** `A?B`: the first of two headers that is there. */
function headerOperator(
  about: string,
  headersOf: (record: AccessRecord) => readonly string[],
): Operator {
  const names = about.toLowerCase().split('?');
  return (record) => {
    for (const each of names) {
      const value = joinHeader(headersOf(record), each);
      if (value !== null) return value;
    }
    return null;
  };
}

function withoutQuery(value: string | number | null): string | number | null {
  return typeof value === 'string' ? value.replace(/\?.*$/s, '') : value;
}

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
