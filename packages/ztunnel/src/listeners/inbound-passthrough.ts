import type { Socket } from 'node:net';
import type { SnapshotReader, WorkloadView } from '@aquifer/control-plane-client/snapshot';
import { originalDestination } from '../capture/sockets.ts';
import {
  type AdmittedDeps,
  type Caller,
  carryInbound,
} from '../connections/admitted-connection.ts';
import { logEarlyDeny } from '../connections/connection-record.ts';
import { guessService } from '../decide/inbound-route.ts';
import type { ThreadDemands } from '../demand/thread-demands.ts';
import type { OwnPod } from '../policy/own-pod.ts';
import type { PeerBaggage } from '../telemetry/peer-baggage.ts';
import { acceptPlain, type PodListener, peerAddress, refuseSocket } from './plain-listener.ts';

export interface InboundPod extends AdmittedDeps {
  readonly own: OwnPod;
  readonly mesh: Pick<SnapshotReader, 'current'>;
  /** Null where the whole mesh is known. */
  readonly demands: ThreadDemands | null;
  /** Null: answers carry none, and that of callers is not read. */
  readonly baggage: PeerBaggage | null;
}

/** Serves 15006: plaintext that arrives at the pod (spec ztunnel 4.3). Policy decides; nobody is authenticated. */
export function listenInboundPassthrough(fd: number, pod: InboundPod): PodListener {
  return acceptPlain(fd, {
    onConnection: (socket) => handlePassthrough(socket, pod),
    onOpenSockets: (change) => pod.record.totals.openSockets.add('destination', change),
  });
}

async function handlePassthrough(socket: Socket, pod: InboundPod): Promise<void> {
  const client = peerAddress(socket);
  const dst = originalDestination(socket);
  const refuse = (error: string): void => {
    logEarlyDeny(pod.record.access, { client, dst, direction: 'inbound', error });
    refuseSocket(socket);
  };
  if (pod.network.proxyPorts.has(dst.port)) return refuse('attempted recursive call to ourselves');
  const destination = await pod.own.wait();
  if (destination === null) return refuse(pod.own.whyUnknown);
  const describe = (view: WorkloadView) => ({
    source: view.workloadByAddress(pod.network.network, client.ip),
    service: guessService(view, destination, { hostname: null, port: dst.port }),
  });
  const { source, service } =
    pod.demands === null ? describe(pod.mesh.current) : await pod.demands.describe(describe);
  const recorded = {
    reporter: 'destination' as const,
    client,
    dst,
    hboneAuthority: null,
    source,
    sourceIdentity: null,
    destination,
    destinationIdentity: destination,
    service,
    isMutualTls: false,
  };
  const addresses = { src: client, originalDst: null, actualDst: dst, protocol: 'TCP' as const };
  const caller = plainCaller(socket);
  return carryInbound(
    { caller, identity: null, client, upstream: dst, preamble: null, addresses, recorded },
    pod,
  );
}

function plainCaller(socket: Socket): Caller {
  return {
    accept: () => socket,
    refuse: () => refuseSocket(socket),
    onGivenUp: undefined,
  };
}
