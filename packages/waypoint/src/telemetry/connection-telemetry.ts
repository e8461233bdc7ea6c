import type { HostMetadata } from '../clusters/host.ts';
import type { SourcePeer } from './request-telemetry.ts';

interface ConnectionLabels {
  readonly source: SourcePeer;
  readonly destination: HostMetadata | null;
  readonly service: string;
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
    const key = JSON.stringify(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { ...labels, opened: 0, closed: 0, receivedBytes: 0, sentBytes: 0 };
      this.#series.set(key, series);
    }
    series.opened += 1;
    return series;
  }

  snapshot(): readonly ConnectionSeries[] {
    return [...this.#series.values()];
  }
}
