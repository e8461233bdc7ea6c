// hot path: every request that is traced
/** What a proxy tells of a request that it has passed on, or answered itself (spec l7 8.4; Envoy `HttpTracerUtility`). */
import { joinHeader } from '@aquifer/http';
import type { AccessRecord } from '../compile/access-record.ts';
import type { TraceContext } from './trace-context.ts';

export type Tags = readonly (readonly [name: string, value: string])[];

export interface Span {
  readonly context: TraceContext;
  readonly name: string;
  /** Since the epoch. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly tags: Tags;
  readonly outcome: 'done' | 'failed';
}

/** Of what is not text. */
const FIXED_BYTES = 200;

/** About how many bytes it is to tell. */
export function sizeOfSpan({ name, tags, context }: Span): number {
  return FIXED_BYTES + name.length + context.traceState.length + sizeOfTags(tags);
}

export function sizeOfTags(tags: Tags): number {
  return tags.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

/** A tag that somebody has asked for; null for one without a value. */
export interface CustomTag {
  readonly name: string;
  readonly read: (record: AccessRecord) => string | null;
}

export interface SpanSettings {
  readonly customTags: readonly CustomTag[];
  /** Of `http.url`, how much of the path. */
  readonly maxPathLength: number;
  /** Of the proxy, as xDS knows it. */
  readonly nodeId: string;
}

const OK = '0';
/** Statuses of gRPC that are a failure of who was asked (Envoy `addGrpcResponseTags`). */
const GRPC_FAILURES: ReadonlySet<string> = new Set([...['2', '4', '8', '12', '13', '14', '15']]);

export function tagsOf(record: AccessRecord, settings: SpanSettings): Tags {
  const { requestHeaders, grpcStatus, status, upstreamCluster } = record;
  const tags: [string, string][] = [
    ['node_id', settings.nodeId],
    ['component', 'proxy'],
    ['guid:x-request-id', joinHeader(requestHeaders, 'x-request-id') ?? ''],
    ...clientTraceTag(requestHeaders),
    ['http.url', urlOf(record, settings.maxPathLength)],
    ['http.method', record.method],
    ['downstream_cluster', joinHeader(requestHeaders, 'x-envoy-downstream-service-cluster') ?? '-'],
    ['user_agent', joinHeader(requestHeaders, 'user-agent') ?? '-'],
    ['http.protocol', record.protocol ?? '-'],
    ['peer.address', withoutPort(record.downstreamRemote)],
    ['request_size', String(record.bytesReceived)],
    ['response_size', String(record.bytesSent)],
    ['http.status_code', String(status)],
    ['response_flags', record.flags],
  ];
  if (upstreamCluster !== null) {
    tags.push(['upstream_cluster', upstreamCluster], ['upstream_cluster.name', upstreamCluster]);
  }
  if (grpcStatus !== null) tags.push(['grpc.status_code', grpcStatus]);
  if (outcomeOf(record) === 'failed') tags.push(['error', 'true']);
  for (const { name, read } of settings.customTags) {
    const value = read(record);
    if (value !== null && value !== '') tags.push([name, value]);
  }
  return tags;
}

/** By which a client asks for a trace. */
function clientTraceTag(headers: AccessRecord['requestHeaders']): [string, string][] {
  const id = joinHeader(headers, 'x-client-trace-id');
  return id === null ? [] : [['guid:x-client-trace-id', id]];
}

export function outcomeOf({ status, grpcStatus }: AccessRecord): Span['outcome'] {
  if (status === 0 || status >= 500) return 'failed';
  return GRPC_FAILURES.has(grpcStatus ?? OK) ? 'failed' : 'done';
}

function urlOf({ requestHeaders, authority, path }: AccessRecord, maxPathLength: number): string {
  const scheme = joinHeader(requestHeaders, 'x-forwarded-proto') ?? 'http';
  return `${scheme}://${authority}${path.slice(0, maxPathLength)}`;
}

function withoutPort(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}
