import type { Socket } from 'node:net';
import {
  ConnectListener,
  type ConnectRequest,
  resetSocket,
  splice,
  type WorkloadCertificate,
} from '@aquifer/hbone';
import type { Workload } from '@aquifer/model';
import { decodeForwarded, encodeBaggage, type SocketAddress } from '@aquifer/wire';
import { INBOUND_HBONE_PORT } from '../capture/redirection.ts';
import { dialInPod } from '../capture/sockets.ts';
import { decideInbound, guessService } from '../decide/inbound-route.ts';
import { copyOutcome, failureOutcome } from '../errors.ts';
import { ConnectionRecord, logEarlyDeny } from '../telemetry/connection-record.ts';
import { type PodContext, type PodListener, unknownWorkload } from './pod-context.ts';

/** A pod's HBONE listener, whose certificate is replaced while it runs. */
export interface HboneListener extends PodListener {
  setCertificate(certificate: WorkloadCertificate): void;
}

/** Serves 15008: tunnels from other proxies, with a verified identity (spec ztunnel 2.4 and 4). */
export function listenInbound(
  fd: number,
  context: PodContext,
  tls: { readonly certificate: WorkloadCertificate; readonly trustDomain: string },
): HboneListener {
  const { totals, access } = context.record;
  const listener = new ConnectListener({
    certificate: tls.certificate,
    trustDomain: tls.trustDomain,
    onConnect: (request) => {
      handleConnect(request, context).catch((error: unknown) => {
        context.log.error('tunnelled connection failed', { error: String(error) });
        request.refuse(503);
      });
    },
    onHandshakeFailed: (client, error) => {
      const dst = { ip: client.localIp, port: INBOUND_HBONE_PORT };
      logEarlyDeny(access, { client, dst, direction: 'inbound', error: error.message });
    },
  });
  listener.server.on('connection', (socket) => {
    totals.openSockets.destination += 1;
    socket.once('close', () => {
      totals.openSockets.destination -= 1;
    });
  });
  listener.server.listen({ fd });
  return {
    setCertificate: (certificate) => {
      listener.setCertificate(certificate);
    },
    drain: () => {
      listener.drain();
    },
    abort: () => {
      listener.abort();
    },
  };
}

async function handleConnect(request: ConnectRequest, context: PodContext): Promise<void> {
  const { peer } = request;
  const client = { ip: peer.ip, port: peer.port };
  const local = { ip: peer.localIp, port: peer.localPort };
  const refuse = (status: number, error: string): void => {
    logEarlyDeny(context.record.access, { client, dst: local, direction: 'inbound', error });
    request.refuse(status);
  };
  const destination = await context.workload();
  if (destination === null) {
    return refuse(503, unknownWorkload(context));
  }
  const decision = decideInbound(context.store, {
    destination,
    method: request.method,
    authority: request.authority,
    localIp: peer.localIp,
    network: context.network,
  });
  if (decision.kind === 'deny') return refuse(decision.status, decision.reason);
  await forward(request, { client, local, upstream: decision.upstream, destination }, context);
}

interface InboundCall {
  readonly client: SocketAddress;
  readonly local: SocketAddress;
  readonly upstream: SocketAddress;
  readonly destination: Workload;
}

async function forward(
  request: ConnectRequest,
  call: InboundCall,
  context: PodContext,
): Promise<void> {
  const { client, upstream, destination } = call;
  const calledHostname = decodeForwarded(request.header('forwarded') ?? '').hostname;
  using record = openRecord(request, call, { context, calledHostname });
  let socket: Socket | null = null;
  let isCut = false;
  const { verdict, entry } = context.tracker.admit(
    {
      peer: {
        sourceIdentity: request.peer.identity,
        sourceIp: client.ip,
        destinationIp: upstream.ip,
        destinationPort: upstream.port,
      },
      terminate: ({ policy }) => {
        record.close({ flag: 'DENY', error: 'connection closed due to policy change', policy });
        isCut = true;
        if (socket !== null) resetSocket(socket);
      },
    },
    {
      src: client,
      originalDst: calledHostname,
      actualDst: upstream,
      protocol: 'HBONE',
    },
  );
  using _tracked = entry;
  if (!verdict.allowed) {
    const error = `connection closed due to policy rejection: ${verdict.reason}`;
    record.close({ flag: 'DENY', error, policy: verdict.policy });
    request.refuse(401);
    return;
  }
  const sourceIp = context.preserveSource && client.ip !== upstream.ip ? client.ip : null;
  try {
    socket = await dialInPod(context.namespace, upstream, {
      sourceIp,
      // Otherwise callers that come and go would pile up connections to an application that does not answer.
      onGivenUp: (giveUp) => request.onAbort(giveUp),
    });
    const stream = request.accept({ baggage: encodeBaggage(destination) });
    if (isCut) resetSocket(socket);
    const ended = await splice(stream, socket, record);
    record.close(copyOutcome(ended, context.isAborted()));
  } catch (error) {
    record.close(failureOutcome(error, 'connection failed'));
    request.refuse(503);
  }
}

function openRecord(
  request: ConnectRequest,
  { client, local, upstream, destination }: InboundCall,
  {
    context,
    calledHostname,
  }: { readonly context: PodContext; readonly calledHostname: string | null },
): ConnectionRecord {
  const hint = { hostname: calledHostname, port: upstream.port };
  return new ConnectionRecord(
    {
      reporter: 'destination',
      client,
      dst: local,
      hboneAuthority: request.authority,
      source: context.store.workloadByAddress(context.network, client.ip),
      sourceIdentity: request.peer.identity,
      destination,
      service: guessService(context.store, destination, hint),
      isMutualTls: true,
    },
    context.record,
  );
}
