import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { DNS_PORT } from '../ports.ts';
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  closeSocket,
  listenSocket,
  OPTION,
  setOption,
  tcpSocket,
  udpSocket,
} from './libc.ts';
import type { PodSockets, SocketSettings } from './pod-sockets.ts';
import { orClose, socketAddress } from './sockets.ts';

/** RFC 7766 expects clients to reuse connections; a burst of them still fits. */
const BACKLOG = 128;

const LOOPBACK = [
  { family: 4, domain: AF_INET, ip: '127.0.0.1' },
  { family: 6, domain: AF_INET6, ip: '::1' },
] as const;

/** Descriptors of bound sockets; whoever serves them closes them. */
export interface BoundDnsSockets {
  readonly udp: readonly { readonly fd: number; readonly family: 4 | 6 }[];
  readonly tcp: readonly number[];
}

/**
 * Sockets on 127.0.0.1:15053, and on [::1]:15053 where the pod has IPv6, shared between threads by SO_REUSEPORT (spec
 * ztunnel 7.4). Throws if IPv4's cannot be had.
 */
export function listenDnsInPod({ namespace, settings }: PodSockets): BoundDnsSockets {
  return namespace.run(() => {
    const udp: { fd: number; family: 4 | 6 }[] = [];
    const tcp: number[] = [];
    for (const { family, domain, ip } of LOOPBACK) {
      if (family === 6 && !settings.usesIpv6) continue;
      try {
        udp.push({ family, fd: bound(udpSocket(domain), ip, settings) });
        tcp.push(listening(domain, ip, settings));
      } catch (error) {
        if (family === 6) continue;
        closeDnsSockets({ udp, tcp });
        throw error;
      }
    }
    return { udp, tcp };
  });
}

/** For sockets that nobody will serve. */
function closeDnsSockets({ udp, tcp }: BoundDnsSockets): void {
  for (const { fd } of udp) closeSocket(fd);
  for (const fd of tcp) closeSocket(fd);
}

function listening(domain: number, ip: string, settings: SocketSettings): number {
  const fd = tcpSocket(domain);
  return orClose(fd, () => {
    // Connections that ended on the port are no obstacle. With UDP the option would let others take the port as well.
    setOption(fd, OPTION.reuseAddress, 1);
    bindOnLoopback(fd, ip, settings);
    listenSocket(fd, BACKLOG);
  });
}

function bound(fd: number, ip: string, settings: SocketSettings): number {
  return orClose(fd, () => bindOnLoopback(fd, ip, settings));
}

function bindOnLoopback(fd: number, ip: string, { reusesPorts, mark }: SocketSettings): void {
  if (reusesPorts) setOption(fd, OPTION.reusePort, 1);
  if (mark !== null) setOption(fd, OPTION.mark, mark);
  bindSocket(fd, socketAddress({ ip, port: DNS_PORT }));
}

/** A UDP socket inside the pod's namespace, marked so that the redirection leaves it alone. */
export function udpSocketInPod({ namespace, settings }: PodSockets, family: 4 | 6): UdpSocket {
  const fd = namespace.run(() => {
    const socket = udpSocket(family === 4 ? AF_INET : AF_INET6);
    return orClose(socket, () => {
      if (settings.mark !== null) setOption(socket, OPTION.mark, settings.mark);
      const ip = family === 4 ? '0.0.0.0' : '::';
      bindSocket(socket, socketAddress({ ip, port: 0 }));
    });
  });
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6' });
  socket.bind({ fd, exclusive: true });
  return socket;
}
