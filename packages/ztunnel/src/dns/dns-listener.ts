import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { DnsProxy } from './dns-proxy.ts';
import { frameMessage, MessageSplitter } from './tcp-framing.ts';

/** Spec ztunnel 1.7. */
const TCP_IDLE_MS = 5000;
const MAX_PENDING_OF_CONNECTION = 32;
/** Answers that a client does not read. */
const MAX_UNREAD_BYTES = 262_144;
/** Of one pod; a program that opens more waits for its own to end. */
const MAX_CONNECTIONS = 256;
/** Queries of one pod whose answer is not known yet: what comes beyond is dropped, as a full queue of the kernel would. */
const MAX_PENDING = 2048;

/** Open, bound descriptors of one pod: loopback over IPv4, and over IPv6 where the pod has it. */
export interface DnsDescriptors {
  readonly udp: readonly { readonly fd: number; readonly family: 4 | 6 }[];
  readonly tcp: readonly number[];
}

/** Serves a pod's DNS sockets until it is closed. */
export class DnsListener {
  readonly #proxy: DnsProxy;
  readonly #udp: UdpSocket[] = [];
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Socket>();
  #pending = 0;

  constructor(descriptors: DnsDescriptors, proxy: DnsProxy) {
    this.#proxy = proxy;
    for (const { fd, family } of descriptors.udp) this.#udp.push(this.#serveUdp(fd, family));
    for (const fd of descriptors.tcp) this.#servers.push(this.#serveTcp(fd));
  }

  /** Answers a query of the proxy's own, as one of the pod's over TCP. */
  ask(query: Buffer): Promise<Buffer | null> {
    return this.#proxy.answer(query, 'tcp');
  }

  close(): void {
    for (const socket of this.#udp) socket.close();
    for (const server of this.#servers) server.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #serveUdp(fd: number, family: 4 | 6): UdpSocket {
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6' });
    let isOpen = true;
    socket.once('close', () => {
      isOpen = false;
    });
    // Such as a client that has closed its socket: of no consequence for the others.
    socket.on('error', () => undefined);
    socket.on('message', (message, client) => {
      // Nothing can be sent there (RFC 768).
      if (client.port === 0) return;
      this.#answer(message, 'udp', (answer) => {
        if (isOpen) socket.send(answer, client.port, client.address, () => undefined);
      });
    });
    socket.bind({ fd, exclusive: true });
    return socket;
  }

  #serveTcp(fd: number): Server {
    const server = createServer({ noDelay: true }, (socket) => {
      this.#serveConnection(socket);
    });
    server.maxConnections = MAX_CONNECTIONS;
    return server.listen({ fd });
  }

  #serveConnection(socket: Socket): void {
    this.#connections.add(socket);
    let pending = 0;
    const splitter = new MessageSplitter((message) => {
      if (pending >= MAX_PENDING_OF_CONNECTION || socket.writableLength > MAX_UNREAD_BYTES) {
        socket.destroy();
        return;
      }
      pending += 1;
      this.#answer(message, 'tcp', (answer) => {
        pending -= 1;
        if (!socket.destroyed) socket.write(frameMessage(answer));
      });
    });
    socket.setTimeout(TCP_IDLE_MS, () => {
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      if (!socket.destroyed) splitter.push(chunk);
    });
    socket.once('close', () => this.#connections.delete(socket));
  }

  #answer(message: Buffer, transport: 'udp' | 'tcp', send: (answer: Buffer) => void): void {
    if (this.#pending >= MAX_PENDING) return;
    this.#pending += 1;
    void this.#proxy.answer(message, transport).then((answer) => {
      this.#pending -= 1;
      if (answer !== null) send(answer);
    });
  }
}
