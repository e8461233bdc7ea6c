// hot path: counted per chunk of every connection
import {
  type DescribedPeer,
  haveSameLabels,
  type Peers,
  type ResponseFlag,
  trafficLabels,
} from './labels.ts';

const OPENED = 0;
const CLOSED = 1;
const FAILED = 2;
const RECEIVED = 3;
const SENT = 4;
const COUNTERS = 5;
const SERIES_PER_BLOCK = 256;

/**
 * Counters of one set of labels, in memory that one thread writes and the main thread reads: a scrape does not ask the
 * threads. A number is an aligned double, which processors write as a whole.
 */
export class Totals {
  readonly #counters: Float64Array;

  constructor(block: SharedArrayBuffer, at: number) {
    this.#counters = new Float64Array(block, at, COUNTERS);
  }

  get opened(): number {
    return this.#counters[OPENED]!;
  }

  set opened(value: number) {
    this.#counters[OPENED] = value;
  }

  get closed(): number {
    return this.#counters[CLOSED]!;
  }

  set closed(value: number) {
    this.#counters[CLOSED] = value;
  }

  get failed(): number {
    return this.#counters[FAILED]!;
  }

  set failed(value: number) {
    this.#counters[FAILED] = value;
  }

  get receivedBytes(): number {
    return this.#counters[RECEIVED]!;
  }

  set receivedBytes(value: number) {
    this.#counters[RECEIVED] = value;
  }

  get sentBytes(): number {
    return this.#counters[SENT]!;
  }

  set sentBytes(value: number) {
    this.#counters[SENT] = value;
  }
}

/** Accepted sockets that are open now, of all threads. */
export class OpenSockets {
  readonly buffer: SharedArrayBuffer;
  readonly #counts: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#counts = new Int32Array(buffer);
  }

  add(reporter: Peers['reporter'], change: 1 | -1): void {
    Atomics.add(this.#counts, reporter === 'source' ? 0 : 1, change);
  }

  get source(): number {
    return Atomics.load(this.#counts, 0);
  }

  get destination(): number {
    return Atomics.load(this.#counts, 1);
  }
}

/** Where a thread counts for a set of labels from now on. */
export interface SeriesAnnouncement {
  readonly labels: readonly string[];
  readonly block: SharedArrayBuffer;
  /** In bytes. */
  readonly at: number;
}

/** All counters of the data plane as they are now, when read. */
export interface TrafficSnapshot {
  readonly series: readonly { readonly labels: readonly string[]; readonly totals: Totals }[];
  readonly openSockets: Pick<OpenSockets, Peers['reporter']>;
}

/** Traffic counters of one thread. A connection binds its totals once and then adds plain numbers. */
export class TrafficTotals {
  readonly openSockets: OpenSockets;
  readonly #announce: (series: SeriesAnnouncement) => void;
  readonly #series = new Map<string, Totals>();
  /** What the last connection with each remote workload bound: the next one rarely differs from it. */
  readonly #last = new WeakMap<DescribedPeer, { readonly peers: Peers; readonly totals: Totals }>();
  #block = new SharedArrayBuffer(0);
  #used = 0;

  constructor(openSockets: OpenSockets, announce: (series: SeriesAnnouncement) => void) {
    this.openSockets = openSockets;
    this.#announce = announce;
  }

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
    if (existing !== undefined) return existing;
    const bytes = COUNTERS * Float64Array.BYTES_PER_ELEMENT;
    if (this.#used + bytes > this.#block.byteLength) {
      this.#block = new SharedArrayBuffer(SERIES_PER_BLOCK * bytes);
      this.#used = 0;
    }
    const place = { block: this.#block, at: this.#used };
    this.#used += bytes;
    const totals = new Totals(place.block, place.at);
    this.#series.set(key, totals);
    this.#announce({ labels, ...place });
    return totals;
  }
}

/** The main thread's view of what the threads count. */
export class TrafficReadings implements TrafficSnapshot {
  readonly openSockets: OpenSockets = new OpenSockets();
  readonly series: { readonly labels: readonly string[]; readonly totals: Totals }[] = [];

  add({ labels, block, at }: SeriesAnnouncement): void {
    this.series.push({ labels, totals: new Totals(block, at) });
  }
}
