import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { canonicalIpAddress, formatIpAddress, parseIpAddress } from '@aquifer/model';
import type { SocketAddress } from '@aquifer/wire';
import { ztunnelError } from '../errors.ts';
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  closeSocket,
  getOption,
  listenSocket,
  OPTION,
  setOption,
  tcpSocket,
} from './libc.ts';
import type { PodSockets, SocketSettings } from './pod-sockets.ts';

const BACKLOG = 1024;
/** TCP connect, socket creation included (spec ztunnel 1.7). */
const CONNECT_TIMEOUT_MS = 10_000;

/** Of a listener's, what it accepts has the same. */
function setUpConnection(fd: number, { mark, keepAlive, userTimeoutMs }: SocketSettings): void {
  if (mark !== null) setOption(fd, OPTION.mark, mark);
  if (keepAlive !== null) {
    setOption(fd, OPTION.keepAlive, 1);
    setOption(fd, OPTION.keepIdleSeconds, keepAlive.timeSeconds);
    setOption(fd, OPTION.keepIntervalSeconds, keepAlive.intervalSeconds);
    setOption(fd, OPTION.keepCount, keepAlive.retries);
  }
  if (userTimeoutMs !== null) setOption(fd, OPTION.userTimeoutMs, userTimeoutMs);
}

/**
 * A listening socket inside a pod's namespace, on all its addresses or one, shared between threads by SO_REUSEPORT unless that is
 * switched off. What it accepts has its keep-alive. Connections that ended on the port, of another program or an earlier proxy, are no
 * obstacle (SO_REUSEADDR); a listener is, and the error says so.
 */
export function listenInPod(
  { namespace, settings }: PodSockets,
  port: number,
  ip: '127.0.0.1' | null = null,
): number {
  return namespace.run(() => {
    const isV4 = ip !== null || !settings.usesIpv6;
    const { fd, family } = isV4 ? { fd: tcpSocket(AF_INET), family: AF_INET } : openDualStack();
    return orClose(fd, () => {
      setOption(fd, OPTION.reuseAddress, 1);
      if (settings.reusesPorts) setOption(fd, OPTION.reusePort, 1);
      setOption(fd, OPTION.ipTransparent, 1);
      setUpConnection(fd, settings);
      try {
        const anywhere = family === AF_INET6 ? '::' : '0.0.0.0';
        bindSocket(fd, socketAddress({ ip: ip ?? anywhere, port }));
        listenSocket(fd, BACKLOG);
      } catch (error) {
        throw new Error(`port ${port}: ${(error as Error).message}, ${whoHas(port)}`);
      }
    });
  });
}

const LISTEN = '0A';
const TIME_WAIT = '06';

/** For people: what of the port is in the kernel's tables of the calling thread's namespace. */
function whoHas(port: number): string {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const states = new Set(
    ['tcp', 'tcp6'].flatMap((table) =>
      [...readTable(table).matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ ([0-9A-F]{2})/gm)]
        .filter(([, local]) => local === hex)
        .map(([, , state]) => state),
    ),
  );
  if (states.has(LISTEN)) return 'a program of the pod listens on it';
  if (states.has(TIME_WAIT)) return 'held by a connection that ended, for a minute at most';
  return 'held by a program of the pod';
}

function readTable(table: string): string {
  try {
    return readFileSync(`/proc/thread-self/net/${table}`, 'utf8');
  } catch {
    return '';
  }
}

/** Returns the socket once it is set up; one that cannot be is closed. */
export function orClose(fd: number, setUp: () => void): number {
  try {
    setUp();
    return fd;
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}

/** Where the namespace has IPv6, else IPv4 alone. */
function openDualStack(): { fd: number; family: number } {
  try {
    const fd = tcpSocket(AF_INET6);
    setOption(fd, OPTION.v6Only, 0);
    return { fd, family: AF_INET6 };
  } catch {
    return { fd: tcpSocket(AF_INET), family: AF_INET };
  }
}

export interface DialInPodOptions {
  /** Appears as the source address of the connection; null for the pod's own. */
  readonly sourceIp: string | null;
  /** Is given what to call when nobody waits for the connection any more; afterwards that does nothing. */
  readonly onGivenUp?: (giveUp: (why?: Error) => void) => void;
}

/** Connects from inside a pod's namespace, marked so that the redirection leaves the connection alone. */
export function dialInPod(
  { namespace, settings }: PodSockets,
  to: SocketAddress,
  options: DialInPodOptions,
): Promise<Socket> {
  const fd = namespace.run(() => {
    const isV6 = to.ip.includes(':');
    const socket = tcpSocket(isV6 ? AF_INET6 : AF_INET);
    return orClose(socket, () => {
      setUpConnection(socket, settings);
      if (options.sourceIp !== null) bindSource(socket, options.sourceIp, isV6);
    });
  });
  return connectSocket(fd, to, options.onGivenUp);
}

function bindSource(fd: number, sourceIp: string, isV6: boolean): void {
  setOption(fd, isV6 ? OPTION.ipv6Transparent : OPTION.ipTransparent, 1);
  setOption(fd, isV6 ? OPTION.ipv6Freebind : OPTION.ipFreebind, 1);
  // The port is chosen at connect, so that many connections may share it towards different destinations.
  setOption(fd, OPTION.ipBindAddressNoPort, 1);
  bindSocket(fd, socketAddress({ ip: sourceIp, port: 0 }));
}

function connectSocket(
  fd: number,
  to: SocketAddress,
  onGivenUp: DialInPodOptions['onGivenUp'],
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd, allowHalfOpen: true, manualStart: true } as object);
    const timer = setTimeout(() => {
      socket.destroy(ztunnelError('ZT_DIAL_TIMEOUT', 'timed out'));
    }, CONNECT_TIMEOUT_MS);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      socket.setNoDelay(true);
      resolve(socket);
    });
    onGivenUp?.((why = new Error('the caller gave up')) => {
      if (socket.connecting) socket.destroy(why);
    });
    socket.connect({ host: to.ip, port: to.port, family: to.ip.includes(':') ? 6 : 4 });
  });
}

/** Where the application aimed before the redirection; the socket's own address if it was not redirected. */
export function originalDestination(socket: Socket): SocketAddress {
  const fd = (socket as Socket & { _handle?: { fd: number } | null })._handle?.fd ?? -1;
  const v4 = getOption(fd, OPTION.originalDst, 16);
  const v6 = v4 === null ? getOption(fd, OPTION.originalDst6, 28) : null;
  return (
    readSocketAddress(v4 ?? v6) ?? {
      ip: canonicalIpAddress(socket.localAddress ?? '') ?? '',
      port: socket.localPort ?? 0,
    }
  );
}

/** struct sockaddr_in or sockaddr_in6: family in host order, port in network order, then the address. */
export function socketAddress({ ip, port }: SocketAddress): Buffer {
  const address = parseIpAddress(ip);
  if (address === null) throw new Error(`${ip} is not an IP address`);
  const isV6 = address.length === 16;
  const bytes = Buffer.alloc(isV6 ? 28 : 16);
  bytes.writeUInt16LE(isV6 ? AF_INET6 : AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address, isV6 ? 8 : 4);
  return bytes;
}

function readSocketAddress(bytes: Buffer | null): SocketAddress | null {
  if (bytes === null || bytes.length < 16) return null;
  const isV6 = bytes.readUInt16LE(0) === AF_INET6;
  const raw = formatIpAddress(isV6 ? bytes.subarray(8, 24) : bytes.subarray(4, 8));
  const ip = raw === null ? null : canonicalIpAddress(raw);
  return ip === null ? null : { ip, port: bytes.readUInt16BE(2) };
}
