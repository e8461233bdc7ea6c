/** Plain HTTP for probes, metrics and debugging (spec control-plane 3.1: 8080 and 15014). */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A page: its body, or null while it cannot be given (503). */
interface AdminPage {
  readonly contentType: string;
  body(): string | null | Promise<string | null>;
}

/** By exact path. */
export type AdminPages = Readonly<Record<string, AdminPage>>;

export interface BoundAdminServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function listenAdmin(
  port: number,
  host: string,
  pages: AdminPages,
): Promise<BoundAdminServer> {
  const server = createServer((request, response) => {
    // A target such as `//` is no URL; it is nobody's page.
    const path = URL.parse(request.url ?? '/', 'http://localhost')?.pathname ?? '';
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    const answer = (status: number, contentType: string, body: string): void => {
      response.writeHead(status, { 'content-type': contentType }).end(body);
    };
    if (page === undefined) return answer(404, 'text/plain', 'not found\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return answer(405, 'text/plain', 'method not allowed\n');
    }
    Promise.try(() => page.body()).then(
      (body) =>
        body === null
          ? answer(503, 'text/plain', 'not ready\n')
          : answer(200, page.contentType, body),
      () => answer(500, 'text/plain', 'internal error\n'),
    );
  });
  server.headersTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, stop: () => close(server) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
