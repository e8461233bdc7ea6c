/** Plain HTTP for probes, metrics and debugging (spec control-plane 3.1: 8080 and 15014). */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A GET or HEAD. */
export interface AdminRequest {
  /** Slashes that follow each other are one. */
  readonly path: string;
  /** Empty, or with its question mark. */
  readonly search: string;
  readonly authorization: string | undefined;
  readonly remoteAddress: string | undefined;
}

export interface AdminAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Null for what it does not serve. */
export type AdminHandler = (request: AdminRequest) => Promise<AdminAnswer | null>;

export interface BoundAdminServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** The first handler that serves a path answers. */
export async function listenAdmin(
  port: number,
  host: string,
  ...handlers: readonly AdminHandler[]
): Promise<BoundAdminServer> {
  const server = createServer((request, response) => {
    const send = ({ status, contentType, body }: AdminAnswer): void => {
      response.writeHead(status, { 'content-type': contentType }).end(body);
    };
    answer(request, handlers).then(send, () => send(plain(500, 'internal error')));
  });
  server.headersTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, stop: () => close(server) };
}

async function answer(
  request: IncomingMessage,
  handlers: readonly AdminHandler[],
): Promise<AdminAnswer> {
  const url = URL.parse((request.url ?? '/').replace(/^\/+/, '/'), 'http://localhost');
  if (url === null) return plain(404, 'not found');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return plain(405, 'method not allowed');
  }
  const asked: AdminRequest = {
    path: url.pathname.replace(/\/{2,}/g, '/'),
    search: url.search,
    authorization: request.headers.authorization,
    remoteAddress: request.socket.remoteAddress,
  };
  for (const handler of handlers) {
    const answered = await handler(asked);
    if (answered !== null) return answered;
  }
  return plain(404, 'not found');
}

export function plain(status: number, message: string): AdminAnswer {
  return { status, contentType: 'text/plain', body: `${message}\n` };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
