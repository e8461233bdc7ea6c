import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { SnapshotReader, WorkloadView } from '@aquifer/control-plane-client/snapshot';
import { splice } from '@aquifer/hbone';
import type { Workload } from '@aquifer/model';
import { formatSocketAddress, type SocketAddress } from '@aquifer/wire';
import { originalDestination } from '../capture/sockets.ts';
import {
  ConnectionRecord,
  logEarlyDeny,
  type RecordDeps,
  type RecordedConnection,
} from '../connections/connection-record.ts';
import type { OpenConnections } from '../connections/open-connections.ts';
import { copyOutcome, failureOutcome } from '../connections/outcome.ts';
import { decideOutbound, type OutboundDecision } from '../decide/outbound-route.ts';
import type { ThreadDemands } from '../demand/thread-demands.ts';
import { ERRORS, toMeshError } from '../errors.ts';
import type { OwnPod } from '../policy/own-pod.ts';
import type { PeerBaggage } from '../telemetry/peer-baggage.ts';
import type { HostnameResolver } from './hostname-resolver.ts';
import {
  connectUpstream,
  type OutboundDeps,
  type Route,
  type Upstream,
} from './outbound-connect.ts';
import { acceptPlain, type PodListener, peerAddress, refuseSocket } from './plain-listener.ts';

/** Connects are tried on another endpoint while no byte has been sent, after 50, 100, 200 and 400 ms. */
const MAX_ATTEMPTS = 5;
const RETRY_AFTER_MS = 50;
/** Room for another endpoint after one on which nobody answered; few callers wait longer than for two. */
const RETRY_UNTIL_MS = 15_000;
/** An application that refuses is down: its caller should hear so soon. */
const MAX_PLAIN_ATTEMPTS = 3;
const NONE_TRIED: ReadonlySet<string> = new Set();
const NOT_RESOLVED: ReadonlyMap<string, readonly string[]> = new Map();

export interface OutboundPod extends OutboundDeps {
  readonly own: OwnPod;
  readonly mesh: Pick<SnapshotReader, 'current'>;
  /** Null where the whole mesh is known. */
  readonly demands: ThreadDemands | null;
  readonly connections: OpenConnections;
  readonly record: RecordDeps;
  readonly hostnames: HostnameResolver;
  /** Null: that of answers is not read. */
  readonly baggage: PeerBaggage | null;
}

/** Serves 15001: connections that the pod's applications open (spec ztunnel 3). */
export function listenOutbound(fd: number, pod: OutboundPod): PodListener {
  return acceptPlain(fd, {
    onConnection: (socket) => carryOutbound(socket, originalDestination(socket), pod),
    onOpenSockets: (change) => pod.record.totals.openSockets.add('source', change),
  });
}

/** Takes a connection of the pod's to where it aimed. */
export async function carryOutbound(
  socket: Socket,
  originalDst: SocketAddress,
  pod: OutboundPod,
): Promise<void> {
  const client = peerAddress(socket);
  const refuse = (error: string): void => {
    logEarlyDeny(pod.record.access, { client, dst: originalDst, direction: 'outbound', error });
    refuseSocket(socket);
  };
  if (isSelfCall(originalDst, pod.network.proxyPorts))
    return refuse('attempted recursive call to ourselves');
  const source = await pod.own.wait();
  if (source === null) return refuse(pod.own.whyUnknown);
  const call: OutboundCall = {
    client,
    originalDst,
    source,
    tried: NONE_TRIED,
    attempts: 0,
    startedAtMs: performance.now(),
  };
  const decision = await decide(call, pod);
  if (decision.kind === 'deny') return refuse(decision.reason);
  let route: Route | null = decision;
  while (route !== null) route = await proxy(socket, call, route, pod);
}

interface OutboundCall {
  readonly client: SocketAddress;
  readonly originalDst: SocketAddress;
  readonly source: Workload;
  /** Uids of workloads that could not be reached. */
  tried: ReadonlySet<string>;
  attempts: number;
  readonly startedAtMs: number;
}

type Decision = Exclude<OutboundDecision, { kind: 'resolve' }>;

/** Where to go, preferably not to what was tried. Nearly always known at once. */
function decide(call: OutboundCall, pod: OutboundPod): Decision | Promise<Decision> {
  if (pod.demands !== null) return demanded(call, pod, pod.demands);
  const decision = decideWith(pod.mesh.current, call, pod, NOT_RESOLVED);
  return decision.kind === 'resolve' ? resolved(call, pod, decision.workload) : decision;
}

/** Of what the decision looks for, the control plane is asked first. */
async function demanded(
  call: OutboundCall,
  pod: OutboundPod,
  demands: ThreadDemands,
): Promise<Decision> {
  const decision = await demands.decide((view) => decideWith(view, call, pod, NOT_RESOLVED));
  return decision.kind === 'resolve' ? resolved(call, pod, decision.workload) : decision;
}

/** With the addresses of a workload that has only a hostname; another choice may be of another such workload. */
async function resolved(call: OutboundCall, pod: OutboundPod, first: Workload): Promise<Decision> {
  const addresses = new Map<string, readonly string[]>();
  let workload = first;
  for (;;) {
    addresses.set(workload.uid, await pod.hostnames.resolve(call.source, workload));
    const decideAgain = (view: WorkloadView) => decideWith(view, call, pod, addresses);
    const decision =
      pod.demands === null ? decideAgain(pod.mesh.current) : await pod.demands.decide(decideAgain);
    if (decision.kind !== 'resolve') return decision;
    workload = decision.workload;
  }
}

function decideWith(
  view: WorkloadView,
  { source, originalDst, tried }: OutboundCall,
  { network: { network } }: OutboundPod,
  addresses: ReadonlyMap<string, readonly string[]>,
): OutboundDecision {
  return decideOutbound(view, {
    source,
    originalDst,
    network,
    random: Math.random,
    avoid: tried,
    resolved: addresses,
  });
}

/** Each next hop has its own record, however often it is tried. Returns another one to try, if no byte was passed on. */
async function proxy(
  socket: Socket,
  call: OutboundCall,
  route: Route,
  pod: OutboundPod,
): Promise<Route | null> {
  using record = new ConnectionRecord(describeCall(call, route), pod.record);
  using _tracked = trackCall(call, route, pod.connections);
  let upstream: Upstream | null = null;
  while (upstream === null) {
    try {
      upstream = await connectUpstream(call, route, pod);
    } catch (error) {
      const next = socket.destroyed ? null : await routeAfter(error, call, route, pod);
      if (next !== null) await delay(RETRY_AFTER_MS * 2 ** (call.attempts - 1));
      if (next !== null && isSameHop(next, route)) continue;
      record.close(failureOutcome(error, 'io error'));
      if (next === null) refuseSocket(socket);
      return next;
    }
  }
  const { beyond } = upstream;
  if (beyond !== null) {
    const described = pod.baggage?.describe(beyond.baggage, beyond.identity) ?? null;
    record.learn(beyond.identity, described);
  }
  const ended = await splice(socket, upstream.stream, record);
  upstream.end();
  record.close(copyOutcome(ended, pod.connections.isAborted));
  return null;
}

/**
 * Where to try after a failure, null to give up. The same next hop again only if it answered: it may be about to
 * restart, while one that nobody answers for has kept the caller waiting for seconds.
 */
async function routeAfter(
  caught: unknown,
  call: OutboundCall,
  route: Route,
  pod: OutboundPod,
): Promise<Route | null> {
  const { code, retry } = toMeshError(caught);
  const { isChoice, destination, kind } = route;
  const most = kind === 'tcp' ? MAX_PLAIN_ATTEMPTS : MAX_ATTEMPTS;
  call.attempts += 1;
  const isLate = performance.now() - call.startedAtMs > RETRY_UNTIL_MS;
  if (call.attempts >= most || isLate || !isChoice || retry === 'never') return null;
  if (destination !== null) call.tried = new Set([...call.tried, destination.uid]);
  const next = await decide(call, pod);
  if (next.kind === 'deny' || (isSameHop(next, route) && !ERRORS[code].sameHop)) return null;
  return next;
}

function isSameHop(a: Route, b: Route): boolean {
  return formatSocketAddress(a.nextHop) === formatSocketAddress(b.nextHop);
}

function describeCall({ client, source }: OutboundCall, route: Route): RecordedConnection {
  const isTunnelled = route.kind !== 'tcp';
  return {
    reporter: 'source',
    client,
    dst: route.nextHop,
    hboneAuthority: isTunnelled ? route.authority : null,
    source,
    sourceIdentity: isTunnelled ? source : null,
    destination: route.destination,
    destinationIdentity: route.destination,
    service: route.service,
    isMutualTls: isTunnelled,
    isBeyondGateway: route.kind === 'double-hbone',
  };
}

const PROTOCOLS = { tcp: 'TCP', hbone: 'HBONE', 'double-hbone': 'DOUBLEHBONE' } as const;

function trackCall(
  { client, originalDst }: OutboundCall,
  { kind, nextHop }: Route,
  connections: OpenConnections,
): Disposable {
  return connections.trackOutbound({
    src: client,
    originalDst,
    actualDst: nextHop,
    protocol: PROTOCOLS[kind],
  });
}

function isSelfCall({ ip, port }: SocketAddress, proxyPorts: ReadonlySet<number>): boolean {
  return proxyPorts.has(port) && (ip.startsWith('127.') || ip === '::1');
}
