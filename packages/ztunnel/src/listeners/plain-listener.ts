import { createServer, type Socket } from 'node:net';
import { resetSocket } from '@aquifer/hbone';
import { canonicalIpAddress } from '@aquifer/model';
import type { SocketAddress } from '@aquifer/wire';
import { OpenSet } from '../connections/open-set.ts';

/** A listener of a pod. `drain` stops accepting and leaves connections alone; `abort` ends them too. */
export interface PodListener {
  drain(): void;
  abort(): void;
}

/** The peer, an IPv4-mapped address reduced to IPv4. */
export function peerAddress(socket: Socket): SocketAddress {
  const ip = canonicalIpAddress(socket.remoteAddress ?? '') ?? '';
  return { ip, port: socket.remotePort ?? 0 };
}

/** For a client that waits to be spoken to. */
const REFUSE_AFTER_MS = 50;

/**
 * Resets a connection that nothing will come of, once its client has sent something: a reset that overtakes the end of
 * its `connect` looks to it like a port that nobody listens on.
 */
export function refuseSocket(socket: Socket): void {
  const reset = (): void => {
    clearTimeout(timer);
    resetSocket(socket);
  };
  const timer = setTimeout(reset, REFUSE_AFTER_MS);
  socket.once('readable', reset);
}

/**
 * Accepts plain TCP on a listening socket made elsewhere. `onConnection` owns the connection's errors; one that
 * escapes ends that connection only.
 */
export function acceptPlain(
  fd: number,
  options: {
    readonly onConnection: (socket: Socket) => Promise<void>;
    /** +1 for a connection that was opened, -1 for one that ended. */
    readonly onOpenSockets: (change: 1 | -1) => void;
  },
): PodListener {
  const sockets = new OpenSet<Socket>();
  const settings = {
    allowHalfOpen: true,
    pauseOnConnect: true,
    noDelay: true,
  };
  const server = createServer(settings, (socket) => {
    const membership = sockets.add(socket);
    options.onOpenSockets(1);
    // A client may reset before anyone reads.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      membership[Symbol.dispose]();
      options.onOpenSockets(-1);
    });
    options.onConnection(socket).catch(() => {
      resetSocket(socket);
    });
  });
  server.listen({ fd });
  return {
    drain: () => {
      server.close();
    },
    abort: () => {
      server.close();
      for (const { member } of sockets.memberships()) resetSocket(member);
    },
  };
}
