// hot path: every finished request
import type { HttpProblem } from '@aquifer/http';
import type { HostMetadata } from '../clusters/host.ts';
import type { AccessRecord } from '../compile/access-record.ts';
import type { MetricRules } from '../compile/metric-rules.ts';
import type { CompiledTracing } from '../compile/tracing.ts';
import type { ActiveTrace } from '../tracing/active-trace.ts';
import { type CustomTag, outcomeOf, type Span, tagsOf } from '../tracing/span.ts';
import { ConnectionTelemetry } from './connection-telemetry.ts';
import type { Collector, ProxyNode } from './exporters.ts';
import type { CompiledAccessLog, LogSinks } from './log-sinks.ts';
import { affordable, affordableTold } from './series-budget.ts';
import type { SourcePeer } from './source-peer.ts';
import type { ToldMetrics } from './told-metrics.ts';

/** Upper bounds of the duration and size histograms (spec l7 8.1). */
export const BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
  600_000, 1_800_000, 3_600_000,
];

export interface Histogram {
  /** Observations per bucket, not cumulative; the last is beyond every bound. */
  readonly counts: number[];
  sum: number;
}

interface SeriesLabels {
  readonly source: SourcePeer;
  readonly destination: HostMetadata | null;
  readonly service: string;
  readonly code: number;
  readonly flags: string;
  readonly protocol: RequestProtocol;
  /** Null for as usual. */
  readonly told: ToldMetrics | null;
}

/** Requests of one set of labels. */
export interface RequestSeries extends SeriesLabels {
  requests: number;
  /** Of gRPC. */
  requestMessages: number;
  responseMessages: number;
  readonly durationMs: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
}

/** One object for each, so that it is compared as such. */
interface RequestProtocol {
  readonly name: 'http' | 'grpc';
  /** Empty for what is none of gRPC, or did not say. */
  readonly grpcStatus: string;
}

const HTTP: RequestProtocol = { name: 'http', grpcStatus: '' };
const GRPC_UNSAID: RequestProtocol = { name: 'grpc', grpcStatus: '' };
/** What else an upstream makes up is no label. */
const GRPC: ReadonlyMap<string, RequestProtocol> = new Map(
  Array.from({ length: 17 }, (_, code) => [
    String(code),
    { name: 'grpc', grpcStatus: String(code) },
  ]),
);

function protocolOf({ isGrpc, grpcStatus }: FinishedRequest): RequestProtocol {
  return isGrpc ? (GRPC.get(grpcStatus ?? '') ?? GRPC_UNSAID) : HTTP;
}

/** A connection of HTTP, as far as it is counted and logged. */
interface CountedConnection {
  readonly version: string;
  readonly chain: {
    readonly name: string;
    readonly accessLog: CompiledAccessLog | null;
    readonly metrics: MetricRules | null;
  };
  readonly info: { readonly source: SourcePeer };
  readonly clientText: string;
  readonly destinationText: string;
  /** Counters of the requests so far. */
  readonly series: RequestSeries[];
}

/** A request when it has ended. */
export interface FinishedRequest {
  readonly connection: CountedConnection;
  readonly exchange: { readonly head: { readonly headers: readonly string[] } };
  readonly startedAtMs: number;
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly hasAuthority: boolean;
  readonly sentHeaders: readonly string[] | null;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly isGrpc: boolean;
  readonly grpcStatus: string | null;
  readonly messages: { readonly received: number; readonly sent: number } | null;
  readonly host: { readonly name: string; readonly metadata: HostMetadata | null } | null;
  readonly clusterName: string | null;
  readonly route: { readonly name: string; readonly operation: string } | null;
  readonly serviceTimeMs: number | null;
  readonly upstreamFailure: string | null;
  readonly answerHeaders: readonly string[] | null;
  /** Null where no span is made. */
  readonly trace: ActiveTrace | null;
}

/** A connection remembers so many. */
const MAX_USED_SERIES = 8;

/** Of what no route takes, as Envoy calls it. */

export interface TelemetrySinks extends LogSinks {
  spans(collector: Collector<Span>, span: Span): void;
}

export interface Ending {
  readonly status: number;
  readonly flag: string;
  readonly details: string;
}

/** Counts requests and writes access lines. One per thread; texts are made when somebody scrapes. */
export class RequestTelemetry {
  /** Those whose bytes are passed through. */
  readonly passed: ConnectionTelemetry = new ConnectionTelemetry();
  /** Take access logs, and spans. */
  readonly sinks: TelemetrySinks;
  readonly #node: ProxyNode;
  readonly #series = new Map<string, RequestSeries>();
  /** Of the configurations that are in use. */
  readonly #tags = new WeakMap<CompiledTracing, readonly CustomTag[]>();

  constructor(sinks: TelemetrySinks, node: ProxyNode) {
    this.sinks = sinks;
    this.#node = node;
  }

  requestEnded(request: FinishedRequest, ending: Ending): void {
    const durationMs = performance.now() - request.startedAtMs;
    const { accessLog, metrics } = request.connection.chain;
    const record = isLookedAt(request) ? accessRecord(request, ending, durationMs) : null;
    const series = this.#seriesOf(request, ending, metrics?.toldOf(record) ?? null);
    count(series, request, durationMs);
    if (record === null) return;
    accessLog?.(record, this.sinks);
    const { trace } = request;
    if (trace?.context.isSampled === true) this.#tell(request, trace, record);
  }

  #tell(
    { route }: FinishedRequest,
    { tracing, context, operation }: ActiveTrace,
    record: AccessRecord,
  ): void {
    let customTags = this.#tags.get(tracing);
    if (customTags === undefined) {
      customTags = tracing.customTags(this.#node);
      this.#tags.set(tracing, customTags);
    }
    const { maxPathLength, collector, unnamed } = tracing;
    const byDefault = unnamed === 'ingress' ? unnamed : record.authority;
    this.sinks.spans(collector, {
      context,
      name: operation ?? (route?.operation || byDefault),
      startedAtMs: record.startedAtMs,
      durationMs: record.durationMs,
      tags: tagsOf(record, { customTags, maxPathLength, nodeId: this.#node.id }),
      outcome: outcomeOf(record),
    });
  }

  /** A request that was never understood: counted and logged with what there is. */
  protocolError(connection: CountedConnection, problem: HttpProblem, bytesSent: number): void {
    const { accessLog } = connection.chain;
    if (accessLog === null) return;
    accessLog(
      {
        protocol: connection.version,
        terminationDetails: null,
        startedAtMs: Date.now(),
        method: '-',
        path: '-',
        status: problem.status,
        flags: 'DPE',
        details: problem.details,
        bytesReceived: 0,
        bytesSent,
        durationMs: 0,
        upstreamServiceTimeMs: null,
        requestHeaders: [],
        responseHeaders: [],
        authority: '-',
        upstreamHost: null,
        upstreamCluster: null,
        upstreamFailure: null,
        downstreamLocal: connection.destinationText,
        downstreamRemote: connection.clientText,
        routeName: '-',
        grpcStatus: null,
        source: connection.info.source,
        destination: null,
        traceId: null,
      },
      this.sinks,
    );
  }

  snapshot(): readonly RequestSeries[] {
    return [...this.#series.values()];
  }

  /** Found among the few that this connection has used, without making its key. */
  #seriesOf(
    request: FinishedRequest,
    { status, flag }: Ending,
    told: ToldMetrics | null,
  ): RequestSeries {
    const { series: used, info, chain } = request.connection;
    const labels: SeriesLabels = {
      source: info.source,
      destination: request.host?.metadata ?? null,
      service: request.clusterName ?? chain.name,
      code: status,
      flags: flag || '-',
      protocol: protocolOf(request),
      told,
    };
    for (const one of used) if (isAlike(one, labels)) return one;
    const series = this.#seriesByLabels(labels);
    // Of labels that requests make up each makes its own.
    if (used.length < MAX_USED_SERIES && series.told === told) used.push(series);
    return series;
  }

  #seriesByLabels(labels: SeriesLabels): RequestSeries {
    // All that becomes a label: another version of a workload is another series.
    const existing = this.#series.get(JSON.stringify(labels));
    if (existing !== undefined) return existing;
    const kept = {
      ...labels,
      source: affordable(labels.source, this.#series.size),
      told: affordableTold(labels.told, this.#series.size),
    };
    const key = JSON.stringify(kept);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const series: RequestSeries = {
      ...kept,
      requestMessages: 0,
      responseMessages: 0,
      requests: 0,
      durationMs: emptyHistogram(),
      requestBytes: emptyHistogram(),
      responseBytes: emptyHistogram(),
    };
    this.#series.set(key, series);
    return series;
  }
}

/** Whether a record of it is of use to anybody. */
function isLookedAt({ connection, trace }: FinishedRequest): boolean {
  const { accessLog, metrics } = connection.chain;
  return accessLog !== null || trace?.context.isSampled === true || metrics?.looksAt === 'requests';
}

/** All come from one connection. */
function isAlike(one: SeriesLabels, other: SeriesLabels): boolean {
  return (
    one.code === other.code &&
    one.destination === other.destination &&
    one.service === other.service &&
    one.flags === other.flags &&
    one.protocol === other.protocol &&
    one.told === other.told
  );
}

function count(series: RequestSeries, request: FinishedRequest, durationMs: number): void {
  series.requests += 1;
  if (request.messages !== null) {
    series.requestMessages += request.messages.received;
    series.responseMessages += request.messages.sent;
  }
  observe(series.durationMs, durationMs);
  observe(series.requestBytes, request.bytesReceived);
  observe(series.responseBytes, request.bytesSent);
}

function accessRecord(request: FinishedRequest, ending: Ending, durationMs: number): AccessRecord {
  const { connection } = request;
  return {
    ...placesOf(request),
    protocol: connection.version,
    terminationDetails: null,
    startedAtMs: Date.now() - durationMs,
    method: request.method,
    path: request.target || '-',
    status: ending.status,
    flags: ending.flag || '-',
    details: ending.details,
    bytesReceived: request.bytesReceived,
    bytesSent: request.bytesSent,
    durationMs: Math.round(durationMs),
    requestHeaders: request.sentHeaders ?? request.exchange.head.headers,
    responseHeaders: request.answerHeaders ?? [],
    authority: request.hasAuthority ? request.authority : '-',
    grpcStatus: request.grpcStatus,
    traceId: request.trace?.context.traceId ?? null,
  };
}

/** Where it came from, and where it went. */
function placesOf(request: FinishedRequest) {
  const { connection, host, route } = request;
  return {
    source: connection.info.source,
    destination: host?.metadata ?? null,
    downstreamLocal: connection.destinationText,
    downstreamRemote: connection.clientText,
    upstreamHost: host?.name ?? null,
    upstreamCluster: request.clusterName,
    upstreamFailure: request.upstreamFailure,
    upstreamServiceTimeMs: request.serviceTimeMs,
    routeName: route?.name || '-',
  };
}

function emptyHistogram(): Histogram {
  return { counts: new Array<number>(BUCKETS.length + 1).fill(0), sum: 0 };
}

function observe(histogram: Histogram, value: number): void {
  let bucket = 0;
  while (bucket < BUCKETS.length && value > BUCKETS[bucket]!) bucket += 1;
  histogram.counts[bucket]! += 1;
  histogram.sum += value;
}
