import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  expectSans,
  HboneError,
  openTunnel,
  splice,
  type TunnelPool,
  type TunnelStream,
} from '@aquifer/hbone';
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
import { copyOutcome, failureOutcome, IdentityError } from '../errors.ts';
import {
  ConnectionRecord,
  logEarlyDeny,
  type RecordedConnection,
} from '../telemetry/connection-record.ts';
import { newTraceparent } from '../telemetry/trace-context.ts';
import { acceptPlain } from './plain-listener.ts';
import type { PodContext, PodListener } from './pod-context.ts';

/** Connects to a service are tried on another endpoint while no byte has been sent. */
const MAX_ATTEMPTS = 3;
const RETRY_AFTER_MS = 50;
const NONE_TRIED: ReadonlySet<string> = new Set();

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
  let tried: ReadonlySet<string> = NONE_TRIED;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const decision = decideOutbound(context.store, {
      source,
      originalDst,
      network: context.network,
      random: Math.random,
      avoid: tried,
    });
    if (decision.kind === 'deny') return refuse(decision.reason);
    const mayRetry = attempt < MAX_ATTEMPTS && decision.service !== null && !socket.destroyed;
    const call = { client, originalDst, source, decision, mayRetry };
    if ((await proxy(socket, call, { context, pool })) !== 'try-again') return;
    if (decision.destination !== null) tried = new Set([...tried, decision.destination.uid]);
    await delay(attempt * RETRY_AFTER_MS);
  }
}

interface OutboundCall {
  readonly client: SocketAddress;
  readonly originalDst: SocketAddress;
  readonly source: Workload;
  readonly decision: Route;
  /** Another endpoint may be tried, because the caller aimed at a service. */
  readonly mayRetry: boolean;
}

/** Each attempt has its own record. `try-again` only if no byte of the caller was passed on. */
async function proxy(
  socket: Socket,
  call: OutboundCall,
  { context, pool }: { readonly context: PodContext; readonly pool: TunnelPool },
): Promise<'done' | 'try-again'> {
  using record = new ConnectionRecord(describeCall(call), context.record);
  using _tracked = trackCall(call, context);
  let upstream: Socket | TunnelStream;
  try {
    upstream = await connectUpstream(call, context, pool);
  } catch (error) {
    record.close(failureOutcome(error));
    if (call.mayRetry && isWorthRetrying(error)) return 'try-again';
    socket.resetAndDestroy();
    return 'done';
  }
  record.close(copyOutcome(await splice(socket, upstream, record)));
  return 'done';
}

function describeCall({ client, source, decision }: OutboundCall): RecordedConnection {
  const isHbone = decision.kind === 'hbone';
  return {
    reporter: 'source',
    client,
    dst: decision.nextHop,
    hboneAuthority: isHbone ? decision.authority : null,
    source,
    sourceIdentity: isHbone ? source : null,
    destination: decision.destination,
    service: decision.service,
    isMutualTls: isHbone,
  };
}

function trackCall(
  { client, originalDst, decision }: OutboundCall,
  context: PodContext,
): Disposable {
  return context.tracker.trackOutbound({
    src: client,
    originalDst,
    actualDst: decision.nextHop,
    protocol: decision.kind === 'hbone' ? 'HBONE' : 'TCP',
  });
}

/** An answer of the peer is final; so is a peer that stayed silent for the whole connect timeout. */
function isWorthRetrying(error: unknown): boolean {
  if (!(error instanceof HboneError)) return !(error instanceof IdentityError);
  return error.code !== 'HB_REFUSED_STATUS' && error.code !== 'HB_CONNECT_TIMEOUT';
}

function connectUpstream(
  call: OutboundCall,
  context: PodContext,
  pool: TunnelPool,
): Promise<Socket | TunnelStream> {
  const { decision } = call;
  if (decision.kind === 'hbone') return connectTunnel(call, decision, { context, pool });
  return dialInPod(context.namespace, decision.nextHop, { sourceIp: null });
}

async function connectTunnel(
  { client, source }: OutboundCall,
  route: HboneRoute,
  { context, pool }: { readonly context: PodContext; readonly pool: TunnelPool },
): Promise<TunnelStream> {
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

function isSelfCall({ ip, port }: SocketAddress): boolean {
  return PROXY_PORTS.has(port) && (ip.startsWith('127.') || ip === '::1');
}

/** The peer, an IPv4-mapped address reduced to IPv4. */
export function peerAddress(socket: Socket): SocketAddress {
  const ip = canonicalIpAddress(socket.remoteAddress ?? '') ?? '';
  return { ip, port: socket.remotePort ?? 0 };
}
