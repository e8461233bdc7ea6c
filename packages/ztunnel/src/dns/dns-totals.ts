import type { Workload } from '@aquifer/model';

export type DnsTransport = 'udp' | 'tcp';

/** Upper bounds of the duration's buckets, in seconds (spec ztunnel 9.1). */
export const DNS_DURATION_BUCKETS: readonly number[] = [0.0005, 0.001, 0.01, 0.1, 1, 5];

/** Counts of one kind of query. Plain numbers: they travel between threads. */
export interface DnsCounts {
  readonly queryType: string;
  readonly transport: DnsTransport;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  requests: number;
  upstreamRequests: number;
  upstreamFailures: number;
  /** Forwarded queries by duration: one count per bucket, then those beyond the last. */
  readonly durations: number[];
  durationSeconds: number;
}

/** Types that have a label of their own: clients may ask for any of 65,536. */
const LABELLED_TYPES: ReadonlySet<string> = new Set(
  'A NS CNAME SOA PTR MX TXT AAAA SRV SVCB HTTPS ANY'.split(' '),
);

/** The DNS counters of one thread. */
export class DnsTotals {
  readonly #counts = new Map<string, DnsCounts>();

  /** Counters of queries of one type by one application; the client may not be known. */
  of(typeName: string, transport: DnsTransport, client: Workload | null): DnsCounts {
    const queryType = LABELLED_TYPES.has(typeName) ? typeName.toLowerCase() : 'unknown';
    const canonicalService = client?.canonicalName || 'unknown';
    const canonicalRevision = client?.canonicalRevision || 'unknown';
    const key = `${queryType} ${transport} ${canonicalService} ${canonicalRevision}`;
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    const counts: DnsCounts = {
      queryType,
      transport,
      canonicalService,
      canonicalRevision,
      requests: 0,
      upstreamRequests: 0,
      upstreamFailures: 0,
      durations: new Array<number>(DNS_DURATION_BUCKETS.length + 1).fill(0),
      durationSeconds: 0,
    };
    this.#counts.set(key, counts);
    return counts;
  }

  all(): readonly DnsCounts[] {
    return [...this.#counts.values()];
  }
}

/** Adds one forwarded query that took so long. */
export function countForwarded(counts: DnsCounts, seconds: number): void {
  const bucket = DNS_DURATION_BUCKETS.findIndex((bound) => seconds <= bound);
  counts.durations[bucket < 0 ? DNS_DURATION_BUCKETS.length : bucket]! += 1;
  counts.durationSeconds += seconds;
}
