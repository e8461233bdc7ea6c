import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import autocannon from 'autocannon';
import type { LoadResult } from '../load.ts';

/** Loads must not overlap: their results would be of neither. */
let isBusy = false;

/**
 * Serves GET /load with the parameters of `LoadRequest` on the loopback address: makes that load with autocannon, at a
 * fixed rate so that every mode carries the same, and answers a `LoadResult`; 400 for parameters that autocannon refuses.
 */
export function startLoadGenerator(port: number): Server {
  const server = createServer((request, response) => {
    void serve(request, response);
  });
  return server.listen(port, '127.0.0.1');
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const answer = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  if (pathname !== '/load') return answer(404, { error: `there is no ${pathname}` });
  if (isBusy) return answer(409, { error: 'a load is running' });
  isBusy = true;
  try {
    answer(200, await generateLoad(searchParams));
  } catch (error) {
    answer(400, { error: (error as Error).message });
  } finally {
    isBusy = false;
  }
}

async function generateLoad(parameters: URLSearchParams): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  let failed = 0;
  const options = {
    url: parameters.get('url') ?? '',
    connections: Number(parameters.get('connections')),
    overallRate: Number(parameters.get('rate')),
    // A little less, because autocannon makes a second's requests at its start.
    duration: Number(parameters.get('seconds')) - 0.05,
    timeout: 5,
    // How often it looks whether the time is over, in milliseconds.
    sampleInt: 100,
  };
  const { errors, timeouts } = await new Promise<autocannon.Result>((resolve, reject) => {
    const run = autocannon(options, (error: Error | null, result) => {
      if (error === null) resolve(result);
      else reject(error);
    });
    run.on('response', (_client, status, _bytes, latencyMs) => {
      latenciesMs.push(latencyMs);
      if (status !== 200) failed += 1;
    });
  });
  latenciesMs.sort((a, b) => a - b);
  return {
    requests: latenciesMs.length,
    errors: failed + errors + timeouts,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
  };
}

/** Nearest rank; 0 of nothing. */
function percentile(sorted: readonly number[], fraction: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)] ?? 0;
}
