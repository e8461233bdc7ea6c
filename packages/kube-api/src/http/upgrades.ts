/** Requests that leave HTTP: exec, attach and port-forward, over WebSocket or SPDY. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import type { ApiStatusError } from '../api-status-error.ts';
import type { ContainerRef, PodAccess } from '../cluster-client.ts';
import { badRequest, type OnFault, statusObject, toApiStatusError } from '../status.ts';
import type { Storage } from '../storage/storage.ts';
import { SPDY_EXEC_PROTOCOL, serveSpdyExec } from '../streams/exec-spdy.ts';
import { EXEC_PROTOCOLS, serveExec } from '../streams/exec-websocket.ts';
import { podTarget, requireNode } from '../streams/pod-target.ts';
import {
  PORT_FORWARD_PROTOCOL,
  servePortForward,
  TUNNELED_PORT_FORWARD_PROTOCOL,
} from '../streams/port-forward.ts';
import {
  CHANNEL_PORT_FORWARD_PROTOCOL,
  forwardedPorts,
  serveChannelPortForward,
} from '../streams/port-forward-channels.ts';
import type { RequestInfo } from './request-info.ts';

const MAX_WEBSOCKET_BYTES = 8 * 1024 * 1024;

/** A connection whose client asks to leave HTTP. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** Throws what the client is to be refused with. */
  readonly admit: () => Promise<RequestInfo>;
}

interface Session {
  readonly ref: ContainerRef;
  readonly info: RequestInfo;
  readonly podAccess: PodAccess;
  readonly isPortForward: boolean;
  /** The ports of a port-forward by channels; empty for everything else. */
  readonly channelPorts: readonly number[];
}

/** What the server offers over WebSocket, best first. */
const PORT_FORWARD_PROTOCOLS = [TUNNELED_PORT_FORWARD_PROTOCOL, CHANNEL_PORT_FORWARD_PROTOCOL];

const streaming = new Set(['exec', 'attach', 'portforward']);

/** Holds every upgraded connection until it ends. */
export class Upgrades {
  readonly #storage: Storage;
  readonly #podAccess: PodAccess;
  readonly #onFault: OnFault;
  /** Upgraded connections are no longer the HTTP server's to close. */
  readonly #sockets = new Set<Duplex>();
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_WEBSOCKET_BYTES,
    handleProtocols: (offered, request) => {
      const isPortForward = (request.url ?? '').split('?')[0]?.endsWith('/portforward');
      const spoken = isPortForward ? PORT_FORWARD_PROTOCOLS : EXEC_PROTOCOLS;
      return spoken.find((name) => offered.has(name)) ?? false;
    },
  });

  constructor(storage: Storage, podAccess: PodAccess, onFault: OnFault) {
    this.#storage = storage;
    this.#podAccess = podAccess;
    this.#onFault = onFault;
  }

  stop(): void {
    this.#webSockets.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Never throws: a refusal is answered on the connection. */
  async handle({ request, socket, head, admit }: Upgrade): Promise<void> {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    try {
      const session = this.#session(await admit(), request);
      if (/^websocket$/i.test(request.headers.upgrade ?? '')) {
        this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
          void this.#serveWebSocket(webSocket, session);
        });
      } else {
        acceptSpdy(request, socket, session.isPortForward);
        if (head.length > 0) socket.unshift(head);
        await this.#serveSpdy(socket, session);
      }
    } catch (cause) {
      refuse(socket, toApiStatusError(cause, this.#onFault));
    }
  }

  #session(info: RequestInfo, request: IncomingMessage): Session {
    const path = info.resource;
    if (path?.plural !== 'pods' || !streaming.has(path.subresource)) {
      throw badRequest('this path takes no upgrade');
    }
    const ref = requireNode(podTarget(this.#storage, path, info.query));
    // Attaching is an exec of the program that runs already.
    const { attach } = this.#podAccess;
    const podAccess =
      path.subresource === 'attach' ? { ...this.#podAccess, exec: attach } : this.#podAccess;
    const isPortForward = path.subresource === 'portforward';
    const channelPorts = isPortForward && wantsChannels(request) ? forwardedPorts(info.query) : [];
    return { ref, info, podAccess, isPortForward, channelPorts };
  }

  async #serveWebSocket(
    webSocket: WebSocket,
    { ref, info, podAccess, isPortForward, channelPorts }: Session,
  ): Promise<void> {
    if (!isPortForward) {
      await serveExec(webSocket, podAccess, ref, info.query);
      return;
    }
    if (webSocket.protocol === CHANNEL_PORT_FORWARD_PROTOCOL) {
      await serveChannelPortForward(webSocket, podAccess, ref, channelPorts);
      return;
    }
    const stream = createWebSocketStream(webSocket);
    stream.on('error', () => stream.destroy());
    // A connection that breaks off is how a client ends its port-forward.
    await servePortForward(stream, podAccess, ref).catch(() => webSocket.terminate());
  }

  async #serveSpdy(
    socket: Duplex,
    { ref, info, podAccess, isPortForward }: Session,
  ): Promise<void> {
    const served = isPortForward
      ? servePortForward(socket, podAccess, ref)
      : serveSpdyExec(socket, podAccess, ref, info.query);
    await served.catch(() => socket.destroy());
  }
}

function wantsChannels({ headers }: IncomingMessage): boolean {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  return (
    offered.includes(CHANNEL_PORT_FORWARD_PROTOCOL) &&
    !offered.includes(TUNNELED_PORT_FORWARD_PROTOCOL)
  );
}

/** Throws 400 for another protocol than SPDY/3.1, or a subprotocol that is not spoken. */
function acceptSpdy(request: IncomingMessage, socket: Duplex, isPortForward: boolean): void {
  const { upgrade } = request.headers;
  if (!/^SPDY\/3\.1$/i.test(upgrade ?? '')) throw badRequest(`unable to upgrade to ${upgrade}`);
  const wanted = isPortForward ? PORT_FORWARD_PROTOCOL : SPDY_EXEC_PROTOCOL;
  const offered = (request.headersDistinct['x-stream-protocol-version'] ?? [])
    .flatMap((value) => value.split(','))
    .map((value) => value.trim());
  if (!offered.includes(wanted)) {
    throw badRequest(
      `unable to upgrade: the client offers ${offered.join(', ')}, this server speaks ${wanted}`,
    );
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${wanted}\r\n\r\n`,
  );
}

function refuse(socket: Duplex, error: ApiStatusError): void {
  const body = JSON.stringify(statusObject(error));
  socket.end(
    `HTTP/1.1 ${error.code} ${error.reason}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
