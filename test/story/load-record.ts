import {
  bucketEndMs,
  type EndLine,
  type FailureLine,
  LOAD_KINDS,
  type LoadKind,
  type LoadLine,
} from '../../packages/sandbox/src/images/open-loop-load/load-lines.ts';

/** What became of the requests of one kind that were to start within a time. */
interface LoadSummary {
  readonly kind: LoadKind;
  readonly ok: number;
  readonly failures: readonly FailureLine[];
  /** Of long connections. */
  readonly ends: readonly EndLine[];
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Everything that load programs have printed. */
export class LoadRecord {
  readonly #lines: readonly LoadLine[];

  /** Throws if a program has printed something else, such as a stack trace. */
  constructor(logs: readonly string[]) {
    this.#lines = logs.flatMap((log) =>
      log
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as LoadLine),
    );
  }

  /** By kind, between two points in time; requests by the whole seconds in which they were to start. */
  between(fromMs: number, toMs: number): LoadSummary[] {
    const isWithin = (atMs: number): boolean =>
      atMs >= Math.floor(fromMs / 1000) * 1000 && atMs < Math.floor(toMs / 1000) * 1000;
    return LOAD_KINDS.map((kind) => {
      const failures: FailureLine[] = [];
      const ends: EndLine[] = [];
      const buckets = new Map<number, number>();
      let ok = 0;
      for (const line of this.#lines) {
        if (line.kind !== kind) continue;
        if (line.line === 'failure' && isWithin(line.intendedAtMs)) failures.push(line);
        if (line.line === 'end' && line.atMs >= fromMs && line.atMs < toMs) ends.push(line);
        if (line.line !== 'count' || !isWithin(line.second * 1000)) continue;
        ok += line.ok;
        for (const [bucket, count] of Object.entries(line.latencies)) {
          buckets.set(Number(bucket), (buckets.get(Number(bucket)) ?? 0) + count);
        }
      }
      const [p50Ms, p99Ms] = [0.5, 0.99].map((part) => quantile(buckets, ok * part)) as [
        number,
        number,
      ];
      return { kind, ok, failures, ends, p50Ms, p99Ms };
    });
  }
}

function quantile(buckets: ReadonlyMap<number, number>, rank: number): number {
  let seen = 0;
  for (const bucket of [...buckets.keys()].sort((a, b) => a - b)) {
    seen += buckets.get(bucket)!;
    if (seen >= rank) return bucketEndMs(bucket);
  }
  return 0;
}

/** One line for each kind: how many, how many of them failed and why, and how long connections ended. */
export function formatLoad(summaries: readonly LoadSummary[], seconds: number): string {
  return summaries
    .map(({ kind, ok, failures, ends, p50Ms, p99Ms }) => {
      const rate = ((ok + failures.length) / seconds).toFixed(0);
      const times = `p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`;
      const lost = counted(failures.map(({ reason }) => reason));
      const ended = counted(
        ends.map(({ how, reason, unanswered }) => {
          const resent = unanswered > 0 ? ', some sent again' : '';
          return `${how} (${reason}${resent})`;
        }),
      );
      return [
        `  ${kind.padEnd(12)} ${String(ok).padStart(6)} ok ${String(failures.length).padStart(4)} failed`,
        `${rate.padStart(4)}/s`,
        times,
        ...(lost === '' ? [] : [`failed: ${lost}`]),
        ...(ended === '' ? [] : [`ended: ${ended}`]),
      ].join('  ');
    })
    .join('\n');
}

function counted(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} × ${word}`).join('; ');
}
