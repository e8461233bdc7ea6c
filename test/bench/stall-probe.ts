/**
 * Loaded ahead of everything (`--import`) into every thread of a process: threads that carry bytes say how long they
 * could not answer, and how much processor time they took, since they were last asked.
 */
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

export interface ThreadReading {
  /** Without a tick. On a busy machine it may be somebody else's doing. */
  readonly longestStallMs: number;
  /** Processor time without a tick: what the thread did at one go. */
  readonly longestBurstMs: number;
  readonly cpuMs: number;
}

const INTERVAL_MS = 1;

class StallProbe {
  readonly #questions = new BroadcastChannel('stall-questions');
  readonly #answers = new BroadcastChannel('stall-answers');
  #lastMs = performance.now();
  #lastCpuMs = cpuMs();
  #longestStallMs = 0;
  #longestBurstMs = 0;
  #cpuMs = cpuMs();

  constructor() {
    this.#questions.onmessage = ({ data }: { readonly data: unknown }) => {
      if (data === 'collect') collectGarbage();
      this.#answer();
    };
    this.#questions.unref();
    this.#answers.unref();
    // Keeps this object, and so the channels, from being collected.
    setInterval(() => this.#tick(), INTERVAL_MS).unref();
  }

  #tick(): void {
    const nowMs = performance.now();
    const nowCpuMs = cpuMs();
    this.#longestStallMs = Math.max(this.#longestStallMs, nowMs - this.#lastMs - INTERVAL_MS);
    this.#longestBurstMs = Math.max(this.#longestBurstMs, nowCpuMs - this.#lastCpuMs);
    this.#lastMs = nowMs;
    this.#lastCpuMs = nowCpuMs;
  }

  #answer(): void {
    this.#tick();
    const reading: ThreadReading = {
      longestStallMs: this.#longestStallMs,
      longestBurstMs: this.#longestBurstMs,
      cpuMs: cpuMs() - this.#cpuMs,
    };
    this.#answers.postMessage(reading);
    this.#longestStallMs = 0;
    this.#longestBurstMs = 0;
    this.#cpuMs = cpuMs();
  }
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** What an idle thread of a program does by itself after a while. Needs `--expose-gc`. */
function collectGarbage(): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
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
    return this.#ask('read');
  }

  /** Collects the garbage of all threads, this one's too. */
  async collect(): Promise<void> {
    collectGarbage();
    await this.#ask('collect');
  }

  #ask(question: 'read' | 'collect'): Promise<readonly ThreadReading[]> {
    this.#readings = [];
    this.#complete = Promise.withResolvers();
    this.#questions.postMessage(question);
    return this.#complete.promise;
  }
}
