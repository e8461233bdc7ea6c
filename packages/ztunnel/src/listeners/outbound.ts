import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { expectSans, HboneError, openTunnel, splice, type TunnelPool } from '@aquifer/hbone';
import { canonicalIpAddress, formatIdentity, type Workload } from '@aquifer/model';
import {
  encodeBaggage,
  encodeForwarded,
  formatSocketAddress,
  type SocketAddress,
} from '@aquifer/wire';
import { dialInPod, originalDestination } from '../capture/sockets.ts';
import { PROXY_PORTS } from '../decide/inbound-route.ts';
import { decideOutbound, type OutboundDecision } from '../decide/outbound-route.ts';
import { copyOutcome, failureOutcome } from '../errors.ts';
import { ConnectionRecord, logEarlyDeny } from '../telemetry/connection-record.ts';
import { acceptPlain } from './plain-listener.ts';
import type { PodContext, PodListener } from './pod-context.ts';

type Route = Exclude<OutboundDecision, { kind: 'deny' }>;
type HboneRoute = Extract<OutboundDecision, { kind: 'hbone' }>;

/** Serves 15001: connections that the pod's applications open (spec ztunnel 3). */
export function listenOutbound(fd: number, context: PodContext, pool: TunnelPool): PodListener {
  return acceptPlain(fd, {
    onConnection: (socket) => handleOutbound(socket, context, pool),
    onOpenSockets: (change) => {
      context.record.totals.openSockets.source += change;
    },
  });
}

async function handleOutbound(
  socket: Socket,
  context: PodContext,
  pool: TunnelPool,
): Promise<void> {
  const client = peerAddress(socket);
  const originalDst = originalDestination(socket);
  const refuse = (error: string): void => {
    logEarlyDeny(context.record.access, { client, dst: originalDst, direction: 'outbound', error });
    socket.resetAndDestroy();
  };
  if (isSelfCall(originalDst)) return refuse('attempted recursive call to ourselves');
  const source = await context.workload();
  if (source === null) return refuse('failed to fetch information about local workload');
  const { network } = context;
  const decision = decideOutbound(context.store, {
    source,
    originalDst,
    network,
    random: Math.random,
  });
  if (decision.kind === 'deny') return refuse(decision.reason);
  await proxy(socket, { client, originalDst, source, decision }, { context, pool });
}

interface OutboundCall {
  readonly client: SocketAddress;
  readonly originalDst: SocketAddress;
  readonly source: Workload;
  readonly decision: Route;
}

async function proxy(
  socket: Socket,
  call: OutboundCall,
  { context, pool }: { readonly context: PodContext; readonly pool: TunnelPool },
): Promise<void> {
  const { client, originalDst, source, decision } = call;
  const isHbone = decision.kind === 'hbone';
  using record = new ConnectionRecord(
    {
      reporter: 'source',
      client,
      dst: decision.nextHop,
      hboneAuthority: isHbone ? decision.authority : null,
      source,
      sourceIdentity: isHbone ? source : null,
      destination: decision.destination,
      service: decision.service,
      isMutualTls: isHbone,
    },
    context.record,
  );
  using _tracked = context.tracker.trackOutbound({
    src: formatSocketAddress(client),
    originalDst: formatSocketAddress(originalDst),
    actualDst: formatSocketAddress(decision.nextHop),
    protocol: isHbone ? 'HBONE' : 'TCP',
  });
  let upstream: Duplex;
  try {
    upstream = await connectUpstream(call, context, pool);
  } catch (error) {
    record.close(failureOutcome(error));
    socket.resetAndDestroy();
    return;
  }
  record.close(copyOutcome(await splice(socket, upstream, record)));
}

function connectUpstream(
  call: OutboundCall,
  context: PodContext,
  pool: TunnelPool,
): Promise<Duplex> {
  const { decision } = call;
  if (decision.kind === 'hbone') return connectTunnel(call, decision, { context, pool });
  return dialInPod(context.namespace, decision.nextHop, { sourceIp: null });
}

async function connectTunnel(
  { client, source }: OutboundCall,
  route: HboneRoute,
  { context, pool }: { readonly context: PodContext; readonly pool: TunnelPool },
): Promise<Duplex> {
  const { nextHop, expectedSans, authority, service } = route;
  const identity = formatIdentity(source);
  const hop = formatSocketAddress(nextHop);
  const key = `${identity}|${expectedSans.join(',')}|${hop}|${client.ip}`;
  const dial = async () => {
    const secureContext = await context.secureContext(identity);
    const socket = await dialInPod(context.namespace, nextHop, {
      sourceIp: null,
      onTimeout: () => networkPolicyTimeout(hop),
    });
    return openTunnel(socket, { secureContext, verifyPeer: expectSans(expectedSans) });
  };
  const headers = {
    baggage: encodeBaggage(source),
    forwarded: encodeForwarded(formatSocketAddress(client), service?.hostname ?? null),
    traceparent: newTraceparent(),
  };
  return (await pool.connect(key, dial, { authority, headers })).stream;
}

function networkPolicyTimeout(hop: string): Error {
  const text = `connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: ${hop}`;
  return new HboneError('HB_CONNECT_TIMEOUT', text);
}

/** W3C trace context with fresh random ids, not sampled. */
function newTraceparent(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`;
}

function isSelfCall({ ip, port }: SocketAddress): boolean {
  return PROXY_PORTS.has(port) && (ip.startsWith('127.') || ip === '::1');
}

/** The peer, an IPv4-mapped address reduced to IPv4. */
export function peerAddress(socket: Socket): SocketAddress {
  const ip = canonicalIpAddress(socket.remoteAddress ?? '') ?? '';
  return { ip, port: socket.remotePort ?? 0 };
}
