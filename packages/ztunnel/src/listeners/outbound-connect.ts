import type { Duplex } from 'node:stream';
import {
  exchangeDuplex,
  hboneError,
  type TunnelDialer,
  type TunnelLease,
  TunnelPool,
  type TunnelTarget,
} from '@aquifer/hbone';
import { formatIdentity, type Identity, type Workload } from '@aquifer/model';
import {
  encodeBaggage,
  encodeForwarded,
  formatSocketAddress,
  type SocketAddress,
} from '@aquifer/wire';
import type { PodSockets } from '../capture/pod-sockets.ts';
import { dialInPod } from '../capture/sockets.ts';
import type { PodNetwork } from '../connections/admitted-connection.ts';
import type { OutboundDecision } from '../decide/outbound-route.ts';
import { toMeshError } from '../errors.ts';
import { newTraceparent } from '../telemetry/trace-context.ts';

/** A decision that leads somewhere. */
export type Route = Exclude<OutboundDecision, { kind: 'deny' | 'resolve' }>;

/** What outbound connections are made with. */
export interface OutboundDeps {
  readonly network: PodNetwork;
  readonly tunnels: { readonly pool: TunnelPool; readonly dialer: TunnelDialer };
}

/** Who calls. */
export interface RoutedCall {
  readonly client: SocketAddress;
  readonly source: Workload;
}

/** A connection to the next hop, which carries the application's bytes. */
export interface Upstream {
  readonly stream: Duplex | TunnelLease['exchange'];
  /** Whoever is behind a gateway, as it says and has proven; null where the route knows it. */
  readonly beyond: { readonly identity: Identity; readonly baggage: string | null } | null;
  /** To be called when the copy has ended. */
  readonly end: () => void;
}

const NOTHING_TO_END = (): void => undefined;

/** Connects to where a route leads. Throws a `MeshError`, or what a socket threw. */
export async function connectUpstream(
  call: RoutedCall,
  route: Route,
  deps: OutboundDeps,
): Promise<Upstream> {
  switch (route.kind) {
    case 'tcp': {
      const { sockets } = deps.network;
      const stream = await dialInPod(sockets, route.nextHop, { sourceIp: null });
      return { stream, beyond: null, end: NOTHING_TO_END };
    }
    case 'hbone': {
      const { exchange } = await deps.tunnels.pool.lease(targetOf(call, route));
      return { stream: exchange, beyond: null, end: NOTHING_TO_END };
    }
    case 'double-hbone':
      return connectThroughGateway(call, route, deps);
  }
}

/**
 * A tunnel within the stream of another (spec ztunnel 2.6). The outer one is shared as all are; the inner one is of this
 * connection alone, for the gateway must not learn what belongs together.
 */
async function connectThroughGateway(
  call: RoutedCall,
  route: Extract<Route, { kind: 'double-hbone' }>,
  { tunnels, network }: OutboundDeps,
): Promise<Upstream> {
  const outer = await tunnels.pool.lease(targetOf(call, route));
  const inner = new TunnelPool({
    dialer: {
      ...tunnels.dialer,
      dial: () => Promise.resolve(exchangeDuplex(outer.exchange)),
    },
    maxStreams: 1,
  });
  try {
    const target = targetOf(call, { ...route, expectedSans: route.innerSans });
    const headers = { ...target.connect.headers, 'x-forwarded-network': network.network };
    const lease = await inner.lease({ ...target, connect: { ...target.connect, headers } });
    return {
      stream: lease.exchange,
      beyond: { identity: lease.peerIdentity, baggage: lease.header('baggage') },
      end: () => inner.abort(),
    };
  } catch (error) {
    inner.abort();
    outer.exchange.reset('CANCEL');
    throw error;
  }
}

function targetOf(
  { client, source }: RoutedCall,
  route: Exclude<Route, { kind: 'tcp' }>,
): TunnelTarget {
  return {
    hop: route.nextHop,
    identity: formatIdentity(source),
    peer: { match: 'exact', uris: route.expectedSans },
    clientIp: client.ip,
    connect: {
      authority: route.authority,
      headers: {
        baggage: encodeBaggage(source),
        forwarded: encodeForwarded(formatSocketAddress(client), route.service?.hostname ?? null),
        traceparent: newTraceparent(),
      },
    },
  };
}

/** A port 15008 that stays silent is usually cut off by a NetworkPolicy (spec ztunnel 3.7). */
export async function dialHbone(sockets: PodSockets, nextHop: SocketAddress): Promise<Duplex> {
  try {
    return await dialInPod(sockets, nextHop, { sourceIp: null });
  } catch (caught) {
    const error = toMeshError(caught);
    if (error.code !== 'ZT_DIAL_TIMEOUT') throw error;
    const text = `connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: ${error.message}`;
    throw hboneError('HB_CONNECT_TIMEOUT', text, error);
  }
}
