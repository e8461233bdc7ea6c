/** `virtualInbound`, and `main_internal` for tunnels: what arrives for the workload of a sidecar (recordings l7/03, 24, 26, 29, 30). */
import { TrafficDirection } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type Listener,
  type ListenerFilterSchema,
  ListenerSchema,
} from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { HttpConnectionManager_ForwardClientCertDetails as ForwardCert } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { create } from '@bufbuild/protobuf';
import type { TlsMode, WorkloadTlsModes } from '../../peer-authentication.ts';
import type { ProxyTelemetry } from '../../telemetry/proxy-telemetry.ts';
import { noRoute } from '../access-log.ts';
import { authorizationFilters, type Judges } from '../authorization.ts';
import type { ChainInit } from '../filter-chains.ts';
import { connectionManager, SILENT, tcpProxy } from '../http-connection-manager.ts';
import {
  httpInspector,
  offPorts,
  onPorts,
  PATIENT,
  socketAddress,
  tlsInspector,
} from '../listener-parts.ts';
import { atSidecar } from '../mutual-tls.ts';
import { BLACK_HOLE, MAIN_INTERNAL } from '../names.ts';
import { type Extension, type Init, seconds } from '../packed.ts';
import type { PeerSource } from '../rbac-values.ts';
import { ORIGINAL_DST_FILTER } from '../tunnel-listeners.ts';
import { type ConnectionKind, connectionKinds } from './inbound-chains.ts';
import type { InboundPort } from './inbound-ports.ts';
import { cidrRange } from './listeners.ts';
import { listenerName } from './outbound-listeners.ts';
import { INBOUND_PASSTHROUGH } from './own-clusters.ts';

type RouteConfigInit = Init<typeof RouteConfigurationSchema>;
type ListenerFilter = Init<typeof ListenerFilterSchema>;

const INBOUND_PORT = 15_006;

/** What holds for all connections to the workload. */
export interface InboundScope {
  readonly wildcard: string;
  readonly trustDomain: string;
  readonly ports: readonly InboundPort[];
  readonly tls: WorkloadTlsModes;
  readonly judges: Judges;
  readonly telemetry: ProxyTelemetry;
}

/** What connections are led to, and how it is shown. */
interface Target {
  readonly chainNames: Readonly<Record<ConnectionKind['reads'], string>>;
  /** Of the workload; null for all that are not known. */
  readonly port: number | null;
  readonly cluster: string;
  readonly statPrefix: string;
  readonly http2: 'told' | 'any';
  readonly shown: { readonly authority: string; readonly port: number };
  readonly metadata: ChainInit['metadata'] | null;
}

/** Of an inbound cluster. */
export function inboundClusterName(port: number): string {
  return `inbound|${port}||`;
}

const UNKNOWN_PORTS: Target = {
  chainNames: { http: 'virtualInbound-catchall-http', tcp: 'virtualInbound' },
  port: null,
  cluster: INBOUND_PASSTHROUGH,
  statPrefix: INBOUND_PASSTHROUGH,
  http2: 'any',
  shown: { authority: '', port: 0 },
  metadata: null,
};

function targetOf({ port, protocol, address, authority, shownPort, source }: InboundPort): Target {
  const name = listenerName(address, port);
  const { kind, namespace, name: sidecar } = source;
  const config = `/apis/networking.istio.io/v1/namespaces/${namespace}/sidecar/${sidecar}`;
  return {
    chainNames: { http: name, tcp: name },
    port,
    cluster: inboundClusterName(port),
    statPrefix: `inbound_${name}`,
    http2: protocol === 'http2' ? 'told' : 'any',
    shown: { authority, port: shownPort },
    metadata: kind === 'Sidecar' ? { filterMetadata: { istio: { config } } } : null,
  };
}

/** By which way connections arrive, and what TLS is asked of them on a port; null for all that are not known. */
interface Arrival {
  readonly peer: PeerSource;
  modeOf(port: number | null): TlsMode;
}

export function virtualInbound(scope: InboundScope): Listener {
  const { wildcard, ports, tls } = scope;
  const arrival: Arrival = {
    peer: 'connection',
    modeOf: (port) => (port === null ? undefined : tls.ports.get(port)) ?? tls.mode,
  };
  const filterChains = [blackHole(), ...chainsFor(ports, arrival, scope)];
  return create(ListenerSchema, {
    ...PATIENT,
    name: 'virtualInbound',
    address: socketAddress(wildcard, INBOUND_PORT),
    accessLog: noRoute(scope.telemetry),
    trafficDirection: TrafficDirection.INBOUND,
    maxConnectionsToAcceptPerSocketEvent: 1,
    filterChains,
    listenerFilters: [ORIGINAL_DST_FILTER, ...inspectors(filterChains)],
  });
}

/** What tunnels to the workload hold: they are mutual TLS already. */
export function tunnelInbound(scope: InboundScope, addresses: readonly string[]): Listener {
  const arrival: Arrival = { peer: 'tunnel', modeOf: () => 'DISABLE' };
  // A tunnel may ask for any place; whatever is not the workload is not led on.
  const prefixRanges = addresses.map((address) =>
    cidrRange(`${address}/${address.includes(':') ? 128 : 32}`),
  );
  const filterChains = chainsFor(scope.ports, arrival, scope).map((chain): ChainInit => {
    const { destinationPort, applicationProtocols = [] } = chain.filterChainMatch ?? {};
    const filterChainMatch = { destinationPort, applicationProtocols, prefixRanges };
    return { ...chain, filterChainMatch };
  });
  return create(ListenerSchema, {
    continueOnListenerFiltersTimeout: true,
    name: MAIN_INTERNAL,
    listenerSpecifier: { case: 'internalListener', value: {} },
    accessLog: noRoute(scope.telemetry),
    trafficDirection: TrafficDirection.INBOUND,
    filterChains,
    listenerFilters: [ORIGINAL_DST_FILTER, httpInspector()],
  });
}

function chainsFor(
  ports: readonly InboundPort[],
  arrival: Arrival,
  scope: InboundScope,
): ChainInit[] {
  const all = [
    { target: UNKNOWN_PORTS, protocol: 'unknown' as const },
    ...ports.map((port) => ({ target: targetOf(port), protocol: port.protocol })),
  ];
  return all.flatMap(({ target, protocol }) =>
    connectionKinds(protocol, arrival.modeOf(target.port)).map((kind) =>
      chainTo(target, kind, arrival.peer, scope),
    ),
  );
}

/** A connection that was not redirected would come back here for ever. */
function blackHole(): ChainInit {
  return {
    name: 'virtualInbound-blackhole',
    filterChainMatch: { destinationPort: INBOUND_PORT },
    filters: [tcpProxy(BLACK_HOLE, SILENT)],
  };
}

function chainTo(
  target: Target,
  { match, reads, transport }: ConnectionKind,
  peer: PeerSource,
  scope: InboundScope,
): ChainInit {
  return {
    name: target.chainNames[reads],
    filterChainMatch: { ...match, ...(target.port !== null && { destinationPort: target.port }) },
    filters: reads === 'http' ? [httpFilter(target, scope, peer)] : tcpFilters(target, scope, peer),
    ...(transport === 'mtls' && { transportSocket: atSidecar(scope.trustDomain, ALPN[reads]) }),
    ...(target.metadata !== null && { metadata: target.metadata }),
  };
}

const ALPN = { http: ['h2', 'http/1.1'], tcp: ['istio-peer-exchange', 'h2', 'http/1.1'] } as const;

function httpFilter(
  target: Target,
  { judges, telemetry }: InboundScope,
  peer: PeerSource,
): Extension {
  return connectionManager({
    telemetry,
    statPrefix: `${target.statPrefix};`,
    serverName: 'istio-envoy',
    forwardClientCertDetails: ForwardCert.APPEND_FORWARD,
    setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
    ...(target.http2 === 'told' && { http2ProtocolOptions: {} }),
    routeSpecifier: { case: 'routeConfig', value: routesTo(target) },
    filters: authorizationFilters(judges, { protocol: 'http', peer }),
  });
}

function tcpFilters(
  { cluster }: Target,
  { judges, telemetry }: InboundScope,
  peer: PeerSource,
): Extension[] {
  return [...authorizationFilters(judges, { protocol: 'tcp', peer }), tcpProxy(cluster, telemetry)];
}

/** Requests that the workload has not begun to read may be repeated. */
function routesTo({ cluster, shown }: Target): RouteConfigInit {
  const noLimit = { maxStreamDuration: seconds(0), grpcTimeoutHeaderMax: seconds(0) };
  return {
    name: cluster,
    validateClusters: false,
    virtualHosts: [
      {
        name: `inbound|http|${shown.port}`,
        domains: ['*'],
        routes: [
          {
            name: 'default',
            match: { pathSpecifier: { case: 'prefix', value: '/' } },
            decorator: { operation: `${shown.authority}:${shown.port}/*` },
            action: {
              case: 'route',
              value: {
                clusterSpecifier: { case: 'cluster', value: cluster },
                timeout: seconds(0),
                maxStreamDuration: noLimit,
                retryPolicy: { retryOn: 'reset-before-request', numRetries: 2 },
              },
            },
          },
        ],
      },
    ],
  };
}

/** Each is asked only on ports whose chains need it: waiting for bytes would hold up servers that speak first. */
function inspectors(chains: readonly ChainInit[]): ListenerFilter[] {
  const asks = (needs: (chain: ChainInit) => boolean) => portsAsked(chains, needs);
  const tls = asks(({ filterChainMatch }) => filterChainMatch?.transportProtocol === 'tls');
  const http = asks(
    ({ filterChainMatch }) => filterChainMatch?.applicationProtocols?.includes(SNIFFED) === true,
  );
  return [
    ...(tls === null ? [] : [tlsInspector(tls.disabled)]),
    ...(http === null ? [] : [httpInspector(http.disabled)]),
  ];
}

const SNIFFED = 'http/1.1';

type Predicate = NonNullable<Parameters<typeof tlsInspector>[0]>;

/** Null if no port needs it. */
function portsAsked(
  chains: readonly ChainInit[],
  needs: (chain: ChainInit) => boolean,
): { readonly disabled: Predicate } | null {
  const byPort = new Map<number, boolean>();
  for (const chain of chains) {
    const port = chain.filterChainMatch?.destinationPort ?? 0;
    byPort.set(port, (byPort.get(port) ?? false) || needs(chain));
  }
  const isUsual = byPort.get(0) === true;
  const others = [...byPort]
    .filter(([port, isNeeded]) => port !== 0 && isNeeded !== isUsual)
    .map(([port]) => port)
    .toSorted((a, b) => a - b);
  if (isUsual) return { disabled: onPorts(others) };
  return others.length === 0 ? null : { disabled: offPorts(others) };
}
