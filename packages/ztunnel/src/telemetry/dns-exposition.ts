import { Counter, type Registry } from 'prom-client';
import { DNS_DURATION_BUCKETS, type DnsCounts } from '../dns/dns-totals.ts';

const LABELS = [
  'request_query_type',
  'request_protocol',
  'source_canonical_service',
  'source_canonical_revision',
] as const;

const COUNTERS: readonly {
  readonly name: string;
  readonly help: string;
  readonly field: 'requests' | 'upstreamRequests' | 'upstreamFailures';
}[] = [
  {
    name: 'istio_dns_requests_total',
    help: 'Total number of DNS requests (unstable).',
    field: 'requests',
  },
  {
    name: 'istio_dns_upstream_requests_total',
    help: 'Total number of DNS requests forwarded to upstream (unstable).',
    field: 'upstreamRequests',
  },
  {
    name: 'istio_dns_upstream_failures_total',
    help: 'Total number of failures forwarding DNS requests (unstable).',
    field: 'upstreamFailures',
  },
];

const DURATION = 'istio_dns_upstream_request_duration_seconds';

/** Adds the families of the DNS proxy (spec ztunnel 9.1), summed over threads. */
export function addDns(registry: Registry, all: readonly DnsCounts[]): void {
  for (const { name, help, field } of COUNTERS) {
    const counter = new Counter({ name, help, labelNames: LABELS, registers: [registry] });
    for (const counts of all) if (counts[field] > 0) counter.inc(labelsOf(counts), counts[field]);
  }
  registry.registerMetric(durations(all) as never);
}

/** A histogram that was counted elsewhere, in the form that a registry prints. */
function durations(all: readonly DnsCounts[]) {
  const sums = new Map<string, { counts: DnsCounts; buckets: number[]; seconds: number }>();
  for (const counts of all) {
    if (counts.upstreamRequests === 0) continue;
    const key = JSON.stringify(labelsOf(counts));
    const sum = sums.get(key) ?? { counts, buckets: counts.durations.map(() => 0), seconds: 0 };
    sums.set(key, sum);
    for (const [i, count] of counts.durations.entries()) sum.buckets[i]! += count;
    sum.seconds += counts.durationSeconds;
  }
  const values = [...sums.values()].flatMap(({ counts, buckets, seconds }) => {
    const labels = labelsOf(counts);
    let below = 0;
    const lines = buckets.map((count, i) => {
      below += count;
      const le = DNS_DURATION_BUCKETS[i] ?? '+Inf';
      return { metricName: `${DURATION}_bucket`, labels: { le, ...labels }, value: below };
    });
    return [
      ...lines,
      { metricName: `${DURATION}_sum`, labels, value: seconds },
      { metricName: `${DURATION}_count`, labels, value: below },
    ];
  });
  const family = {
    name: DURATION,
    help: 'Total time in seconds Istio takes to get DNS response from upstream (unstable).',
    type: 'histogram',
    aggregator: 'sum',
    values,
  };
  return { name: DURATION, get: () => Promise.resolve(family) };
}

function labelsOf({ queryType, transport, canonicalService, canonicalRevision }: DnsCounts) {
  return {
    request_query_type: queryType,
    request_protocol: transport,
    source_canonical_service: canonicalService,
    source_canonical_revision: canonicalRevision,
  };
}
