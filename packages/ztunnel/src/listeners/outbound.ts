import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  hboneError,
  isHboneError,
  splice,
  type TunnelLease,
  type TunnelPool,
} from '@aquifer/hbone';
import { canonicalIpAddress, formatIdentity, type Workload } from '@aquifer/model';
import {
  encodeBaggage,
  encodeForwarded,
  formatSocketAddress,
  type SocketAddress,
} from '@aquifer/wire';
import type { NetworkNamespace } from '../capture/netns.ts';
import { DialTimeoutError, dialInPod, originalDestination } from '../capture/sockets.ts';
import { PROXY_PORTS } from '../decide/inbound-route.ts';
import { decideOutbound, type OutboundDecision } from '../decide/outbound-route.ts';
import { copyOutcome, failureOutcome, IdentityError } from '../errors.ts';
import {
  ConnectionRecord,
  logEarlyDeny,
  type RecordedConnection,
} from '../telemetry/connection-record.ts';
import { newTraceparent } from '../telemetry/trace-context.ts';
import { acceptPlain, turnAway } from './plain-listener.ts';
import { type PodContext, type PodListener, unknownWorkload } from './pod-context.ts';

/** Connects are tried on another endpoint while no byte has been sent, after 50, 100, 200 and 400 ms. */
const MAX_ATTEMPTS = 5;
const RETRY_AFTER_MS = 50;
/** Room for another endpoint after one on which nobody answered; few callers wait longer than for two. */
const RETRY_UNTIL_MS = 15_000;
/** An application that refuses is down: its caller should hear so soon. */
const MAX_PLAIN_ATTEMPTS = 3;
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
    turnAway(socket);
  };
  if (isSelfCall(originalDst)) return refuse('attempted recursive call to ourselves');
  const source = await context.workload();
  if (source === null) return refuse(unknownWorkload(context));
  const call: OutboundCall = {
    client,
    originalDst,
    source,
    decide: (avoid) =>
      decideOutbound(context.store, {
        source,
        originalDst,
        network: context.network,
        random: Math.random,
        avoid,
      }),
    tried: NONE_TRIED,
    attempts: 0,
    startedAtMs: performance.now(),
  };
  const decision = call.decide(NONE_TRIED);
  if (decision.kind === 'deny') return refuse(decision.reason);
  let route: Route | null = decision;
  while (route !== null) route = await proxy(socket, call, route, { context, pool });
}

interface OutboundCall {
  readonly client: SocketAddress;
  readonly originalDst: SocketAddress;
  readonly source: Workload;
  /** Decides where to go, preferably not to these workloads. */
  readonly decide: (avoid: ReadonlySet<string>) => OutboundDecision;
  /** Uids of workloads that could not be reached. */
  tried: ReadonlySet<string>;
  attempts: number;
  readonly startedAtMs: number;
}

interface ProxyDeps {
  readonly context: PodContext;
  readonly pool: TunnelPool;
}

/** Each next hop has its own record, however often it is tried. Returns another one to try, if no byte was passed on. */
async function proxy(
  socket: Socket,
  call: OutboundCall,
  route: Route,
  deps: ProxyDeps,
): Promise<Route | null> {
  using record = new ConnectionRecord(describeCall(call, route), deps.context.record);
  using _tracked = trackCall(call, route, deps.context);
  let upstream: Socket | TunnelLease['exchange'] | null = null;
  while (upstream === null) {
    try {
      upstream = await connectUpstream(call, route, deps);
    } catch (error) {
      const next = socket.destroyed ? null : routeAfter(error, call, route);
      if (next !== null) await delay(RETRY_AFTER_MS * 2 ** (call.attempts - 1));
      if (next !== null && isSameHop(next, route)) continue;
      record.close(failureOutcome(error, 'io error'));
      if (next === null) turnAway(socket);
      return next;
    }
  }
  const ended = await splice(socket, upstream, record);
  record.close(copyOutcome(ended, deps.context.isAborted()));
  return null;
}

/**
 * Where to try after a failure, null to give up. The same next hop again only if it answered: it may be about to
 * restart, while one that nobody answers for has kept the caller waiting for seconds.
 */
function routeAfter(error: unknown, call: OutboundCall, route: Route): Route | null {
  const { isChoice, destination, kind } = route;
  const most = kind === 'hbone' ? MAX_ATTEMPTS : MAX_PLAIN_ATTEMPTS;
  call.attempts += 1;
  const isLate = performance.now() - call.startedAtMs > RETRY_UNTIL_MS;
  if (call.attempts >= most || isLate || !isChoice || !isWorthRetrying(error)) return null;
  if (destination !== null) call.tried = new Set([...call.tried, destination.uid]);
  const next = call.decide(call.tried);
  if (next.kind === 'deny' || (isSameHop(next, route) && isHopeless(error))) return null;
  return next;
}

function isSameHop(a: Route, b: Route): boolean {
  return formatSocketAddress(a.nextHop) === formatSocketAddress(b.nextHop);
}

/** The same hop would say the same: nobody answers for it, or somebody else does. */
function isHopeless(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return HOPELESS_CODES.has(code) || error instanceof DialTimeoutError;
}

const HOPELESS_CODES: ReadonlySet<string> = new Set([
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'HB_CONNECT_TIMEOUT',
  'HB_IDENTITY_MISMATCH',
  'HB_NO_ANSWER',
]);

function describeCall({ client, source }: OutboundCall, route: Route): RecordedConnection {
  const isHbone = route.kind === 'hbone';
  return {
    reporter: 'source',
    client,
    dst: route.nextHop,
    hboneAuthority: isHbone ? route.authority : null,
    source,
    sourceIdentity: isHbone ? source : null,
    destination: route.destination,
    service: route.service,
    isMutualTls: isHbone,
  };
}

function trackCall(
  { client, originalDst }: OutboundCall,
  route: Route,
  context: PodContext,
): Disposable {
  return context.tracker.trackOutbound({
    src: client,
    originalDst,
    actualDst: route.nextHop,
    protocol: route.kind === 'hbone' ? 'HBONE' : 'TCP',
  });
}

/** An answer of the peer is final. One that stayed silent says nothing about the others. */
function isWorthRetrying(error: unknown): boolean {
  if (isHboneError(error)) return error.retry !== 'never';
  return !(error instanceof IdentityError);
}

function connectUpstream(
  call: OutboundCall,
  route: Route,
  deps: ProxyDeps,
): Promise<Socket | TunnelLease['exchange']> {
  if (route.kind === 'hbone') return connectTunnel(call, route, deps);
  return dialInPod(deps.context.namespace, route.nextHop, { sourceIp: null });
}

async function connectTunnel(
  { client, source }: OutboundCall,
  route: HboneRoute,
  { pool }: ProxyDeps,
): Promise<TunnelLease['exchange']> {
  const { nextHop, expectedSans, authority, service } = route;
  const headers = {
    baggage: encodeBaggage(source),
    forwarded: encodeForwarded(formatSocketAddress(client), service?.hostname ?? null),
    traceparent: newTraceparent(),
  };
  const lease = await pool.lease({
    hop: nextHop,
    identity: formatIdentity(source),
    peer: { match: 'exact', uris: expectedSans },
    clientIp: client.ip,
    connect: { authority, headers },
  });
  return lease.exchange;
}

/** A port 15008 that stays silent is usually cut off by a NetworkPolicy (spec ztunnel 3.7). */
export async function dialHbone(
  namespace: NetworkNamespace,
  nextHop: SocketAddress,
): Promise<Socket> {
  try {
    return await dialInPod(namespace, nextHop, { sourceIp: null });
  } catch (error) {
    if (!(error instanceof DialTimeoutError)) throw error;
    const text = `connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: ${error.message}`;
    throw hboneError('HB_CONNECT_TIMEOUT', text, error);
  }
}

function isSelfCall({ ip, port }: SocketAddress): boolean {
  return PROXY_PORTS.has(port) && (ip.startsWith('127.') || ip === '::1');
}

/** The peer, an IPv4-mapped address reduced to IPv4. */
export function peerAddress(socket: Socket): SocketAddress {
  const ip = canonicalIpAddress(socket.remoteAddress ?? '') ?? '';
  return { ip, port: socket.remotePort ?? 0 };
}
