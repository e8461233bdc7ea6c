/** What the load generator is asked for. */
export interface LoadRequest {
  readonly url: string;
  readonly connections: number;
  /** Requests per second, over all connections. */
  readonly rate: number;
  /** Whole seconds: a second’s requests are made at its start, as fast as the connections allow. */
  readonly seconds: number;
}

/** What came of it. */
export interface LoadResult {
  /** Answers received. */
  readonly requests: number;
  /** Answers other than 200, failed connections and time-outs. */
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Port on the loopback address of the client's pod. */
export const LOAD_GENERATOR_PORT = 8099;

/** Path and query for the load generator. */
export function loadPath({ url, connections, rate, seconds }: LoadRequest): string {
  const parameters = { url, connections, rate, seconds };
  const query = Object.entries(parameters).map(([key, value]): [string, string] => [
    key,
    `${value}`,
  ]);
  return `/load?${new URLSearchParams(query)}`;
}
