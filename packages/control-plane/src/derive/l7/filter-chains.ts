/** Filter chains of `main_internal`: one for each port and kind of traffic, two for workloads (recordings l7/01, 23). */
import type { FilterChainSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { CorsSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/cors/v3_pb';
import { HTTPFaultSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/fault/v3_pb';
import { FilterConfigSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/grpc_stats/v3_pb';
import { RouterSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/router/v3_pb';
import {
  HttpConnectionManagerSchema,
  HttpConnectionManager_PathWithEscapedSlashesAction as SlashesAction,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { ConfigSchema as FilterStateSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/set_filter_state/v3_pb';
import { UuidRequestIdConfigSchema } from '@aquifer/wire/gen/envoy/extensions/request_id/uuid/v3_pb';
import { EVERY_REQUEST } from './access-log.ts';
import { authorizationFilters } from './authorization.ts';
import { OF_DIRECT_CONNECTION } from './filter-state.ts';
import { ENCAP, inboundCluster } from './names.ts';
import { type Extension, extension, type Init, packed, seconds } from './packed.ts';
import { type L7Port, speaks } from './port-protocol.ts';
import { defaultRoutes, serviceRoutes } from './routes.ts';
import type { ServiceScope } from './scope.ts';
import { serviceTcpProxy, tcpProxy } from './tcp-proxy.ts';

export type ChainInit = Init<typeof FilterChainSchema>;
type RouteConfigInit = Init<typeof RouteConfigurationSchema>;
type Security = Pick<ServiceScope, 'policies' | 'tokens'>;

/** Chains of workload traffic, by what is sniffed. */
export const DIRECT_CHAINS = { http: 'direct-http', tcp: 'direct-tcp' } as const;

/** Workload traffic is not told apart by port. */
const ANY_PORT: L7Port = { port: 0, protocol: 'unknown' };

const CORE_FILTERS: readonly Extension[] = [
  extension('envoy.filters.http.grpc_stats', FilterConfigSchema, {
    emitFilterState: true,
    perMethodStatSpecifier: { case: 'statsForAllMethods', value: { value: false } },
  }),
  extension('envoy.filters.http.fault', HTTPFaultSchema),
  extension('envoy.filters.http.cors', CorsSchema),
  extension('envoy.filters.http.router', RouterSchema),
];

function connectionManager(
  { port, protocol }: L7Port,
  routes: RouteConfigInit,
  { policies, tokens }: Security,
): Extension {
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    statPrefix: `inbound_0.0.0.0_${port};`,
    serverName: 'istio-envoy',
    ...(protocol === 'http2' && { http2ProtocolOptions: {} }),
    accessLog: [...EVERY_REQUEST],
    routeSpecifier: { case: 'routeConfig', value: routes },
    httpFilters: [...tokens.filters, ...authorizationFilters(policies, 'http'), ...CORE_FILTERS],
    normalizePath: true,
    pathWithEscapedSlashesAction: SlashesAction.KEEP_UNCHANGED,
    proxy100Continue: true,
    requestIdExtension: {
      typedConfig: packed(UuidRequestIdConfigSchema, { useRequestIdForTraceSampling: true }),
    },
    streamIdleTimeout: seconds(0),
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    useRemoteAddress: false,
  });
}

/** The chains of one port of a service; each is named as the cluster that it leads to. */
export function portChains(port: L7Port, scope: ServiceScope): ChainInit[] {
  const { service, policies } = scope;
  const kinds = (['tcp', 'http'] as const).filter((kind) => speaks(port, kind));
  return kinds.map((kind) => {
    const name = inboundCluster(kind, port.port, service.hostname);
    if (kind === 'tcp') {
      const proxy = serviceTcpProxy(name, port.port, scope);
      return { name, filters: [...authorizationFilters(policies, 'tcp'), proxy] };
    }
    const routes = serviceRoutes(name, port.port, scope);
    return { name, filters: [connectionManager(port, routes, scope)] };
  });
}

/** Traffic to workloads goes on to where it was sent; only policies of the whole waypoint hold for it. */
export function directChains(security: Security): ChainInit[] {
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
      filters: [authority, ...authorizationFilters(security.policies, 'tcp'), tcpProxy(ENCAP, {})],
    },
    {
      name: DIRECT_CHAINS.http,
      filters: [authority, connectionManager(ANY_PORT, routes, security)],
    },
  ];
}
