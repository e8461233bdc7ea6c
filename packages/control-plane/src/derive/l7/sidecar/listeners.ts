/** Listeners of sidecars as Envoy takes them (recordings l7/02, 22, 26, 30). */
import { type CidrRangeSchema, TrafficDirection } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type FilterChainMatchSchema,
  type Listener,
  type ListenerFilterSchema,
  ListenerSchema,
} from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { create } from '@bufbuild/protobuf';
import type { ProxyTelemetry } from '../../telemetry/proxy-telemetry.ts';
import { noRoute } from '../access-log.ts';
import type { ChainInit } from '../filter-chains.ts';
import { connectionManager, routesNamed, SILENT, tcpProxy } from '../http-connection-manager.ts';
import { httpInspector, PATIENT, socketAddress, tlsInspector } from '../listener-parts.ts';
import { BLACK_HOLE } from '../names.ts';
import { type Extension, type Init, seconds } from '../packed.ts';
import {
  hasServerNames,
  isCatchAll,
  type OutboundChain,
  type OutboundListener,
} from './outbound-listeners.ts';
import type { TcpChain } from './tcp-chains.ts';

type Match = Init<typeof FilterChainMatchSchema>;
type ListenerFilter = Init<typeof ListenerFilterSchema>;

const OUTBOUND_PORT = 15_001;
export const HANDSHAKE: ReturnType<typeof seconds> = seconds(15);

/** What plaintext that looks like HTTP is called by the inspector. */
export const SNIFFED_HTTP: readonly string[] = ['http/1.1', 'h2c'];

/** A listener, and what the proxy tells of what it takes. */
export type ToldListener = OutboundListener & { readonly telemetry: ProxyTelemetry };

export function outboundListener(listener: ToldListener): Listener {
  const { name, address, port, capture, chains, otherwise, telemetry } = listener;
  // What has no conditions stands alone, or is what all others are left to.
  const last = chains.length > 1 ? chains.find(isCatchAll) : undefined;
  const defaultFilterChain =
    last === undefined ? unknown(otherwise, telemetry) : outboundChain(last, listener);
  return create(ListenerSchema, {
    ...PATIENT,
    name,
    address: socketAddress(address, port),
    trafficDirection: TrafficDirection.OUTBOUND,
    ...(capture === 'redirected'
      ? { bindToPort: false }
      : { maxConnectionsToAcceptPerSocketEvent: 1 }),
    filterChains: chains
      .filter((chain) => chain !== last)
      .map((chain) => outboundChain(chain, listener)),
    ...(defaultFilterChain !== null && { defaultFilterChain }),
    listenerFilters: inspectorsOf(chains),
  });
}

function outboundChain(chain: OutboundChain, { name, telemetry }: ToldListener): ChainInit {
  const filterChainMatch = matchOf(chain);
  return {
    ...(filterChainMatch !== null && { filterChainMatch }),
    ...(chain.kind === 'tcp' && originOf(chain)),
    filters: [
      chain.kind === 'tcp'
        ? tcpFilter(chain, telemetry)
        : httpFilter(chain.routes, name, telemetry),
    ],
    transportSocketConnectTimeout: HANDSHAKE,
  };
}

function httpFilter(routes: string, listener: string, telemetry: ProxyTelemetry): Extension {
  return connectionManager({
    telemetry,
    statPrefix: `outbound_${listener};`,
    routeSpecifier: routesNamed(routes),
  });
}

export function tcpFilter(
  { name, clusters, proxy }: Pick<TcpChain, 'name' | 'clusters' | 'proxy'>,
  telemetry: ProxyTelemetry,
): Extension {
  if (clusters.length === 1) return tcpProxy(name, telemetry, proxy);
  const weighted = clusters.map((cluster) => ({ ...cluster }));
  return tcpProxy(name, telemetry, {
    ...proxy,
    clusterSpecifier: { case: 'weightedClusters', value: { clusters: weighted } },
  });
}

function originOf({ origin }: TcpChain): Pick<ChainInit, 'metadata'> {
  if (origin === null) return {};
  const [namespace, name] = origin.split('/');
  const config = `/apis/networking.istio.io/v1/namespaces/${namespace}/virtual-service/${name}`;
  return { metadata: { filterMetadata: { istio: { config } } } };
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

export function cidrRange(cidr: string): Init<typeof CidrRangeSchema> {
  const slash = cidr.indexOf('/');
  return { addressPrefix: cidr.slice(0, slash), prefixLen: Number(cidr.slice(slash + 1)) };
}

function unknown(cluster: string | null, telemetry: ProxyTelemetry): ChainInit | null {
  if (cluster === null) return null;
  const filters = [tcpProxy(cluster, telemetry)];
  return { name: 'PassthroughFilterChain', filterChainMatch: {}, filters };
}

function inspectorsOf(chains: readonly OutboundChain[]): ListenerFilter[] {
  const hasNames = chains.some(hasServerNames);
  const isSniffed = chains.some((chain) => chain.kind === 'http' && chain.protocol === 'sniffed');
  return [...(hasNames ? [tlsInspector()] : []), ...(isSniffed ? [httpInspector()] : [])];
}

/** Where redirected connections arrive: they go on to the listener of their destination, or to what is not known. */
export function virtualOutbound(
  wildcard: string,
  unknown: string,
  telemetry: ProxyTelemetry,
): Listener {
  // A connection that was not redirected would come back here for ever.
  const blackHole = {
    name: 'virtualOutbound-blackhole',
    filterChainMatch: { destinationPort: OUTBOUND_PORT },
    filters: [tcpProxy(BLACK_HOLE, SILENT)],
  };
  return create(ListenerSchema, {
    name: 'virtualOutbound',
    address: socketAddress(wildcard, OUTBOUND_PORT),
    accessLog: noRoute(telemetry),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    maxConnectionsToAcceptPerSocketEvent: 1,
    filterChains: [
      blackHole,
      { name: 'virtualOutbound-catchall-tcp', filters: [tcpProxy(unknown, telemetry)] },
    ],
  });
}
