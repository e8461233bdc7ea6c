/** Listeners of gateways as Envoy takes them (recordings l7/19 to 21). */
import { TrafficDirection } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { type Listener, ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { HttpConnectionManager_ForwardClientCertDetails as ForwardDetails } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { create } from '@bufbuild/protobuf';
import { namespaceOf } from '../../object.ts';
import { isFor, type RuleAudience } from '../../routing/virtual-service-match.ts';
import type { ProxyTelemetry } from '../../telemetry/proxy-telemetry.ts';
import { noRoute } from '../access-log.ts';
import { authorizationFilters, type Judges } from '../authorization.ts';
import type { ChainInit } from '../filter-chains.ts';
import { connectionManager, routesNamed } from '../http-connection-manager.ts';
import { socketAddress, tlsInspector } from '../listener-parts.ts';
import type { Extension } from '../packed.ts';
import type { RouteClient } from '../sidecar/host-routes.ts';
import { cidrRange, HANDSHAKE, tcpFilter } from '../sidecar/listeners.ts';
import { chainOf } from '../sidecar/tcp-chains.ts';
import { serverTls } from './downstream-tls.ts';
import { common, followedAt, sharedHosts } from './hosts.ts';
import type { GatewayPort, GatewayServer } from './servers.ts';

/** A gateway, what it asks of clients, and what it tells. */
export interface GatewayClient extends RouteClient {
  readonly judges: Judges;
  readonly telemetry: ProxyTelemetry;
}

/** Null where no rule says what becomes of connections. */
export function gatewayListener(port: GatewayPort, client: GatewayClient): Listener | null {
  const { address, number } = port;
  const name = `${address}_${number}`;
  const [first] = port.servers;
  const filterChains =
    first?.kind === 'http'
      ? [httpChain(first, name, client)]
      : distinct(port.servers.flatMap((server) => chainsOf(server, name, client)));
  if (filterChains.length === 0) return null;
  const looksAtTls = filterChains.some(
    ({ filterChainMatch, transportSocket }) =>
      transportSocket !== undefined || (filterChainMatch?.serverNames ?? []).length > 0,
  );
  return create(ListenerSchema, {
    name,
    address: socketAddress(address, number),
    accessLog: noRoute(client.telemetry),
    trafficDirection: TrafficDirection.OUTBOUND,
    maxConnectionsToAcceptPerSocketEvent: 1,
    filterChains,
    listenerFilters: looksAtTls ? [tlsInspector()] : [],
  });
}

/** Envoy refuses a listener of which two chains take the same. */
function distinct(chains: readonly ChainInit[]): ChainInit[] {
  const seen = new Set<string>();
  return chains.filter(({ filterChainMatch }) => {
    const text = JSON.stringify(filterChainMatch ?? {});
    return !seen.has(text) && seen.add(text);
  });
}

function chainsOf(server: GatewayServer, name: string, client: GatewayClient): ChainInit[] {
  switch (server.kind) {
    case 'http':
    case 'https':
      return [{ ...terminated(server, true), ...httpChain(server, name, client) }];
    case 'tls':
      if (server.ruledBy === 'routes') return endedChains(server, client);
      return tcpFilters(server, client).map((filter) => ({
        ...terminated(server, false),
        ...tcpChain(filter, client),
      }));
    case 'tcp':
      return tcpFilters(server, client).map((filter) => tcpChain(filter, client));
    case 'passed':
      return passedChains(server, client);
  }
}

function chain(filters: readonly Extension[]): ChainInit {
  return { filters: [...filters], transportSocketConnectTimeout: HANDSHAKE };
}

function tcpChain(filter: Extension, { judges }: GatewayClient): ChainInit {
  return chain([...authorizationFilters(judges, { protocol: 'tcp', peer: 'connection' }), filter]);
}

/** Any client may say who it is; the gateway says who it found. */
function httpChain(
  { routes }: GatewayServer,
  listener: string,
  { judges, telemetry }: GatewayClient,
): ChainInit {
  return chain([
    connectionManager({
      telemetry,
      statPrefix: `outbound_${listener};`,
      routeSpecifier: routesNamed(routes ?? ''),
      useRemoteAddress: true,
      forwardClientCertDetails: ForwardDetails.SANITIZE_SET,
      setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true },
      httpProtocolOptions: {},
      serverName: 'istio-envoy',
      filters: authorizationFilters(judges, { protocol: 'http', peer: 'connection' }),
    }),
  ]);
}

function terminated({ hosts, tls }: GatewayServer, isHttp: boolean): ChainInit {
  const names = hosts.map(({ name }) => name);
  return {
    ...(tls !== null && { transportSocket: serverTls(tls, isHttp) }),
    ...(!names.includes('*') && { filterChainMatch: { serverNames: [...new Set(names)].sort() } }),
  };
}

function audienceOf({ gateway, number }: GatewayServer, { view }: RouteClient): RuleAudience {
  return { port: number, gateways: [gateway], namespace: view.namespace, labels: null };
}

/** The first route that holds. */
function tcpFilters(server: GatewayServer, client: GatewayClient): Extension[] {
  for (const service of followedAt(server, client)) {
    if (sharedHosts(server, service, client.mesh).length === 0) continue;
    const route = service.spec?.tcp?.find(({ match = [{}] }) =>
      match.some((block) => isFor(block, audienceOf(server, client), namespaceOf(service))),
    );
    if (route !== undefined) {
      return [tcpFilter(chainOf(route, service, clientAt(server, client)), client.telemetry)];
    }
  }
  return [];
}

/** Of a listener that ends TLS: by the names of each route, the oldest first. */
function endedChains(server: GatewayServer, client: GatewayClient): ChainInit[] {
  return followedAt(server, client).flatMap((service) => {
    const names = sharedHosts(server, service, client.mesh);
    const [route] = service.spec?.tcp ?? [];
    if (names.length === 0 || route === undefined) return [];
    const hosts = names.map((name) => ({ namespace: '*', name }));
    return [
      {
        ...terminated({ ...server, hosts }, false),
        ...tcpChain(
          tcpFilter(chainOf(route, service, clientAt(server, client)), client.telemetry),
          client,
        ),
      },
    ];
  });
}

/** By the names that clients ask for. */
function passedChains(server: GatewayServer, client: GatewayClient): ChainInit[] {
  return followedAt(server, client).flatMap((service) => {
    const shared = sharedHosts(server, service, client.mesh);
    return (service.spec?.tls ?? []).flatMap((route) =>
      route.match
        .filter((block) => isFor(block, audienceOf(server, client), namespaceOf(service)))
        .flatMap(({ sniHosts, destinationSubnets = [] }) => {
          const names = common(shared, sniHosts);
          if (names.length === 0) return [];
          const serverNames = names.includes('*') ? [] : [...names];
          return {
            filterChainMatch: { serverNames, prefixRanges: destinationSubnets.map(cidrRange) },
            ...tcpChain(
              tcpFilter(chainOf(route, service, clientAt(server, client)), client.telemetry),
              client,
            ),
          };
        }),
    );
  });
}

function clientAt({ number }: GatewayServer, client: RouteClient) {
  return { client, port: { number } };
}
