import type { Duplex } from 'node:stream';

const LONGEST_SWEEP_MS = 60_000;
const SHORTEST_SWEEP_MS = 100;

/** How often idle connections are looked for, so that none is idle for much longer than it may. */
export function sweepMs(idleMs: number): number {
  if (idleMs === 0) return LONGEST_SWEEP_MS;
  return Math.min(Math.max(idleMs / 4, SHORTEST_SWEEP_MS), LONGEST_SWEEP_MS);
}

/** Calls `close` when the stream is that old, unless it has ended before; 0 is never. */
export function closeWithAge(stream: Duplex, maxAgeMs: number, close: () => void): void {
  if (maxAgeMs === 0) return;
  const timer = setTimeout(close, maxAgeMs).unref();
  stream.once('close', () => clearTimeout(timer));
}
