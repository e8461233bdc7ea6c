import type { WorkloadView } from '@aquifer/control-plane-client/snapshot';
import {
  ConnectListener,
  type ConnectListenerOptions,
  type ConnectRequest,
  type WorkloadCertificate,
} from '@aquifer/hbone';
import { formatIdentity, type Identity, type Workload } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import {
  decodeForwarded,
  encodeBaggage,
  encodeProxyV2,
  parseAuthority,
  type SocketAddress,
} from '@aquifer/wire';
import { type Caller, carryInbound, type InboundCall } from '../connections/admitted-connection.ts';
import { logEarlyDeny } from '../connections/connection-record.ts';
import { decideInbound, guessService } from '../decide/inbound-route.ts';
import { DEMANDED } from '../demand/recording-view.ts';
import { INBOUND_HBONE_PORT } from '../ports.ts';
import type { InboundPod } from './inbound-passthrough.ts';
import type { PodListener } from './plain-listener.ts';

/** A pod's HBONE listener, whose certificate is replaced while it runs. */
export interface HboneListener extends PodListener {
  setCertificate(certificate: WorkloadCertificate): void;
}

/** Serves 15008: tunnels from other proxies, with a verified identity (spec ztunnel 2.4 and 4). */
export function listenInbound(
  fd: number,
  pod: InboundPod & { readonly log: Logger },
  tunnels: Omit<ConnectListenerOptions, 'onConnect' | 'onHandshakeFailed'>,
): HboneListener {
  const { totals, access } = pod.record;
  const listener = new ConnectListener({
    ...tunnels,
    onConnect: (request) => {
      handleConnect(request, pod).catch((error: unknown) => {
        pod.log.error('tunnelled connection failed', { error: String(error) });
        request.refuse(503);
      });
    },
    onHandshakeFailed: (client, error) => {
      const dst = { ip: client.localIp, port: INBOUND_HBONE_PORT };
      logEarlyDeny(access, { client, dst, direction: 'inbound', error: error.message });
    },
  });
  listener.server.on('connection', (socket) => {
    totals.openSockets.add('destination', 1);
    socket.once('close', () => {
      totals.openSockets.add('destination', -1);
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

async function handleConnect(request: ConnectRequest, pod: InboundPod): Promise<void> {
  const { peer, method, authority } = request;
  const client = { ip: peer.ip, port: peer.port };
  const local = { ip: peer.localIp, port: peer.localPort };
  const refuse = (status: number, error: string): void => {
    logEarlyDeny(pod.record.access, { client, dst: local, direction: 'inbound', error });
    request.refuse(status);
  };
  const destination = await pod.own.wait();
  if (destination === null) return refuse(503, pod.own.whyUnknown);
  const { network, tunnelsToLoopback, proxyPorts } = pod.network;
  const asked = {
    destination,
    method,
    authority,
    localIp: peer.localIp,
    network,
    tunnelsToLoopback,
    proxyPorts,
  };
  const decide = (view: WorkloadView) => decideInbound(view, asked);
  const { demands, mesh } = pod;
  const decision =
    demands === null
      ? decide(mesh.current)
      : await demands.decide(decide, namesOfHostname(authority, destination));
  if (decision.kind === 'deny') return refuse(decision.status, decision.reason);
  const describe = (view: WorkloadView) =>
    describeCall(view, request, { ...decision, destination }, pod);
  const call = demands === null ? describe(mesh.current) : await demands.describe(describe);
  return carryInbound(call, pod);
}

/** Names of the services that a caller may mean by a hostname: those the pod serves, else that of its namespace. */
function namesOfHostname(authority: string, { namespace, services }: Workload): readonly string[] {
  const parsed = parseAuthority(authority);
  if (parsed?.kind !== 'hostname') return [];
  const { hostname } = parsed;
  const own = [...services.keys()].filter((key) => key.endsWith(`/${hostname}`));
  return own.length > 0 ? own : [DEMANDED.service(namespace, hostname)];
}

function describeCall(
  view: WorkloadView,
  request: ConnectRequest,
  {
    upstream,
    tunnelTarget,
    destination,
  }: {
    readonly upstream: SocketAddress;
    readonly tunnelTarget: SocketAddress | null;
    readonly destination: Workload;
  },
  { network: { network }, baggage }: InboundPod,
): InboundCall {
  const { peer, authority } = request;
  const { identity } = peer;
  const client = { ip: peer.ip, port: peer.port };
  const isFromGateway = cameThroughGateway(request, network);
  const known = isFromGateway ? null : view.workloadByAddress(network, client.ip);
  const { hostname } = decodeForwarded(request.header('forwarded') ?? '');
  return {
    caller: tunnelCaller(request, baggage === null ? null : destination),
    identity,
    client,
    upstream,
    preamble: tunnelTarget === null ? null : proxyHeader(client, tunnelTarget, identity),
    addresses: { src: client, originalDst: hostname, actualDst: upstream, protocol: 'HBONE' },
    recorded: {
      reporter: 'destination',
      client,
      dst: { ip: peer.localIp, port: peer.localPort },
      hboneAuthority: authority,
      source: known ?? baggage?.describe(request.header('baggage'), identity) ?? null,
      sourceIdentity: identity,
      destination,
      destinationIdentity: destination,
      service: guessService(view, destination, { hostname, port: upstream.port }),
      isMutualTls: true,
    },
  };
}

/** Who connected, for an application that takes tunnelled connections (spec ztunnel 2.7). */
function proxyHeader(
  source: SocketAddress,
  destination: SocketAddress,
  identity: Identity,
): Uint8Array {
  return encodeProxyV2({ source, destination, identity: formatIdentity(identity) });
}

/** An address of another network may be anybody's here (spec ztunnel 2.4). It says nothing about who may come in. */
function cameThroughGateway(request: ConnectRequest, network: string): boolean {
  const from = request.header('x-forwarded-network');
  return from !== null && from.toLowerCase() !== network.toLowerCase();
}

/** `described` is what the answer tells about; null for nothing. */
function tunnelCaller(request: ConnectRequest, described: Workload | null): Caller {
  return {
    accept: () => request.accept(described === null ? {} : { baggage: encodeBaggage(described) }),
    refuse: (reason) => request.refuse(reason === 'policy' ? 401 : 503),
    onGivenUp: (giveUp) => {
      // Whoever is revoked has not given up.
      request.onAbort((error) => giveUp(error.code === 'HB_CERT_REVOKED' ? error : undefined));
    },
  };
}
