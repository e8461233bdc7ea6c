/** The HTTPS listeners: authentication, routing, and WebSocket upgrades for exec and attach. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import type { UserInfo } from '../objects/write-request.ts';
import { authenticate } from '../security/authentication.ts';
import type { KeyPair } from '../security/certificates.ts';
import { toApiStatusError } from '../status.ts';
import { sendError } from './exchange.ts';
import { parseRequest, type RequestInfo } from './request-info.ts';
import { authorizeRequest, type RouterDependencies, route } from './router.ts';
import { Upgrades } from './upgrades.ts';

/** An address of this machine and a TCP port. */
export interface ListenAddress {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
}

/** Longer than clients keep idle connections (client-go: 90 s), so that none is closed under a new request. */
const KEEP_ALIVE_MS = 120_000;

/** All listeners share one router and one certificate. */
export class HttpListeners {
  readonly #dependencies: RouterDependencies;
  readonly #tls: KeyPair & { readonly caPem: string };
  readonly #servers: Server[] = [];
  readonly #upgrades: Upgrades;

  constructor(dependencies: RouterDependencies, tls: KeyPair & { readonly caPem: string }) {
    this.#dependencies = dependencies;
    this.#tls = tls;
    this.#upgrades = new Upgrades(
      dependencies.storage,
      dependencies.podAccess,
      dependencies.onFault,
    );
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
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ host, port }, resolve);
    await promise;
    this.#servers.push(server);
    const bound = server.address();
    return { host, port: typeof bound === 'object' && bound !== null ? bound.port : port };
  }

  async stop(): Promise<void> {
    this.#upgrades.stop();
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
      sendError(response, toApiStatusError(cause, this.#dependencies.onFault));
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const admit = async (): Promise<RequestInfo> => {
      const user = await this.#identify(request);
      const info = parseRequest(request.method ?? 'GET', request.url ?? '/');
      authorizeRequest(this.#dependencies.authorizer, user, info);
      return info;
    };
    void this.#upgrades.handle({ request, socket, head, admit });
  }
}
