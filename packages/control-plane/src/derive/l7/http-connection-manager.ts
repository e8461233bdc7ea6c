/** Connections as every proxy takes them: what all connection managers have in common, and TCP that is passed on. */
import { CorsSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/cors/v3_pb';
import { HTTPFaultSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/fault/v3_pb';
import { FilterConfigSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/grpc_stats/v3_pb';
import { RouterSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/router/v3_pb';
import {
  HttpConnectionManagerSchema,
  HttpConnectionManager_PathWithEscapedSlashesAction as SlashesAction,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { TcpProxySchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3_pb';
import { UuidRequestIdConfigSchema } from '@aquifer/wire/gen/envoy/extensions/request_id/uuid/v3_pb';
import { EVERY_REQUEST } from './access-log.ts';
import { OVER_ADS } from './ads.ts';
import { type Extension, extension, type Init, packed, seconds } from './packed.ts';

type ManagerInit = Init<typeof HttpConnectionManagerSchema>;

const CORE_FILTERS: readonly Extension[] = [
  extension('envoy.filters.http.grpc_stats', FilterConfigSchema, {
    emitFilterState: true,
    perMethodStatSpecifier: { case: 'statsForAllMethods', value: { value: false } },
  }),
  extension('envoy.filters.http.fault', HTTPFaultSchema),
  extension('envoy.filters.http.cors', CorsSchema),
  extension('envoy.filters.http.router', RouterSchema),
];

/** What an `http_connection_manager` says of its own; its filters run before those that all have. */
export type ConnectionManager = Omit<ManagerInit, 'httpFilters' | 'accessLog'> & {
  readonly statPrefix: string;
  readonly filters?: readonly Extension[];
};

export function connectionManager({ filters = [], ...init }: ConnectionManager): Extension {
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    accessLog: [...EVERY_REQUEST],
    httpFilters: [...filters, ...CORE_FILTERS],
    normalizePath: true,
    pathWithEscapedSlashesAction: SlashesAction.KEEP_UNCHANGED,
    proxy100Continue: true,
    requestIdExtension: {
      typedConfig: packed(UuidRequestIdConfigSchema, { useRequestIdForTraceSampling: true }),
    },
    streamIdleTimeout: seconds(0),
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    useRemoteAddress: false,
    ...init,
  });
}

/** Routes that come over ADS by name. */
export function routesNamed(routeConfigName: string): NonNullable<ManagerInit['routeSpecifier']> {
  return { case: 'rds', value: { configSource: OVER_ADS, routeConfigName } };
}

/** Bytes of a connection as they are, to one cluster, which also names it in statistics. */
export function tcpProxy(name: string, init: Init<typeof TcpProxySchema> = {}): Extension {
  return extension('envoy.filters.network.tcp_proxy', TcpProxySchema, {
    statPrefix: name,
    clusterSpecifier: { case: 'cluster', value: name },
    accessLog: [...EVERY_REQUEST],
    ...init,
  });
}
