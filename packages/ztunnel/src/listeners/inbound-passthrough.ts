import type { Socket } from 'node:net';
import { resetSocket, splice } from '@aquifer/hbone';
import type { Workload } from '@aquifer/model';
import type { SocketAddress } from '@aquifer/wire';
import { dialInPod, originalDestination } from '../capture/sockets.ts';
import { guessService, PROXY_PORTS } from '../decide/inbound-route.ts';
import { copyOutcome, failureOutcome } from '../errors.ts';
import { ConnectionRecord, logEarlyDeny } from '../telemetry/connection-record.ts';
import { peerAddress } from './outbound.ts';
import { acceptPlain, turnAway } from './plain-listener.ts';
import { type PodContext, type PodListener, unknownWorkload } from './pod-context.ts';

/** Serves 15006: plaintext that arrives at the pod (spec ztunnel 4.3). Policy decides; nobody is authenticated. */
export function listenInboundPassthrough(fd: number, context: PodContext): PodListener {
  return acceptPlain(fd, {
    onConnection: (socket) => handlePassthrough(socket, context),
    onOpenSockets: (change) => {
      context.record.totals.openSockets.destination += change;
    },
  });
}

async function handlePassthrough(socket: Socket, context: PodContext): Promise<void> {
  const client = peerAddress(socket);
  const dst = originalDestination(socket);
  const refuse = (error: string): void => {
    logEarlyDeny(context.record.access, { client, dst, direction: 'inbound', error });
    turnAway(socket);
  };
  if (PROXY_PORTS.has(dst.port)) return refuse('attempted recursive call to ourselves');
  const destination = await context.workload();
  if (destination === null) return refuse(unknownWorkload(context));
  await forward(socket, { client, dst, destination }, context);
}

async function forward(
  socket: Socket,
  call: {
    readonly client: SocketAddress;
    readonly dst: SocketAddress;
    readonly destination: Workload;
  },
  context: PodContext,
): Promise<void> {
  const { client, dst, destination } = call;
  using record = new ConnectionRecord(
    {
      reporter: 'destination',
      client,
      dst,
      hboneAuthority: null,
      source: context.store.workloadByAddress(context.network, client.ip),
      sourceIdentity: null,
      destination,
      service: guessService(context.store, destination, { hostname: null, port: dst.port }),
      isMutualTls: false,
    },
    context.record,
  );
  const { verdict, entry } = context.tracker.admit(
    {
      peer: {
        sourceIdentity: null,
        sourceIp: client.ip,
        destinationIp: dst.ip,
        destinationPort: dst.port,
      },
      terminate: ({ policy }) => {
        record.close({ flag: 'DENY', error: 'connection closed due to policy change', policy });
        resetSocket(socket);
      },
    },
    {
      src: client,
      originalDst: null,
      actualDst: dst,
      protocol: 'TCP',
    },
  );
  using _tracked = entry;
  if (!verdict.allowed) {
    const error = `connection closed due to policy rejection: ${verdict.reason}`;
    record.close({ flag: 'DENY', error, policy: verdict.policy });
    turnAway(socket);
    return;
  }
  const sourceIp = context.preserveSource && client.ip !== dst.ip ? client.ip : null;
  try {
    const upstream = await dialInPod(context.namespace, dst, { sourceIp });
    const ended = await splice(socket, upstream, record);
    record.close(copyOutcome(ended, context.isAborted()));
  } catch (error) {
    record.close(failureOutcome(error, 'connection failed'));
    turnAway(socket);
  }
}
