/**
 * The thread that wakes the load generator whenever a request is due. It sleeps to the fraction of a millisecond;
 * timers of Node are one late, which is more than proxies take.
 */
import { parentPort, workerData } from 'node:worker_threads';

export interface Pace {
  /** Milliseconds since 1970. */
  readonly beginAtMs: number;
  /** When requests are due, in seconds from the begin, ascending. */
  readonly arrivals: Float64Array;
}

const { beginAtMs, arrivals } = workerData as Pace;
const neverWoken = new Int32Array(new SharedArrayBuffer(4));

for (const seconds of arrivals) {
  const waitMs = beginAtMs + seconds * 1000 - performance.timeOrigin - performance.now();
  if (waitMs > 0) Atomics.wait(neverWoken, 0, 0, waitMs);
  parentPort!.postMessage(null);
}
