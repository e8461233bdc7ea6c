// hot path: every finished request
import type { HttpProblem } from '@aquifer/http';
import type { HostMetadata } from '../clusters/host.ts';
import type { AccessLogFormat, AccessRecord } from '../compile/access-log.ts';
import { ConnectionTelemetry } from './connection-telemetry.ts';
import { affordable } from './series-budget.ts';
import type { SourcePeer } from './source-peer.ts';

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
  readonly chain: { readonly name: string; readonly accessLog: AccessLogFormat | null };
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
  readonly route: { readonly name: string } | null;
  readonly serviceTimeMs: number | null;
  readonly upstreamFailure: string | null;
}

/** A connection remembers so many. */
const MAX_USED_SERIES = 8;

export interface Ending {
  readonly status: number;
  readonly flag: string;
  readonly details: string;
}

/** Counts requests and writes access lines. One per thread; texts are made when somebody scrapes. */
export class RequestTelemetry {
  /** Those whose bytes are passed through. */
  readonly passed: ConnectionTelemetry = new ConnectionTelemetry();
  /** Takes access lines. */
  readonly write: (line: string) => void;
  readonly #series = new Map<string, RequestSeries>();

  /** `write` takes access lines, each ending in a newline; what is not logged has none. */
  constructor(write: (line: string) => void) {
    this.write = (line) => {
      if (line !== '') write(line);
    };
  }

  requestEnded(request: FinishedRequest, ending: Ending): void {
    const durationMs = performance.now() - request.startedAtMs;
    const series = this.#seriesOf(request, ending);
    series.requests += 1;
    series.requestMessages += request.messages?.received ?? 0;
    series.responseMessages += request.messages?.sent ?? 0;
    observe(series.durationMs, durationMs);
    observe(series.requestBytes, request.bytesReceived);
    observe(series.responseBytes, request.bytesSent);
    const format = request.connection.chain.accessLog;
    if (format !== null) this.write(format(accessRecord(request, ending, durationMs)));
  }

  /** A request that was never understood: counted and logged with what there is. */
  protocolError(connection: CountedConnection, problem: HttpProblem, bytesSent: number): void {
    const format = connection.chain.accessLog;
    if (format === null) return;
    this.write(
      format({
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
        authority: '-',
        upstreamHost: null,
        upstreamCluster: null,
        upstreamFailure: null,
        downstreamLocal: connection.destinationText,
        downstreamRemote: connection.clientText,
        routeName: '-',
        grpcStatus: null,
      }),
    );
  }

  snapshot(): readonly RequestSeries[] {
    return [...this.#series.values()];
  }

  /** Found among the few that this connection has used, without making its key. */
  #seriesOf(request: FinishedRequest, { status, flag }: Ending): RequestSeries {
    const { series: used, info, chain } = request.connection;
    const destination = request.host?.metadata ?? null;
    const service = request.clusterName ?? chain.name;
    const flags = flag || '-';
    const protocol = protocolOf(request);
    for (const one of used) {
      if (one.code !== status || one.destination !== destination) continue;
      if (one.service === service && one.flags === flags && one.protocol === protocol) return one;
    }
    const { source } = info;
    const labels = { source, destination, service, code: status, flags, protocol };
    const series = this.#seriesByLabels(labels);
    if (used.length < MAX_USED_SERIES) used.push(series);
    return series;
  }

  #seriesByLabels(labels: SeriesLabels): RequestSeries {
    // All that becomes a label: another version of a workload is another series.
    const existing = this.#series.get(JSON.stringify(labels));
    if (existing !== undefined) return existing;
    const kept = { ...labels, source: affordable(labels.source, this.#series.size) };
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

function accessRecord(request: FinishedRequest, ending: Ending, durationMs: number): AccessRecord {
  return {
    protocol: request.connection.version,
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
    upstreamServiceTimeMs: request.serviceTimeMs,
    requestHeaders: request.sentHeaders ?? request.exchange.head.headers,
    authority: request.hasAuthority ? request.authority : '-',
    upstreamHost: request.host?.name ?? null,
    upstreamCluster: request.clusterName,
    upstreamFailure: request.upstreamFailure,
    downstreamLocal: request.connection.destinationText,
    downstreamRemote: request.connection.clientText,
    routeName: request.route?.name || '-',
    grpcStatus: request.grpcStatus,
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
