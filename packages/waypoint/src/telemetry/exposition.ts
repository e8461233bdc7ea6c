import { DROPPED_LINES_METRIC, droppedLogLines } from '@aquifer/runtime';
import type { ConnectionSeries } from './connection-telemetry.ts';
import { BUCKETS, type Histogram, type RequestSeries } from './request-telemetry.ts';
import type { SourcePeer } from './source-peer.ts';

const UNKNOWN = 'unknown';

const HISTOGRAMS: readonly {
  readonly name: string;
  readonly help: string;
  readonly of: (series: RequestSeries) => Histogram;
}[] = [
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

const COUNTERS: readonly {
  readonly name: string;
  readonly help: string;
  readonly of: (series: ConnectionSeries) => number;
}[] = [
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

const MESSAGES: readonly {
  readonly name: string;
  readonly help: string;
  readonly of: (series: RequestSeries) => number;
}[] = [
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
  if (calls.length === 0) return '';
  const lines: string[] = [];
  for (const { name, help, of } of MESSAGES) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`);
    const sums = new Map<string, number>();
    for (const call of calls) {
      const labels = textOf([
        ...endLabels(call, identity),
        ['request_protocol', 'grpc'],
        securityLabel(call.source),
      ]);
      sums.set(labels, (sums.get(labels) ?? 0) + of(call));
    }
    for (const [labels, sum] of sums) lines.push(`${name}{${labels}} ${sum}`);
  }
  return `${lines.join('\n')}\n`;
}

function exposePassed(series: readonly ConnectionSeries[], identity: string): string {
  if (series.length === 0) return '';
  const lines: string[] = [];
  for (const { name, help, of } of COUNTERS) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`);
    const sums = new Map<string, number>();
    for (const one of series) {
      const labels = textOf(connectionLabels(one, identity));
      sums.set(labels, (sums.get(labels) ?? 0) + of(one));
    }
    for (const [labels, sum] of sums) lines.push(`${name}{${labels}} ${sum}`);
  }
  return `${lines.join('\n')}\n`;
}

function exposeRequests(series: readonly RequestSeries[], identity: string): string {
  const labelled = merge(series).map((one) => ({ one, labels: labelsOf(one, identity) }));
  const lines = [
    '# HELP istio_requests_total Requests that were answered.',
    '# TYPE istio_requests_total counter',
  ];
  for (const { one, labels } of labelled)
    lines.push(`istio_requests_total{${labels}} ${one.requests}`);
  for (const { name, help, of } of HISTOGRAMS) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} histogram`);
    for (const { one, labels } of labelled) lines.push(...histogramLines(name, labels, of(one)));
  }
  return `${lines.join('\n')}\n`;
}

/** The same labels may come from several threads. */
function merge(series: readonly RequestSeries[]): RequestSeries[] {
  const merged = new Map<string, RequestSeries>();
  for (const one of series) {
    const key = labelsOf(one, '');
    const existing = merged.get(key);
    if (existing === undefined) {
      merged.set(key, structuredClone(one));
      continue;
    }
    existing.requests += one.requests;
    existing.requestMessages += one.requestMessages;
    existing.responseMessages += one.responseMessages;
    for (const { of } of HISTOGRAMS) addUp(of(existing), of(one));
  }
  return [...merged.values()];
}

function addUp(into: Histogram, from: Histogram): void {
  into.sum += from.sum;
  for (const [i, count] of from.counts.entries()) into.counts[i]! += count;
}

function histogramLines(name: string, labels: string, { counts, sum }: Histogram): string[] {
  let cumulative = 0;
  const lines = counts.map((count, i) => {
    cumulative += count;
    return `${name}_bucket{${labels},le="${BUCKETS[i] ?? '+Inf'}"} ${cumulative}`;
  });
  lines.push(`${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${cumulative}`);
  return lines;
}

type Labels = readonly (readonly [name: string, value: string | null])[];

function labelsOf(series: RequestSeries, identity: string): string {
  const { source, code, flags, protocol } = series;
  return textOf([
    ...endLabels(series, identity),
    ['request_protocol', protocol.name],
    ['response_code', String(code)],
    ['grpc_response_status', protocol.grpcStatus],
    ['response_flags', flags],
    securityLabel(source),
  ]);
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
