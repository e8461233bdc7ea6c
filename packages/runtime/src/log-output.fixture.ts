/** A program whose threads log numbered lines and report on their event loops; ends when it is told to. */
import { isMainThread, workerData } from 'node:worker_threads';
import { droppedLogLines } from './log-output.ts';
import { createLogger } from './logger.ts';
import { serveThread, ThreadPool } from './thread-pool.ts';

const REPORT_EVERY_MS = 100;

interface Load {
  readonly name: string;
  readonly linesPerTick: number;
  readonly lines: number;
}

function logLines({ name, linesPerTick, lines }: Load, report: (report: object) => void): void {
  const log = createLogger(name, { format: 'plain' });
  const text = 'x'.repeat(150);
  const state = { thread: name, ticks: 0, longestTickMs: 0, written: 0 };
  let lastTickAtMs = performance.now();
  setInterval(() => {
    const nowMs = performance.now();
    state.longestTickMs = Math.max(state.longestTickMs, nowMs - lastTickAtMs);
    lastTickAtMs = nowMs;
    state.ticks += 1;
    for (let count = 0; count < linesPerTick && state.written < lines; count += 1) {
      log.info('line', { number: state.written, text });
      state.written += 1;
    }
  }, 1);
  setInterval(() => report({ ...state, dropped: droppedLogLines() }), REPORT_EVERY_MS);
}

if (isMainThread) {
  const [linesPerTick, lines] = process.argv.slice(2).map(Number) as [number, number];
  const report = (message: object): void => void process.send?.(message);
  logLines({ name: 'main', linesPerTick, lines }, report);
  const pools = ['thread-1', 'thread-2'].map(
    (name) =>
      new ThreadPool<never, never, object>({
        script: new URL(import.meta.url),
        threads: 1,
        workerData: { name, linesPerTick, lines },
        onEvent: report,
        onLost: (error) => {
          throw error;
        },
      }),
  );
  process.once('message', () => {
    void Promise.all(pools.map((pool) => pool.stop())).then(() => process.exit(0));
  });
} else {
  const report = serveThread<never, never, object>({
    onMessage: () => undefined,
    onQuestion: () => undefined,
  });
  logLines(workerData as Load, report);
}
