import {
  bucketOf,
  type EndLine,
  type FailureLine,
  type LoadKind,
  type LoadLine,
} from './load-lines.ts';

interface Cell {
  readonly kind: LoadKind;
  readonly second: number;
  ok: number;
  latencies: Record<number, number>;
}

/** Counts what has become of requests, and prints it. */
export class Tally {
  readonly #print: (line: LoadLine) => void;
  readonly #cells = new Map<string, Cell>();

  constructor(print: (line: LoadLine) => void) {
    this.#print = print;
  }

  ok(kind: LoadKind, intendedAtMs: number): void {
    const second = Math.floor(intendedAtMs / 1000);
    const key = `${kind} ${second}`;
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { kind, second, ok: 0, latencies: {} };
      this.#cells.set(key, cell);
    }
    const bucket = bucketOf(Date.now() - intendedAtMs);
    cell.ok += 1;
    cell.latencies[bucket] = (cell.latencies[bucket] ?? 0) + 1;
  }

  failed(kind: LoadKind, intendedAtMs: number, reason: string): void {
    const afterMs = Date.now() - intendedAtMs;
    const line: FailureLine = { line: 'failure', kind, reason, intendedAtMs, afterMs };
    this.#print(line);
  }

  ended(end: Omit<EndLine, 'line' | 'atMs'>): void {
    this.#print({ line: 'end', atMs: Date.now(), ...end });
  }

  /** Prints what was counted since the last time. */
  flush(): void {
    for (const cell of this.#cells.values()) this.#print({ line: 'count', ...cell });
    this.#cells.clear();
  }
}
