import type { HostMetadata } from '../clusters/host.ts';
import { affordable, affordableTold } from './series-budget.ts';
import type { SourcePeer } from './source-peer.ts';
import type { ToldMetrics } from './told-metrics.ts';

interface ConnectionLabels {
  readonly source: SourcePeer;
  readonly destination: HostMetadata | null;
  readonly service: string;
  /** Null for as usual. */
  readonly told: ToldMetrics | null;
}

/** Connections of one set of labels whose bytes were passed through. */
export interface ConnectionSeries extends ConnectionLabels {
  opened: number;
  closed: number;
  receivedBytes: number;
  sentBytes: number;
}

/** Counts connections. One per thread. */
export class ConnectionTelemetry {
  readonly #series = new Map<string, ConnectionSeries>();

  opened(labels: ConnectionLabels): ConnectionSeries {
    const series = this.#find(labels) ?? this.#make(labels);
    series.opened += 1;
    return series;
  }

  #find(labels: ConnectionLabels): ConnectionSeries | undefined {
    return this.#series.get(JSON.stringify(labels));
  }

  #make(labels: ConnectionLabels): ConnectionSeries {
    const { size } = this.#series;
    const kept = {
      ...labels,
      source: affordable(labels.source, size),
      told: affordableTold(labels.told, size),
    };
    const known = this.#find(kept);
    if (known !== undefined) return known;
    const series = { ...kept, opened: 0, closed: 0, receivedBytes: 0, sentBytes: 0 };
    this.#series.set(JSON.stringify(kept), series);
    return series;
  }

  snapshot(): readonly ConnectionSeries[] {
    return [...this.#series.values()];
  }
}
