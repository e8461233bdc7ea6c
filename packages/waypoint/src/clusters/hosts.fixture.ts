import { ConnectionPool } from '../upstream/connection-pool.ts';
import { Breakers } from './breakers.ts';
import { Host } from './host.ts';

/** Hosts 10.0.0.1, 10.0.0.2 and so on at port 80, which are not dialled. */
export function idleHosts(count: number, weights: readonly number[] = []): Host[] {
  return Array.from({ length: count }, (_, i) => {
    const pool = new ConnectionPool({
      dial: () => Promise.reject(new Error('not dialled here')),
      breakers: new Breakers(),
      lifetimes: () => ({ maxRequests: 0, idleMs: 0, maxAgeMs: 0, maxStreams: 0 }),
    });
    const host = new Host({ kind: 'plain', ip: `10.0.0.${i + 1}`, port: 80 }, pool);
    host.weight = weights[i] ?? 1;
    return host;
  });
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
