/** Filter chains of `main_internal`: one for each port and kind of traffic, two for workloads (recordings l7/01, 23). */
import type { FilterChainSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { ConfigSchema as FilterStateSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/set_filter_state/v3_pb';
import type { ProxyTelemetry } from '../telemetry/proxy-telemetry.ts';
import { authorizationFilters, type Judges } from './authorization.ts';
import { OF_DIRECT_CONNECTION } from './filter-state.ts';
import { connectionManager, tcpProxy } from './http-connection-manager.ts';
import { ENCAP, inboundCluster } from './names.ts';
import { type Extension, extension, type Init } from './packed.ts';
import { type L7Port, speaks } from './port-protocol.ts';
import { defaultRoutes, serviceRoutes } from './routes.ts';
import type { ServiceScope } from './scope.ts';
import { NAMES_FILTER } from './service-clusters.ts';
import { statsFilters } from './stats-filter.ts';
import { serviceTcpProxy } from './tcp-proxy.ts';

export type ChainInit = Init<typeof FilterChainSchema>;
type RouteConfigInit = Init<typeof RouteConfigurationSchema>;

/** Clients come through tunnels. */
const TUNNEL = 'tunnel';

/** Chains of workload traffic, by what is sniffed. */
export const DIRECT_CHAINS = { http: 'direct-http', tcp: 'direct-tcp' } as const;

/** Workload traffic is not told apart by port. */
const ANY_PORT: L7Port = { port: 0, protocol: 'unknown' };

function httpFilter(
  { port, protocol }: L7Port,
  routes: RouteConfigInit,
  { judges, telemetry }: ChainScope,
  lookups: readonly Extension[] = [],
): Extension {
  return connectionManager({
    statPrefix: `inbound_0.0.0.0_${port};`,
    serverName: 'istio-envoy',
    ...(protocol === 'http2' && { http2ProtocolOptions: {} }),
    telemetry,
    routeSpecifier: { case: 'routeConfig', value: routes },
    filters: [...authorizationFilters(judges, { protocol: 'http', peer: TUNNEL }), ...lookups],
  });
}

/** The chains of one port of a service; each is named as the cluster that it leads to. */
export function portChains(port: L7Port, scope: ServiceScope): ChainInit[] {
  const { service, judges, telemetry } = scope;
  const kinds = (['tcp', 'http'] as const).filter((kind) => speaks(port, kind));
  return kinds.map((kind) => {
    const name = inboundCluster(kind, port.port, service.hostname);
    if (kind === 'tcp') {
      const proxy = serviceTcpProxy(name, port.port, scope);
      return {
        name,
        filters: [
          ...authorizationFilters(judges, { protocol: 'tcp', peer: TUNNEL }),
          ...statsFilters(telemetry.metrics),
          proxy,
        ],
      };
    }
    const routes = serviceRoutes(name, port.port, scope);
    const lookups = service.resolution === 'dynamic-dns' ? [NAMES_FILTER] : [];
    return { name, filters: [httpFilter(port, routes, scope, lookups)] };
  });
}

/** What holds on a chain, and what it tells. */
export interface ChainScope {
  readonly judges: Judges;
  readonly telemetry: ProxyTelemetry;
}

/** Traffic to workloads goes on to where it was sent; only policies of the whole waypoint hold for it. */
export function directChains(scope: ChainScope): ChainInit[] {
  const { judges, telemetry } = scope;
  const authority = extension('connect_authority', FilterStateSchema, {
    onNewConnection: [...OF_DIRECT_CONNECTION],
  });
  const routes = defaultRoutes(ENCAP, ANY_PORT.port, {
    cluster: ENCAP,
    hostname: '',
    hash: null,
  });
  return [
    {
      name: DIRECT_CHAINS.tcp,
      filters: [
        authority,
        ...authorizationFilters(judges, { protocol: 'tcp', peer: TUNNEL }),
        ...statsFilters(telemetry.metrics),
        tcpProxy(ENCAP, telemetry),
      ],
    },
    {
      name: DIRECT_CHAINS.http,
      filters: [authority, httpFilter(ANY_PORT, routes, scope)],
    },
  ];
}
