/** What the load program prints, one JSON object a line. */

/** Kinds of requests; those of `LONG_KINDS` are messages on connections that stay open. */
export const LOAD_KINDS = [
  'http1-new',
  'http1-kept',
  'grpc-unary',
  'grpc-stream',
  'websocket',
] as const;
export type LoadKind = (typeof LOAD_KINDS)[number];
export type LongKind = Extract<LoadKind, 'grpc-stream' | 'websocket'>;

/** Requests that have ended since the last such line, of those that were to start within one second. */
interface CountLine {
  readonly line: 'count';
  readonly kind: LoadKind;
  /** Of the intended starts: seconds since 1970. */
  readonly second: number;
  readonly ok: number;
  /** How many took how long from their intended start, by bucket. */
  readonly latencies: Readonly<Record<number, number>>;
}

/** A request that was refused or lost. */
export interface FailureLine {
  readonly line: 'failure';
  readonly kind: LoadKind;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly intendedAtMs: number;
  readonly afterMs: number;
}

/** A long connection that has ended. What was not answered on it is sent again on the next. */
export interface EndLine {
  readonly line: 'end';
  readonly kind: LongKind;
  /** `moved`: its end had been announced, and the client left before it came. */
  readonly how: 'moved' | 'closed' | 'cut';
  readonly reason: string;
  readonly atMs: number;
  readonly lastedMs: number;
  readonly unanswered: number;
}

export type LoadLine = CountLine | FailureLine | EndLine;

const BUCKET_GROWTH = Math.log(1.1);

/** Each bucket ends a tenth above the one before; 0 ends at one millisecond. */
export function bucketOf(latencyMs: number): number {
  return Math.max(0, Math.ceil(Math.log(latencyMs) / BUCKET_GROWTH));
}

export function bucketEndMs(bucket: number): number {
  return Math.exp(bucket * BUCKET_GROWTH);
}
