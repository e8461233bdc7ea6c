import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a handler answers; `contentType` defaults to plain text. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

/** Handles one path, any query: `url.searchParams` has it. */
export type HttpHandler = (request: {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
}) => HttpAnswer | Promise<HttpAnswer>;

export type HttpRoutes = Readonly<Record<string, HttpHandler>>;

const HEADER_TIMEOUT_MS = 2_000;

/** A small server for admin, metrics and readiness. Always: bound when the promise resolves. */
export async function serveHttp(
  routes: HttpRoutes,
  address: { readonly host?: string; readonly port: number },
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer({ headersTimeout: HEADER_TIMEOUT_MS }, (request, response) => {
    void answer(routes, request).then(
      ({ status, body, contentType = 'text/plain; charset=utf-8' }) => {
        response.writeHead(status, {
          ...(body !== '' && { 'content-type': contentType }),
          'content-length': Buffer.byteLength(body),
        });
        response.end(body);
      },
    );
  });
  await listen(server, address);
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeIdleConnections();
    },
  };
}

function listen(server: Server, address: { host?: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function answer(routes: HttpRoutes, request: IncomingMessage): Promise<HttpAnswer> {
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const handler = routes[url.pathname];
    if (handler === undefined) return { status: 404, body: '' };
    return await handler({ method: request.method ?? 'GET', url, headers: request.headers });
  } catch (error) {
    return { status: 500, body: `${(error as Error).message}\n` };
  }
}
