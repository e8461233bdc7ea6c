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

if (!isMainThread) {
  const questions = new BroadcastChannel('stall-questions');
  const answers = new BroadcastChannel('stall-answers');
  let lastMs = performance.now();
  let longestMs = 0;
  let cpu = process.threadCpuUsage();
  setInterval(() => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - lastMs - INTERVAL_MS);
    lastMs = nowMs;
  }, INTERVAL_MS).unref();
  questions.onmessage = () => {
    const { user, system } = process.threadCpuUsage(cpu);
    const longestStallMs = Math.max(longestMs, performance.now() - lastMs - INTERVAL_MS);
    answers.postMessage({ longestStallMs, cpuMs: (user + system) / 1000 } satisfies ThreadReading);
    longestMs = 0;
    lastMs = performance.now();
    cpu = process.threadCpuUsage();
  };
  questions.unref();
  answers.unref();
}

/** Asks all threads, and lets them begin anew. Of the main thread. */
export function readThreads(threads: number): Promise<readonly ThreadReading[]> {
  const questions = new BroadcastChannel('stall-questions');
  const answers = new BroadcastChannel('stall-answers');
  const readings: ThreadReading[] = [];
  return new Promise((resolve) => {
    answers.onmessage = ({ data }: { readonly data: unknown }) => {
      readings.push(data as ThreadReading);
      if (readings.length < threads) return;
      questions.close();
      answers.close();
      resolve(readings);
    };
    questions.postMessage(null);
  });
}
