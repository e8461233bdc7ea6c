/** Listeners of sidecars as Envoy takes them (recordings l7/02, 22, 26, 30). */
import { TrafficDirection } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type FilterChainMatchSchema,
  type Listener,
  type ListenerFilterSchema,
  ListenerSchema,
} from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { create } from '@bufbuild/protobuf';
import { NO_ROUTE } from '../access-log.ts';
import type { ChainInit } from '../filter-chains.ts';
import { connectionManager, routesNamed, tcpProxy } from '../http-connection-manager.ts';
import { httpInspector, PATIENT, socketAddress, tlsInspector } from '../listener-parts.ts';
import { BLACK_HOLE, PASSTHROUGH } from '../names.ts';
import { type Init, seconds } from '../packed.ts';
import type { OutboundChain, OutboundListener } from './outbound-listeners.ts';

type Match = Init<typeof FilterChainMatchSchema>;
type ListenerFilter = Init<typeof ListenerFilterSchema>;

const OUTBOUND_PORT = 15_001;
const HANDSHAKE_S = 15;

/** What plaintext that looks like HTTP is called by the inspector. */
export const SNIFFED_HTTP: readonly string[] = ['http/1.1', 'h2c'];

export function outboundListener(listener: OutboundListener): Listener {
  const { name, address, port, capture, chains, otherwise } = listener;
  return create(ListenerSchema, {
    ...PATIENT,
    name,
    address: socketAddress(address, port),
    trafficDirection: TrafficDirection.OUTBOUND,
    ...(capture === 'redirected'
      ? { bindToPort: false }
      : { maxConnectionsToAcceptPerSocketEvent: 1 }),
    filterChains: chains.map((chain) => outboundChain(chain, name)),
    ...(otherwise !== null && { defaultFilterChain: defaultChain(otherwise) }),
    listenerFilters: inspectorsOf(chains),
  });
}

function outboundChain(chain: OutboundChain, listener: string): ChainInit {
  const filters =
    chain.kind === 'tcp'
      ? [tcpProxy(chain.cluster)]
      : [
          connectionManager({
            statPrefix: `outbound_${listener};`,
            routeSpecifier: routesNamed(chain.routes),
          }),
        ];
  const filterChainMatch = matchOf(chain);
  return {
    ...(filterChainMatch !== null && { filterChainMatch }),
    filters,
    transportSocketConnectTimeout: seconds(HANDSHAKE_S),
  };
}

function matchOf(chain: OutboundChain): Match | null {
  if (chain.kind === 'http') {
    if (chain.protocol === 'told') return null;
    return { applicationProtocols: [...SNIFFED_HTTP], transportProtocol: 'raw_buffer' };
  }
  const { serverNames, ranges } = chain;
  if (serverNames.length === 0 && ranges.length === 0) return null;
  return { serverNames: [...serverNames], prefixRanges: ranges.map(cidrRange) };
}

function cidrRange(cidr: string) {
  const slash = cidr.indexOf('/');
  return { addressPrefix: cidr.slice(0, slash), prefixLen: Number(cidr.slice(slash + 1)) };
}

/** Of a shared listener to what is not known; of a service's own to the service. */
function defaultChain(cluster: string): ChainInit {
  const filters = [tcpProxy(cluster)];
  return cluster === PASSTHROUGH || cluster === BLACK_HOLE
    ? { name: 'PassthroughFilterChain', filterChainMatch: {}, filters }
    : { filters, transportSocketConnectTimeout: seconds(HANDSHAKE_S) };
}

function inspectorsOf(chains: readonly OutboundChain[]): ListenerFilter[] {
  const hasNames = chains.some((chain) => chain.kind === 'tcp' && chain.serverNames.length > 0);
  const isSniffed = chains.some((chain) => chain.kind === 'http' && chain.protocol === 'sniffed');
  return [...(hasNames ? [tlsInspector()] : []), ...(isSniffed ? [httpInspector()] : [])];
}

/** Where redirected connections arrive: they go on to the listener of their destination, or to what is not known. */
export function virtualOutbound(wildcard: string, unknown: string): Listener {
  // A connection that was not redirected would come back here for ever.
  const blackHole = {
    name: 'virtualOutbound-blackhole',
    filterChainMatch: { destinationPort: OUTBOUND_PORT },
    filters: [tcpProxy(BLACK_HOLE, { accessLog: [] })],
  };
  return create(ListenerSchema, {
    name: 'virtualOutbound',
    address: socketAddress(wildcard, OUTBOUND_PORT),
    accessLog: [...NO_ROUTE],
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    maxConnectionsToAcceptPerSocketEvent: 1,
    filterChains: [
      blackHole,
      { name: 'virtualOutbound-catchall-tcp', filters: [tcpProxy(unknown)] },
    ],
  });
}
