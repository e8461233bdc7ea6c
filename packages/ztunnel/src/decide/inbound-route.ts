import { pickService, type WorkloadView } from '@aquifer/control-plane-client/snapshot';
import { type GatewayAddress, type Service, serviceKey, type Workload } from '@aquifer/model';
import { type Authority, parseAuthority, type SocketAddress } from '@aquifer/wire';
import { PROXY_PORTS } from '../ports.ts';
import { isInstanceOf } from './waypoint-hop.ts';

/** One CONNECT request that arrived at a captured pod. */
export interface InboundRequest {
  readonly destination: Workload;
  readonly method: string;
  readonly authority: string;
  /** The pod's address that was dialled. */
  readonly localIp: string;
  readonly network: string;
}

export type InboundDecision =
  | { readonly kind: 'deny'; readonly status: 400 | 503; readonly reason: string }
  | { readonly kind: 'forward'; readonly upstream: SocketAddress };

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
  const port = resolvePort(view, request.destination, authority);
  if (typeof port === 'string') return deny(503, port);
  if (PROXY_PORTS.has(port)) return deny(503, 'attempted recursive call to ourselves');
  return { kind: 'forward', upstream: { ip: request.localIp, port } };
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

/** The port on the pod, or why there is none. */
function resolvePort(
  view: WorkloadView,
  destination: Workload,
  authority: Authority,
): number | string {
  if (authority.kind === 'address') return authority.port;
  const { hostname, port } = authority;
  const service = pickService(view.servicesByHostname(hostname), destination.namespace);
  if (service === null) return `no service or workload for hostname: ${hostname}`;
  const own = destination.services.get(serviceKey(service));
  const target =
    own?.find(({ servicePort }) => servicePort === port)?.targetPort ||
    service.ports.find(({ servicePort }) => servicePort === port)?.targetPort;
  return target || `requested service ${hostname}:${port} found, but cannot resolve port`;
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
