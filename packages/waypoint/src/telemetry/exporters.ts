/**
 * What is told to others in batches, of one thread: spans and records of logs. Nothing waits for it, and it is bounded: what a
 * collector does not take in time is lost, and that is said.
 */
import type { ClusterManager } from '../clusters/cluster-manager.ts';
import { type SideAnswer, SideCall, type SideQuestion } from '../request/side-call.ts';
import type { TimerWheel } from '../request/timer-wheel.ts';

/** The proxy, as it names itself to collectors. */
export interface ProxyNode {
  /** Of its node, as xDS knows it. */
  readonly id: string;
  /** `<workload>.<namespace>`. */
  readonly serviceName: string;
  readonly ip: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Somebody who takes items of one kind. */
export interface Collector<Item> {
  /** Equal for those that are the same. */
  readonly key: string;
  readonly cluster: string;
  /** For an answer. */
  readonly timeoutMs: number;
  /** How long an item waits for others at most. */
  readonly flushMs: number;
  /** About, in bytes: clients have a say in how large an item is. */
  sizeOf(item: Item): number;
  questionOf(items: readonly Item[], node: ProxyNode): Omit<SideQuestion, 'timeoutMs'>;
  isTaken(answer: SideAnswer): boolean;
}

const MAX_BATCH = 512;
/** Below what gRPC takes unless told otherwise, which is 4 MiB. */
const MAX_BATCH_BYTES = 1024 * 1024;
const MAX_WAITING = 4_096;
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export interface ExporterDeps {
  readonly node: ProxyNode;
  readonly clusters: Pick<ClusterManager, 'get'>;
  readonly timers: TimerWheel;
  /** Items that nobody took; called once for each batch. */
  readonly onLoss: (cluster: string, items: number) => void;
}

export class Exporters {
  readonly #deps: ExporterDeps;
  readonly #queues = new Map<string, Queue>();

  constructor(deps: ExporterDeps) {
    this.#deps = deps;
  }

  send<Item>(collector: Collector<Item>, item: Item): void {
    let queue = this.#queues.get(collector.key);
    if (queue === undefined) {
      // Configuration that is gone leaves a queue that is empty soon.
      queue = new Queue(collector as Collector<unknown>, this.#deps, () =>
        this.#queues.delete(collector.key),
      );
      this.#queues.set(collector.key, queue);
    }
    queue.add(item);
  }

  /** Sends what waits, as before an end. */
  flush(): void {
    for (const queue of this.#queues.values()) queue.flush();
  }
}

interface Waiting {
  readonly item: unknown;
  readonly bytes: number;
}

class Queue {
  readonly #collector: Collector<unknown>;
  readonly #deps: ExporterDeps;
  readonly #onEmpty: () => void;
  #items: Waiting[] = [];
  #bytes = 0;
  #timer: { cancel(): void } | null = null;
  #isSending = false;
  #lost = 0;

  constructor(collector: Collector<unknown>, deps: ExporterDeps, onEmpty: () => void) {
    this.#collector = collector;
    this.#deps = deps;
    this.#onEmpty = onEmpty;
  }

  add(item: unknown): void {
    const bytes = this.#collector.sizeOf(item);
    if (this.#items.length >= MAX_WAITING || this.#bytes + bytes > MAX_WAITING_BYTES) {
      this.#lost += 1;
      return;
    }
    this.#items.push({ item, bytes });
    this.#bytes += bytes;
    if (this.#isFull()) this.flush();
    else this.#wait();
  }

  #isFull(): boolean {
    return this.#items.length >= MAX_BATCH || this.#bytes >= MAX_BATCH_BYTES;
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#isSending || this.#items.length === 0) return;
    const batch = this.#takeBatch();
    this.#isSending = true;
    const { node, timers, clusters } = this.#deps;
    const { timeoutMs, cluster } = this.#collector;
    const question = this.#collector.questionOf(batch, node);
    const call = new SideCall({ ...question, timeoutMs }, timers, (answer) =>
      this.#sent(batch.length, answer),
    );
    call.start(clusters.get(cluster));
  }

  /** At least one. */
  #takeBatch(): unknown[] {
    let [count, bytes] = [0, 0];
    for (const waiting of this.#items) {
      const isFull = count >= MAX_BATCH || bytes + waiting.bytes > MAX_BATCH_BYTES;
      if (count > 0 && isFull) break;
      count += 1;
      bytes += waiting.bytes;
    }
    this.#bytes -= bytes;
    return this.#items.splice(0, count).map(({ item }) => item);
  }

  #wait(): void {
    const { timers } = this.#deps;
    this.#timer ??= timers.start(this.#collector.flushMs, () => {
      this.#timer = null;
      this.flush();
    });
  }

  #sent(items: number, answer: SideAnswer | null): void {
    this.#isSending = false;
    const isTaken = answer !== null && this.#collector.isTaken(answer);
    const lost = this.#lost + (isTaken ? 0 : items);
    this.#lost = 0;
    if (lost > 0) this.#deps.onLoss(this.#collector.cluster, lost);
    if (this.#isFull()) this.flush();
    else if (this.#items.length > 0) this.#wait();
    else this.#onEmpty();
  }
}
