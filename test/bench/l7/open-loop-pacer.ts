/**
 * The thread that wakes an open-loop client whenever a request is due. It sleeps to the fraction of a millisecond;
 * timers of Node are one late, which is more than proxies take.
 */
import { parentPort, workerData } from 'node:worker_threads';

export interface Pace {
  /** When the first request is due, in ms since the epoch. */
  readonly beganMs: number;
  readonly intervalMs: number;
  readonly count: number;
}

const { beganMs, intervalMs, count } = workerData as Pace;
const neverWoken = new Int32Array(new SharedArrayBuffer(4));

for (let due = 0; due < count; due++) {
  const waitMs = beganMs + due * intervalMs - performance.timeOrigin - performance.now();
  if (waitMs > 0) Atomics.wait(neverWoken, 0, 0, waitMs);
  parentPort!.postMessage(null);
}
