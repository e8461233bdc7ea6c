import { DROPPED_LINES_METRIC, droppedLogLines } from '@aquifer/runtime';
import type { ConnectionSeries } from './connection-telemetry.ts';
import { BUCKETS, type Histogram, type RequestSeries } from './request-telemetry.ts';
import type { SourcePeer } from './source-peer.ts';
import { type Labels, toldLabels } from './told-metrics.ts';

const UNKNOWN = 'unknown';

const HISTOGRAMS: readonly Metric<RequestSeries, Histogram>[] = [
  {
    name: 'istio_request_duration_milliseconds',
    help: 'Duration of requests in milliseconds.',
    of: ({ durationMs }) => durationMs,
  },
  {
    name: 'istio_request_bytes',
    help: 'Size of request bodies.',
    of: ({ requestBytes }) => requestBytes,
  },
  {
    name: 'istio_response_bytes',
    help: 'Size of response bodies.',
    of: ({ responseBytes }) => responseBytes,
  },
];

/** Prometheus text of the metrics of all threads (spec l7 8.1 and 8.2). */
export function exposeTelemetry(
  requests: readonly RequestSeries[],
  passed: readonly ConnectionSeries[],
  identity: string,
): string {
  return (
    exposeRequests(requests, identity) +
    exposeMessages(requests, identity) +
    exposePassed(passed, identity) +
    exposeLog()
  );
}

function exposeLog(): string {
  const { name, help } = DROPPED_LINES_METRIC;
  return `# HELP ${name} ${help}\n# TYPE ${name} counter\n${name} ${droppedLogLines()}\n`;
}

const COUNTERS: readonly Metric<ConnectionSeries, number>[] = [
  {
    name: 'istio_tcp_connections_opened_total',
    help: 'Connections that were passed through.',
    of: ({ opened }) => opened,
  },
  {
    name: 'istio_tcp_connections_closed_total',
    help: 'Connections that were passed through and have ended.',
    of: ({ closed }) => closed,
  },
  {
    name: 'istio_tcp_received_bytes_total',
    help: 'Bytes that came from clients.',
    of: ({ receivedBytes }) => receivedBytes,
  },
  {
    name: 'istio_tcp_sent_bytes_total',
    help: 'Bytes that went to clients.',
    of: ({ sentBytes }) => sentBytes,
  },
];

const MESSAGES: readonly Metric<RequestSeries, number>[] = [
  {
    name: 'istio_request_messages_total',
    help: 'Messages of gRPC that came from clients.',
    of: ({ requestMessages }) => requestMessages,
  },
  {
    name: 'istio_response_messages_total',
    help: 'Messages of gRPC that went to clients.',
    of: ({ responseMessages }) => responseMessages,
  },
];

/** Whatever became of the calls: a status is no label of a message. */
function exposeMessages(requests: readonly RequestSeries[], identity: string): string {
  const calls = requests.filter(({ protocol }) => protocol.name === 'grpc');
  return MESSAGES.map((counter) =>
    exposeCounter(counter, calls, (call) => [
      ...endLabels(call, identity),
      ['request_protocol', 'grpc'],
      securityLabel(call.source),
    ]),
  ).join('');
}

function exposePassed(series: readonly ConnectionSeries[], identity: string): string {
  return COUNTERS.map((counter) =>
    exposeCounter(counter, series, (one) => connectionLabels(one, identity)),
  ).join('');
}

function exposeRequests(series: readonly RequestSeries[], identity: string): string {
  const labelsOf = (one: RequestSeries): Labels => requestLabels(one, identity);
  const counter = {
    name: 'istio_requests_total',
    help: 'Requests that were answered.',
    of: ({ requests }: RequestSeries) => requests,
  };
  return [
    header(counter, 'counter'),
    counterLines(counter, series, labelsOf),
    ...HISTOGRAMS.flatMap((histogram) => [
      header(histogram, 'histogram'),
      histogramLines(histogram, series, labelsOf),
    ]),
  ].join('');
}

interface Metric<Series, Value> {
  readonly name: string;
  readonly help: string;
  readonly of: (series: Series) => Value;
}

type Told = Pick<RequestSeries, 'told'>;
type LabelsOf<Series> = (series: Series) => Labels;

function header({ name, help }: Pick<Metric<never, never>, 'name' | 'help'>, type: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

/** Nothing without a series. */
function exposeCounter<Series extends Told>(
  counter: Metric<Series, number>,
  series: readonly Series[],
  labelsOf: LabelsOf<Series>,
): string {
  if (series.length === 0) return '';
  return header(counter, 'counter') + counterLines(counter, series, labelsOf);
}

/** The same labels may come from several threads, and from series that differ in labels which this metric has not. */
function counterLines<Series extends Told>(
  { name, of }: Metric<Series, number>,
  series: readonly Series[],
  labelsOf: LabelsOf<Series>,
): string {
  const sums = new Map<string, number>();
  for (const one of series) {
    const labels = toldLabels(labelsOf(one), name, one.told);
    if (labels === null) continue;
    const text = textOf(labels);
    sums.set(text, (sums.get(text) ?? 0) + of(one));
  }
  return Array.from(sums, ([labels, sum]) => `${name}{${labels}} ${sum}\n`).join('');
}

function histogramLines(
  { name, of }: Metric<RequestSeries, Histogram>,
  series: readonly RequestSeries[],
  labelsOf: LabelsOf<RequestSeries>,
): string {
  const merged = new Map<string, { counts: number[]; sum: number }>();
  for (const one of series) {
    const labels = toldLabels(labelsOf(one), name, one.told);
    if (labels === null) continue;
    const text = textOf(labels);
    const { counts, sum } = of(one);
    const existing = merged.get(text);
    if (existing === undefined) merged.set(text, { counts: [...counts], sum });
    else {
      existing.sum += sum;
      for (const [i, count] of counts.entries()) existing.counts[i]! += count;
    }
  }
  return Array.from(merged, ([labels, histogram]) => bucketLines(name, labels, histogram)).join('');
}

function bucketLines(name: string, labels: string, { counts, sum }: Histogram): string {
  let cumulative = 0;
  const lines = counts.map((count, i) => {
    cumulative += count;
    return `${name}_bucket{${labels},le="${BUCKETS[i] ?? '+Inf'}"} ${cumulative}\n`;
  });
  lines.push(`${name}_sum{${labels}} ${sum}\n`, `${name}_count{${labels}} ${cumulative}\n`);
  return lines.join('');
}

function requestLabels(series: RequestSeries, identity: string): Labels {
  const { source, code, flags, protocol } = series;
  return [
    ...endLabels(series, identity),
    ['request_protocol', protocol.name],
    ['response_code', String(code)],
    ['grpc_response_status', protocol.grpcStatus],
    ['response_flags', flags],
    securityLabel(source),
  ];
}

function connectionLabels(series: ConnectionSeries, identity: string): Labels {
  return [
    ...endLabels(series, identity),
    ['request_protocol', 'tcp'],
    ['response_flags', '-'],
    securityLabel(series.source),
  ];
}

/** Who talked to whom. */
function endLabels(
  { source, destination, service }: Pick<RequestSeries, 'source' | 'destination' | 'service'>,
  identity: string,
): Labels {
  // What goes to a workload itself goes to no service.
  const named = service === 'encap' ? '' : service;
  const [, , , host = named] = named.split('|');
  const [name = '', namespace = ''] = host.split('.');
  return [
    ['reporter', 'waypoint'],
    ...peerLabels('source', source),
    ['source_principal', source.principal],
    ...peerLabels('destination', destination),
    ['destination_principal', identity],
    ['destination_service', host],
    ['destination_service_name', name],
    ['destination_service_namespace', namespace],
  ];
}

function securityLabel({ principal }: SourcePeer): readonly [string, string] {
  return ['connection_security_policy', principal === '' ? 'none' : 'mutual_tls'];
}

function textOf(labels: Labels): string {
  return labels
    .map(
      ([label, value]) =>
        `${label}="${escapeLabel(value || (label === 'grpc_response_status' ? '' : UNKNOWN))}"`,
    )
    .join(',');
}

type Peer = Pick<
  SourcePeer,
  'workload' | 'namespace' | 'canonicalName' | 'canonicalRevision' | 'cluster'
>;

function peerLabels(side: 'source' | 'destination', peer: Peer | null): [string, string | null][] {
  const { workload, namespace, canonicalName, canonicalRevision, cluster } = peer ?? NO_PEER;
  return [
    [`${side}_workload`, workload],
    [`${side}_workload_namespace`, namespace],
    [`${side}_app`, canonicalName],
    [`${side}_version`, canonicalRevision],
    [`${side}_canonical_service`, canonicalName],
    [`${side}_canonical_revision`, canonicalRevision],
    [`${side}_cluster`, cluster],
  ];
}

const NO_PEER: Peer = {
  workload: null,
  namespace: null,
  canonicalName: null,
  canonicalRevision: null,
  cluster: null,
};

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
