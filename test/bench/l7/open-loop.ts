import { join } from 'node:path';
import { type LoadRequest, type LoadResult, quantileMs } from '@aquifer/compare';
import type { LoadContext } from '../load.ts';

export interface OpenLoop {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
}

export interface OpenLoopResult extends LoadResult {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The client is started by then. */
const LEAD_MS = 500;

/** Requests that start at the times of a Poisson process, whatever becomes of those before. */
export async function measureOpenLoop(
  { machine, namespace }: LoadContext,
  { host, port, path, perSecond: rate, seconds, connections }: OpenLoop,
): Promise<OpenLoopResult> {
  const script = join(import.meta.dirname, 'open-loop-client.ts');
  const url = `http://${host}:${port}${path}`;
  const beginAtMs = Date.now() + LEAD_MS;
  const request: LoadRequest = { url, rate, seconds, connections, seed: 1, beginAtMs };
  const output = await machine.run([process.execPath, script, JSON.stringify(request)], namespace);
  const result = JSON.parse(output) as LoadResult;
  const quantile = (part: number): number => quantileMs(result.latencies, part);
  return { ...result, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
