import type { WorkloadView } from '@aquifer/control-plane-client/snapshot';
import type { GatewayAddress, Service, Workload } from '@aquifer/model';
import { formatIdentity } from '@aquifer/model';
import { formatSocketAddress, type SocketAddress } from '@aquifer/wire';
import { INBOUND_HBONE_PORT } from '../ports.ts';
import { type ChosenEndpoint, chooseAddress, chooseEndpoint } from './endpoint-choice.ts';
import { isInstanceOf, resolveGateway } from './waypoint-hop.ts';

/** One connection of a captured pod, and where it aimed. */
export interface OutboundConnection {
  readonly source: Workload;
  readonly originalDst: SocketAddress;
  /** The network this node is in. */
  readonly network: string;
  /** A number in [0, 1), for weighted choices. */
  readonly random: () => number;
  /** Uids of workloads that failed a moment ago: taken only if there is no other. */
  readonly avoid: ReadonlySet<string>;
  /** Addresses of workloads that have only a hostname, by uid, once they were resolved. */
  readonly resolved: ReadonlyMap<string, readonly string[]>;
}

/** Where the bytes go. `service` is what the caller addressed, if it was a service. */
export type OutboundDecision =
  | { readonly kind: 'deny'; readonly reason: string }
  /** The workload that was chosen has only a hostname: decide again with what that resolves to. */
  | { readonly kind: 'resolve'; readonly workload: Workload }
  | {
      readonly kind: 'tcp';
      readonly nextHop: SocketAddress;
      /** Null when the address is not part of the mesh. */
      readonly destination: Workload | null;
      readonly service: Service | null;
      readonly isChoice: boolean;
    }
  | {
      readonly kind: 'hbone';
      readonly nextHop: SocketAddress;
      /** Authority of the CONNECT request. */
      readonly authority: string;
      readonly expectedSans: readonly string[];
      readonly destination: Workload;
      readonly service: Service | null;
      /** Whether it was chosen: another workload may do as well. */
      readonly isChoice: boolean;
    }
  /** A tunnel to the gateway of another network, and within it one to whoever serves the service there. */
  | {
      readonly kind: 'double-hbone';
      readonly nextHop: SocketAddress;
      /** Of both CONNECT requests: the other network has its own addresses for the service. */
      readonly authority: string;
      /** Of the gateway. */
      readonly expectedSans: readonly string[];
      /** Of whoever is behind it. */
      readonly innerSans: readonly string[];
      readonly destination: Workload;
      readonly service: Service;
      readonly isChoice: boolean;
    };

/** The decision tree of spec ztunnel 3.2. Anything unresolved is refused; nothing bypasses a waypoint. */
export function decideOutbound(
  view: WorkloadView,
  connection: OutboundConnection,
): OutboundDecision {
  const { source, originalDst, network } = connection;
  const workload = view.workloadByAddress(network, originalDst.ip);
  const service =
    workload === null ? view.serviceByVip(network, originalDst.ip, source.namespace) : null;
  if (service === null) return decideWorkload(view, connection, workload);
  return decideService(view, connection, service);
}

function decideService(
  view: WorkloadView,
  connection: OutboundConnection,
  service: Service,
): OutboundDecision {
  const waypoint = chooseWaypoint(service, connection.random);
  if (waypoint !== null) return viaWaypoint(view, connection, { waypoint, service });
  if (service.loadBalancing?.mode === 'passthrough') return passthrough(connection);
  const { source, originalDst, random, avoid } = connection;
  const chosen = chooseEndpoint(view, service, {
    source,
    port: originalDst.port,
    mode: 'standard',
    random,
    avoid,
  });
  if (chosen === null) {
    return deny(`no healthy upstream: ${formatSocketAddress(originalDst)}`);
  }
  return direct(view, connection, { ...chosen, service });
}

function decideWorkload(
  view: WorkloadView,
  connection: OutboundConnection,
  workload: Workload | null,
): OutboundDecision {
  if (workload === null) return passthrough(connection);
  const { waypoint } = workload;
  if (waypoint !== null && !isInstanceOf(view, connection.source, waypoint)) {
    return viaWaypoint(view, connection, { waypoint, service: null });
  }
  const { port } = connection.originalDst;
  return direct(view, connection, { workload, port, service: null });
}

/** A weighted choice among the canaries, if there are any to choose from, else the service's waypoint. */
function chooseWaypoint(service: Service, random: () => number): GatewayAddress | null {
  const total = service.weightedWaypoints.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return service.waypoint;
  let left = random() * total;
  for (const { destination, weight } of service.weightedWaypoints) {
    left -= weight;
    if (left < 0) return destination;
  }
  return service.waypoint;
}

function viaWaypoint(
  view: WorkloadView,
  connection: OutboundConnection,
  { waypoint, service }: { readonly waypoint: GatewayAddress; readonly service: Service | null },
): OutboundDecision {
  const { source, originalDst, random, avoid } = connection;
  const context = { kind: 'waypoint', source, aimedAt: originalDst.ip, random, avoid } as const;
  const hop = resolveGateway(view, waypoint, context);
  if (!hop.ok) return deny(hop.error);
  const { workload: destination, nextHop, expectedSans } = hop.value;
  if (destination.network !== source.network) {
    return viaNetworkGateway(view, connection, { workload: destination, service });
  }
  return {
    kind: 'hbone',
    nextHop,
    authority: formatSocketAddress(originalDst),
    expectedSans,
    destination,
    service,
    isChoice: true,
  };
}

/** To a workload of another network; only what was addressed as a service has a name that is known there. */
function viaNetworkGateway(
  view: WorkloadView,
  { source, originalDst, random, avoid }: OutboundConnection,
  { workload, service }: { readonly workload: Workload; readonly service: Service | null },
): OutboundDecision {
  if (service === null) {
    return deny(`no service for target address: ${formatSocketAddress(originalDst)}`);
  }
  if (workload.networkGateway === null) return deny('no valid routing destination for workload');
  const context = {
    kind: 'network gateway',
    source,
    aimedAt: originalDst.ip,
    random,
    avoid,
  } as const;
  const hop = resolveGateway(view, workload.networkGateway, context);
  if (!hop.ok) return deny(hop.error);
  return {
    kind: 'double-hbone',
    nextHop: hop.value.nextHop,
    authority: `${service.hostname}:${originalDst.port}`,
    expectedSans: hop.value.expectedSans,
    innerSans: service.subjectAltNames,
    destination: workload,
    service,
    isChoice: true,
  };
}

function direct(
  view: WorkloadView,
  connection: OutboundConnection,
  { workload, port, service }: ChosenEndpoint & { readonly service: Service | null },
): OutboundDecision {
  const { source, originalDst, resolved } = connection;
  if (workload.network !== source.network) {
    return viaNetworkGateway(view, connection, { workload, service });
  }
  if (needsResolving(workload) && !resolved.has(workload.uid)) return { kind: 'resolve', workload };
  const addresses = resolved.get(workload.uid) ?? workload.addresses;
  const ip = chooseAddress({ ...workload, addresses }, originalDst.ip, service);
  if (ip === null) return deny('no valid routing destination for workload');
  if (workload.protocol === 'tcp') {
    const isChoice = service !== null;
    return { kind: 'tcp', nextHop: { ip, port }, destination: workload, service, isChoice };
  }
  return {
    kind: 'hbone',
    nextHop: { ip, port: INBOUND_HBONE_PORT },
    authority: formatSocketAddress({ ip, port }),
    expectedSans: [...(service?.subjectAltNames ?? []), formatIdentity(workload)],
    destination: workload,
    service,
    isChoice: service !== null,
  };
}

/** A ServiceEntry's endpoint by name. */
function needsResolving({ addresses, hostname }: Workload): boolean {
  return addresses.length === 0 && hostname !== '';
}

function passthrough({ originalDst }: OutboundConnection): OutboundDecision {
  return {
    kind: 'tcp',
    nextHop: originalDst,
    destination: null,
    service: null,
    isChoice: false,
  };
}

function deny(reason: string): OutboundDecision {
  return { kind: 'deny', reason };
}
