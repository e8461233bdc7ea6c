/**
 * Loaded ahead of everything (`--import`) into every thread of a process: threads that carry bytes say how long they
 * could not answer, and how much processor time they took, since they were last asked.
 */
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

export interface ThreadReading {
  readonly longestStallMs: number;
  readonly cpuMs: number;
}

const INTERVAL_MS = 1;

class StallProbe {
  readonly #questions = new BroadcastChannel('stall-questions');
  readonly #answers = new BroadcastChannel('stall-answers');
  #lastMs = performance.now();
  #longestMs = 0;
  #cpu = process.threadCpuUsage();

  constructor() {
    this.#questions.onmessage = () => this.#answer();
    this.#questions.unref();
    this.#answers.unref();
    // Keeps this object, and so the channels, from being collected.
    setInterval(() => this.#tick(), INTERVAL_MS).unref();
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs - INTERVAL_MS);
    this.#lastMs = nowMs;
  }

  #answer(): void {
    this.#tick();
    const { user, system } = process.threadCpuUsage(this.#cpu);
    const reading: ThreadReading = {
      longestStallMs: this.#longestMs,
      cpuMs: (user + system) / 1000,
    };
    this.#answers.postMessage(reading);
    this.#longestMs = 0;
    this.#cpu = process.threadCpuUsage();
  }
}

if (!isMainThread) new StallProbe();

/** The main thread's side: asks all threads, and lets them begin anew. */
export class StallReader {
  readonly #questions = new BroadcastChannel('stall-questions');
  readonly #answers = new BroadcastChannel('stall-answers');
  readonly #threads: number;
  #readings: ThreadReading[] = [];
  #complete = Promise.withResolvers<readonly ThreadReading[]>();

  constructor(threads: number) {
    this.#threads = threads;
    this.#answers.onmessage = ({ data }: { readonly data: unknown }) => {
      this.#readings.push(data as ThreadReading);
      if (this.#readings.length === this.#threads) this.#complete.resolve(this.#readings);
    };
  }

  read(): Promise<readonly ThreadReading[]> {
    this.#readings = [];
    this.#complete = Promise.withResolvers();
    this.#questions.postMessage(null);
    return this.#complete.promise;
  }
}
