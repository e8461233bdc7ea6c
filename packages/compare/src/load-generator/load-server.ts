import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { LoadRequest } from '../load.ts';
import { generateLoad } from './generate-load.ts';

/** Loads must not overlap: their results would be of neither. */
let isBusy = false;

/**
 * Serves GET /load with the parameters of a `LoadRequest` on the loopback address: makes that load and answers a
 * `LoadResult`; 400 for a load that cannot be made, 409 while another one runs.
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
    answer(200, await generateLoad(loadRequest(searchParams)));
  } catch (error) {
    answer(400, { error: (error as Error).message });
  } finally {
    isBusy = false;
  }
}

function loadRequest(parameters: URLSearchParams): LoadRequest {
  const number = (name: string): number => Number(parameters.get(name));
  return {
    url: parameters.get('url') ?? '',
    rate: number('rate'),
    seconds: number('seconds'),
    connections: number('connections'),
    seed: number('seed'),
    beginAtMs: number('beginAtMs'),
  };
}
