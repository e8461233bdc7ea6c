import { pickService, type WorkloadView } from '@aquifer/control-plane-client/snapshot';
import {
  type ApplicationTunnel,
  type GatewayAddress,
  type Service,
  serviceKey,
  type Workload,
} from '@aquifer/model';
import { type Authority, parseAuthority, type SocketAddress } from '@aquifer/wire';
import { isInstanceOf } from './waypoint-hop.ts';

/** One CONNECT request that arrived at a captured pod. */
export interface InboundRequest {
  readonly destination: Workload;
  readonly method: string;
  readonly authority: string;
  /** The pod's address that was dialled. */
  readonly localIp: string;
  readonly network: string;
  /** Application tunnels end at the pod's loopback address (`LOCALHOST_APP_TUNNEL`). */
  readonly tunnelsToLoopback: boolean;
  /** Those of the proxy inside the pod. */
  readonly proxyPorts: ReadonlySet<number>;
}

export type InboundDecision =
  | { readonly kind: 'deny'; readonly status: 400 | 503; readonly reason: string }
  | {
      readonly kind: 'forward';
      readonly upstream: SocketAddress;
      /** What a PROXY header tells the application that the caller aimed at; null where none is written. */
      readonly tunnelTarget: SocketAddress | null;
    };

/** Checks 1, 2, 4 and 5 of spec ztunnel 2.4; policy comes after it. */
export function decideInbound(view: WorkloadView, request: InboundRequest): InboundDecision {
  if (request.method !== 'CONNECT') {
    return deny(400, `expected method CONNECT, got ${request.method}`);
  }
  const authority = parseAuthority(request.authority);
  if (authority === null)
    return deny(400, `no valid authority pseudo header: ${request.authority}`);
  if (authority.kind === 'address' && !acceptsAddress(view, request, authority.ip)) {
    return deny(400, `ip mismatch: ${request.localIp} != ${authority.ip}`);
  }
  const aim = resolve(view, request, authority);
  if (typeof aim === 'string') return deny(503, aim);
  const { applicationTunnel } = request.destination;
  const decision =
    applicationTunnel?.protocol === 'proxy'
      ? throughTunnel(request, applicationTunnel, aim)
      : forward({ ip: request.localIp, port: aim.port }, null);
  if (decision.kind === 'forward' && request.proxyPorts.has(decision.upstream.port)) {
    return deny(503, 'attempted recursive call to ourselves');
  }
  return decision;
}

/** To an application that takes connections for others, and is told for whom (spec ztunnel 2.7). */
function throughTunnel(
  { localIp, tunnelsToLoopback }: InboundRequest,
  tunnel: ApplicationTunnel,
  { port, target, name }: Aim,
): InboundDecision {
  if (target === null) return deny(503, `requested service ${name} found, but has no IP addresses`);
  const ip = tunnelsToLoopback ? loopbackOf(localIp) : localIp;
  return forward({ ip, port: tunnel.port || port }, target);
}

function forward(upstream: SocketAddress, tunnelTarget: SocketAddress | null): InboundDecision {
  return { kind: 'forward', upstream, tunnelTarget };
}

function loopbackOf(ip: string): string {
  return ip.includes(':') ? '::1' : '127.0.0.1';
}

/** The pod's own address, or one whose waypoint this workload is (spec ztunnel 4.1). */
function acceptsAddress(view: WorkloadView, request: InboundRequest, ip: string): boolean {
  const { destination, localIp, network } = request;
  if (ip === localIp || destination.applicationTunnel !== null) return true;
  const workload = view.workloadByAddress(network, ip);
  if (workload !== null) return servedBy(view, destination, [workload.waypoint]);
  const service = view.serviceByVip(network, ip, destination.namespace);
  if (service === null) return false;
  const canaries = service.weightedWaypoints.map((weighted) => weighted.destination);
  return servedBy(view, destination, [service.waypoint, ...canaries]);
}

function servedBy(
  view: WorkloadView,
  workload: Workload,
  waypoints: readonly (GatewayAddress | null)[],
): boolean {
  return waypoints.some((waypoint) => waypoint !== null && isInstanceOf(view, workload, waypoint));
}

/** What a caller aimed at. */
interface Aim {
  /** On the pod. */
  readonly port: number;
  /** Null for a service without a VIP. */
  readonly target: SocketAddress | null;
  readonly name: string;
}

/** Text says why there is no port. */
function resolve(
  view: WorkloadView,
  { destination, network }: InboundRequest,
  authority: Authority,
): Aim | string {
  if (authority.kind === 'address') {
    return { port: authority.port, target: authority, name: authority.ip };
  }
  const { hostname, port } = authority;
  const service = pickService(view.servicesByHostname(hostname), destination.namespace);
  if (service === null) return `no service or workload for hostname: ${hostname}`;
  const own = destination.services.get(serviceKey(service));
  const target =
    own?.find(({ servicePort }) => servicePort === port)?.targetPort ||
    service.ports.find(({ servicePort }) => servicePort === port)?.targetPort;
  // An application that takes a tunnel is told the service's port, and need not serve it.
  const isTunnelled = destination.applicationTunnel !== null;
  if (!target && !isTunnelled) {
    return `requested service ${hostname}:${port} found, but cannot resolve port`;
  }
  return { port: target || port, target: vipOf(service, { network, port }), name: hostname };
}

/** Of the own network before others, IPv4 before IPv6. */
function vipOf(
  { addresses }: Service,
  { network, port }: { readonly network: string; readonly port: number },
): SocketAddress | null {
  const vips = addresses.filter(({ prefixLength }) => prefixLength === null);
  const own = vips.filter((vip) => vip.network === network);
  const best = own.find(({ address }) => !address.includes(':')) ?? own[0] ?? vips[0];
  return best === undefined ? null : { ip: best.address, port };
}

/**
 * The service that a connection probably came for, for labels only: the one the client named, else one whose target
 * port fits (spec ztunnel 4.7).
 */
export function guessService(
  view: WorkloadView,
  destination: Workload,
  hint: { readonly hostname: string | null; readonly port: number },
): Service | null {
  let byPort: Service | null = null;
  for (const [key, ports] of destination.services) {
    const service = view.service(key);
    if (service === null) continue;
    if (service.hostname === hint.hostname) return service;
    const fits = [...ports, ...service.ports].some(({ targetPort }) => targetPort === hint.port);
    if (fits) byPort ??= service;
  }
  return byPort;
}

function deny(status: 400 | 503, reason: string): InboundDecision {
  return { kind: 'deny', status, reason };
}
