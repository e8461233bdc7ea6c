import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { errorPage, indexPage } from './index-page.ts';
import { type MeshView, type PageTarget, targetOf } from './pages.ts';

/** What the dashboard needs of a cluster. */
export interface DashboardSource {
  /** Its name, for people. */
  readonly cluster: string;
  /** Looked at anew for each view. */
  view(): Promise<MeshView>;
  /** A connection to a port of a pod. */
  connect(target: PageTarget): Promise<Duplex>;
}

type Connected = (error: Error | null, stream: Duplex) => void;

/**
 * A server on this machine's loopback address that lists pages of a cluster and passes requests and WebSockets on to them,
 * each through a connection of its own through the cluster's API.
 *
 * Whoever is on this machine can use it. A page of the Internet that is open in the same browser cannot: only names below
 * `localhost` are served, and what another page asks for is refused, but for following a link.
 */
export class Dashboard implements AsyncDisposable {
  readonly #source: DashboardSource;
  readonly #server: Server;
  readonly #proxy = httpProxy.createProxyServer({ xfwd: false });

  constructor(source: DashboardSource) {
    this.#source = source;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    this.#proxy.on('error', (error, _request, response) => fail(response, error));
  }

  /** Resolves with the address of the list, such as `http://localhost:15080/`. */
  async listen(port: number): Promise<string> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://localhost:${this.#port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#proxy.close();
    await once(this.#server, 'close');
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const host = hostName(request);
    if (isForeign(request)) {
      refuse(response, 403, 'Another site asked for it.');
      return;
    }
    const target = targetOf(host);
    if (target !== null) {
      this.#proxy.web(request, response, this.#options(target, request));
      return;
    }
    if (host !== 'localhost' && host !== '127.0.0.1') {
      refuse(response, 421, `There is no page ${host}.`);
      return;
    }
    try {
      const view = await this.#source.view();
      send(response, 200, indexPage(view, this.#source.cluster, this.#port));
    } catch (error) {
      refuse(response, 502, `The cluster cannot be asked: ${(error as Error).message}`);
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const target = targetOf(hostName(request));
    if (target === null || isForeign(request)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
      return;
    }
    socket.on('error', () => undefined);
    this.#proxy.ws(request, socket, head, this.#options(target, request));
  }

  /** Programs see the name that they are known by, not ours: some refuse others. It is their own page that asks. */
  #options(target: PageTarget, { headers }: IncomingMessage): httpProxy.ServerOptions {
    const origin = `http://localhost:${target.port}`;
    if (headers.origin !== undefined) headers.origin = origin;
    const agent = new Agent({ keepAlive: false });
    agent.createConnection = (_, done) => {
      void this.#connect(target, done!);
      return undefined;
    };
    return { agent, target: origin, changeOrigin: true };
  }

  async #connect(target: PageTarget, done: Connected): Promise<void> {
    let stream: Duplex;
    try {
      stream = await this.#source.connect(target);
    } catch (error) {
      done(error as Error, undefined as unknown as Duplex);
      return;
    }
    done(null, stream);
  }
}

/** Without its port. */
function hostName({ headers }: IncomingMessage): string {
  return (headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
}

/**
 * Whether a page of somebody else made the browser ask. Browsers say so (Fetch Metadata; Origin); other programs say neither.
 */
function isForeign({ headers, method }: IncomingMessage): boolean {
  const { origin, host } = headers;
  if (origin !== undefined && origin !== `http://${host}`) return true;
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  // Within a frame it would be shown by the other page, which could have people click what they do not see.
  const isFramed = (headers['sec-fetch-dest'] ?? 'document') !== 'document';
  return isFramed || headers['sec-fetch-mode'] !== 'navigate' || method !== 'GET';
}

function fail(response: ServerResponse | Duplex, error: Error): void {
  if (!('writeHead' in response)) {
    response.destroy();
  } else if (response.headersSent) {
    response.destroy();
  } else {
    refuse(response, 502, error.message);
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  send(response, status, errorPage(message));
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  });
  response.end(body);
}
