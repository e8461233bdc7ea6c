import type { Histogram } from './statistics/histogram.ts';

/** What the load generator is asked for. */
export interface LoadRequest {
  /** `http://` only. */
  readonly url: string;
  /** Requests per second, on average: they start at the times of a Poisson process, whatever becomes of those before. */
  readonly rate: number;
  readonly seconds: number;
  /** Connections that are kept. A request for which none is free waits, and its wait counts. */
  readonly connections: number;
  /** Of the times: the same seed gives the same times. */
  readonly seed: number;
  /** When the first second begins, in milliseconds since 1970. */
  readonly beginAtMs: number;
}

/** What came of it. Latencies count from when a request was to start. */
export interface LoadResult {
  /** Requests that were to start. */
  readonly intended: number;
  /** Answered with 200. */
  readonly succeeded: number;
  /** Answered otherwise, cut, or not answered within 5 s of the end. */
  readonly failed: number;
  readonly latencies: Histogram;
  /** The longest time in which no answer came. */
  readonly longestGapMs: number;
  /** How much later than intended a request started for which there was a connection: no doing of the proxies. */
  readonly longestLateMs: number;
  /** How late the order came; above 0 the beginning of the load was not as asked for. */
  readonly beganLateMs: number;
}

/** Port on the loopback address of the client's pod. */
export const LOAD_GENERATOR_PORT = 8099;

/** Path and query for the load generator. */
export function loadPath(request: LoadRequest): string {
  const query = Object.entries(request).map(([key, value]): [string, string] => [key, `${value}`]);
  return `/load?${new URLSearchParams(query)}`;
}
