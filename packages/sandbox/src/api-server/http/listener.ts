/** The HTTPS listeners: authentication, routing, and WebSocket upgrades for exec and attach. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { ApiStatusError } from '../../api-status-error.ts';
import { authenticate } from '../security/authentication.ts';
import type { KeyPair } from '../security/certificates.ts';
import { statusObject, toApiStatusError } from '../status.ts';
import { EXEC_PROTOCOLS, serveExec } from '../streams/exec-websocket.ts';
import { podTarget, requireNode } from '../streams/pod-target.ts';
import type { UserInfo } from '../write-request.ts';
import { sendError } from './exchange.ts';
import { parseRequest, type RequestInfo } from './request-info.ts';
import { authorizeRequest, type RouterDependencies, route } from './router.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
}

const MAX_WEBSOCKET_BYTES = 8 * 1024 * 1024;

export class HttpListeners {
  readonly #dependencies: RouterDependencies;
  readonly #tls: KeyPair & { readonly caPem: string };
  readonly #servers: Server[] = [];
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_WEBSOCKET_BYTES,
    handleProtocols: (offered) => EXEC_PROTOCOLS.find((name) => offered.has(name)) ?? false,
  });

  constructor(dependencies: RouterDependencies, tls: KeyPair & { readonly caPem: string }) {
    this.#dependencies = dependencies;
    this.#tls = tls;
  }

  /** Resolves with the address that was bound. */
  async listen({ host, port }: ListenAddress): Promise<ListenAddress> {
    const server = createServer(
      {
        key: this.#tls.keyPem,
        cert: this.#tls.certificatePem,
        ca: this.#tls.caPem,
        requestCert: true,
        // Who has no certificate may have a token: the handler decides.
        rejectUnauthorized: false,
      },
      (request, response) => void this.#serve(request, response),
    );
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ host, port }, resolve);
    await promise;
    this.#servers.push(server);
    const bound = server.address();
    return { host, port: typeof bound === 'object' && bound !== null ? bound.port : port };
  }

  async stop(): Promise<void> {
    this.#webSockets.close();
    const closed = this.#servers.map((server) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      return promise;
    });
    await Promise.all(closed);
  }

  /** Throws 401 or, for who may not act as another user, 403. */
  async #identify(request: IncomingMessage): Promise<UserInfo> {
    const { user, impersonator } = await authenticate(request, this.#dependencies.tokens);
    if (impersonator === null) return user;
    const resource = {
      group: '',
      version: 'v1',
      plural: 'users',
      namespace: '',
      name: user.username,
      subresource: '',
    };
    const info: RequestInfo = {
      verb: 'impersonate',
      path: '',
      query: new URLSearchParams(),
      resource,
    };
    authorizeRequest(this.#dependencies.authorizer, impersonator, info);
    return user;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const user = await this.#identify(request);
      const info = parseRequest(request.method ?? 'GET', request.url ?? '/');
      await route({ request, response, info, user }, this.#dependencies);
    } catch (cause) {
      sendError(response, toApiStatusError(cause));
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const { storage, podAccess, authorizer } = this.#dependencies;
      const user = await this.#identify(request);
      const info = parseRequest(request.method ?? 'GET', request.url ?? '/');
      authorizeRequest(authorizer, user, info);
      const path = info.resource;
      if (path?.plural !== 'pods' || !['exec', 'attach'].includes(path.subresource)) {
        throw new ApiStatusError(400, 'BadRequest', 'this path takes no WebSocket');
      }
      const ref = requireNode(podTarget(storage, path, info.query));
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        void serveExec(webSocket, podAccess, ref, info.query);
      });
    } catch (cause) {
      refuseUpgrade(socket, toApiStatusError(cause));
    }
  }
}

function refuseUpgrade(socket: Duplex, error: ApiStatusError): void {
  const body = JSON.stringify(statusObject(error));
  socket.end(
    `HTTP/1.1 ${error.code} ${error.reason}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
