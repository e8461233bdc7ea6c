// hot path: counted per chunk of every connection
import type { Workload } from '@aquifer/model';
import { haveSameLabels, type Peers, type ResponseFlag, trafficLabels } from './labels.ts';

/** Counters of one set of labels. */
export interface Totals {
  opened: number;
  closed: number;
  failed: number;
  receivedBytes: number;
  sentBytes: number;
}

/** A thread's counters as they travel to the metrics server: label values and their totals. */
export interface TrafficSnapshot {
  readonly series: readonly { readonly labels: readonly string[]; readonly totals: Totals }[];
  readonly openSockets: { readonly source: number; readonly destination: number };
}

/**
 * Traffic counters of one thread. A connection binds its totals once and then adds plain numbers; names and texts
 * are made when somebody scrapes.
 */
export class TrafficTotals {
  readonly openSockets = { source: 0, destination: 0 };
  readonly #series = new Map<string, { labels: readonly string[]; totals: Totals }>();
  /** What the last connection with each remote workload bound: the next one rarely differs from it. */
  readonly #last = new WeakMap<Workload, { readonly peers: Peers; readonly totals: Totals }>();

  bind(peers: Peers, flag: ResponseFlag): Totals {
    const remote = peers.reporter === 'source' ? peers.destination : peers.source;
    if (flag !== '-' || remote === null) return this.#find(trafficLabels(peers, flag));
    const last = this.#last.get(remote);
    if (last !== undefined && haveSameLabels(last.peers, peers)) return last.totals;
    const totals = this.#find(trafficLabels(peers, flag));
    this.#last.set(remote, { peers, totals });
    return totals;
  }

  #find(labels: readonly string[]): Totals {
    const key = labels.join('\0');
    const existing = this.#series.get(key);
    if (existing !== undefined) return existing.totals;
    const totals = { opened: 0, closed: 0, failed: 0, receivedBytes: 0, sentBytes: 0 };
    this.#series.set(key, { labels, totals });
    return totals;
  }

  snapshot(): TrafficSnapshot {
    return { series: [...this.#series.values()], openSockets: { ...this.openSockets } };
  }
}
