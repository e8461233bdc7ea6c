import type { Socket } from 'node:net';
import { canonicalIpAddress, formatIpAddress } from '@aquifer/model';
import type { SocketAddress } from '@aquifer/wire';
import { carryOutbound, type OutboundPod } from './outbound.ts';
import { acceptPlain, type PodListener } from './plain-listener.ts';

/** RFC 1928. */
const VERSION = 5;
const CONNECT = 1;
const NO_AUTHENTICATION = 0;
const NO_METHOD = 0xff;
const ADDRESS = { v4: 1, name: 3, v6: 4 } as const;
const REPLY = { ok: 0, hostUnreachable: 4, notSupported: 7 } as const;
/** A client that says nothing holds a socket. */
const HANDSHAKE_MS = 10_000;

/** What is not in the protocol, or not served, and what its client is told. */
class SocksError extends Error {
  readonly reply: Buffer;

  constructor(message: string, reply: Buffer) {
    super(message);
    this.reply = reply;
  }
}

export interface SocksPod extends OutboundPod {
  /** Null if there is no such name, or nobody resolves names for the pod. */
  readonly lookUp: (name: string, family: 4 | 6) => Promise<string | null>;
}

/**
 * Serves 15080: programs of the pod that say themselves where they want to go (SOCKS5, spec ztunnel 3.8), by address or
 * by name. Only CONNECT, without authentication; it listens on the pod's loopback address.
 */
export function listenSocks(fd: number, pod: SocksPod): PodListener {
  return acceptPlain(fd, {
    onConnection: (socket) => serveClient(socket, pod),
    onOpenSockets: (change) => pod.record.totals.openSockets.add('source', change),
  });
}

async function serveClient(socket: Socket, pod: SocksPod): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), HANDSHAKE_MS);
  let destination: SocketAddress;
  try {
    destination = await shakeHands(socket, pod.lookUp);
  } catch (error) {
    if (!(error instanceof SocksError)) throw error;
    socket.end(error.reply);
    return;
  } finally {
    clearTimeout(timer);
  }
  return carryOutbound(socket, destination, pod);
}

async function shakeHands(socket: Socket, lookUp: SocksPod['lookUp']): Promise<SocketAddress> {
  using reader = new HandshakeReader(socket);
  const greeting = await reader.take(2);
  if (greeting[0] !== VERSION) throw refusal('not version 5', REPLY.notSupported);
  const methods = await reader.take(greeting[1]!);
  if (!methods.includes(NO_AUTHENTICATION)) {
    throw new SocksError('only without authentication', Buffer.of(VERSION, NO_METHOD));
  }
  socket.write(Buffer.of(VERSION, NO_AUTHENTICATION));
  const request = await reader.take(4);
  if (request[0] !== VERSION || request[1] !== CONNECT) {
    throw refusal('only CONNECT', REPLY.notSupported);
  }
  const target = await readTarget(reader, request[3]!);
  const ip = target.ip ?? (await resolve(target.name, socket, lookUp));
  // Said before anybody is dialled, as Istio's ztunnel does.
  socket.write(reply(REPLY.ok));
  return { ip, port: target.port };
}

type Target =
  | { readonly ip: string; readonly port: number }
  | { readonly ip: null; readonly name: string; readonly port: number };

async function readTarget(reader: HandshakeReader, type: number): Promise<Target> {
  switch (type) {
    case ADDRESS.v4:
    case ADDRESS.v6: {
      const bytes = await reader.take(type === ADDRESS.v4 ? 4 : 16);
      const ip = canonicalIpAddress(formatIpAddress(bytes) ?? '') ?? '';
      return { ip, port: await takePort(reader) };
    }
    case ADDRESS.name: {
      const length = (await reader.take(1))[0]!;
      const name = (await reader.take(length)).toString('latin1');
      return { ip: null, name, port: await takePort(reader) };
    }
    default:
      throw refusal('no such type of address', REPLY.notSupported);
  }
}

async function takePort(reader: HandshakeReader): Promise<number> {
  return (await reader.take(2)).readUInt16BE();
}

async function resolve(name: string, socket: Socket, lookUp: SocksPod['lookUp']): Promise<string> {
  const isV6 = canonicalIpAddress(socket.remoteAddress ?? '')?.includes(':') ?? false;
  const ip = await lookUp(name, isV6 ? 6 : 4);
  if (ip === null) throw refusal('no such name', REPLY.hostUnreachable);
  return ip;
}

function refusal(message: string, code: number): SocksError {
  return new SocksError(message, reply(code));
}

/** The address that is bound is nobody's business. */
function reply(code: number): Buffer {
  return Buffer.of(VERSION, code, 0, ADDRESS.v4, 0, 0, 0, 0, 0, 0);
}

/** What a client says first, piece by piece; what follows stays in the socket. */
class HandshakeReader implements Disposable {
  readonly #socket: Socket;
  #held: Buffer = Buffer.alloc(0);
  #wake: (() => void) | null = null;
  #isOver = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', this.#onData);
    socket.on('end', this.#onOver);
    socket.on('close', this.#onOver);
    socket.pause();
  }

  /** So many bytes. Throws if the client leaves before. */
  async take(bytes: number): Promise<Buffer> {
    if (bytes === 0) throw refusal('nothing where something belongs', REPLY.notSupported);
    while (this.#held.length < bytes) {
      if (this.#isOver) throw refusal('the client left', REPLY.notSupported);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#socket.resume();
      });
    }
    const taken = this.#held.subarray(0, bytes);
    this.#held = this.#held.subarray(bytes);
    return taken;
  }

  [Symbol.dispose](): void {
    const socket = this.#socket;
    socket.off('data', this.#onData);
    socket.off('end', this.#onOver);
    socket.off('close', this.#onOver);
    if (this.#held.length > 0 && !this.#isOver) socket.unshift(this.#held);
  }

  /** Nothing more is read until somebody waits for it, and so the end is not passed over. */
  readonly #onData = (chunk: Buffer): void => {
    this.#held = Buffer.concat([this.#held, chunk]);
    this.#socket.pause();
    this.#wake?.();
  };

  readonly #onOver = (): void => {
    this.#isOver = true;
    this.#wake?.();
  };
}
