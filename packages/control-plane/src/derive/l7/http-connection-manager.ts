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
import type { ProxyTelemetry } from '../telemetry/proxy-telemetry.ts';
import { everyRequest } from './access-log.ts';
import { OVER_ADS } from './ads.ts';
import { FAULT_FILTER } from './envoy-filters.ts';
import { type Extension, extension, type Init, packed, seconds } from './packed.ts';
import { statsFilters } from './stats-filter.ts';
import { tracingConfig } from './tracing.ts';

type ManagerInit = Init<typeof HttpConnectionManagerSchema>;

const CORE_FILTERS: readonly Extension[] = [
  extension('envoy.filters.http.grpc_stats', FilterConfigSchema, {
    emitFilterState: true,
    perMethodStatSpecifier: { case: 'statsForAllMethods', value: { value: false } },
  }),
  extension(FAULT_FILTER, HTTPFaultSchema),
  extension('envoy.filters.http.cors', CorsSchema),
];
const ROUTER = extension('envoy.filters.http.router', RouterSchema);

/** What an `http_connection_manager` says of its own; its filters run before those that all have. */
export type ConnectionManager = Omit<ManagerInit, 'httpFilters' | 'accessLog' | 'tracing'> & {
  readonly statPrefix: string;
  readonly telemetry: ProxyTelemetry;
  readonly filters?: readonly Extension[];
};

export function connectionManager({
  filters = [],
  telemetry,
  ...init
}: ConnectionManager): Extension {
  const { tracing, metrics } = telemetry;
  const useRequestIdForTraceSampling = tracing?.sampledBy !== 'chance';
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    accessLog: everyRequest(telemetry),
    ...(tracing !== null && { tracing: tracingConfig(tracing) }),
    httpFilters: [...filters, ...CORE_FILTERS, ...statsFilters(metrics), ROUTER],
    normalizePath: true,
    pathWithEscapedSlashesAction: SlashesAction.KEEP_UNCHANGED,
    proxy100Continue: true,
    requestIdExtension: {
      typedConfig: packed(UuidRequestIdConfigSchema, { useRequestIdForTraceSampling }),
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
export function tcpProxy(
  name: string,
  telemetry: Pick<ProxyTelemetry, 'logs'>,
  init: Init<typeof TcpProxySchema> = {},
): Extension {
  return extension('envoy.filters.network.tcp_proxy', TcpProxySchema, {
    statPrefix: name,
    clusterSpecifier: { case: 'cluster', value: name },
    accessLog: everyRequest(telemetry),
    ...init,
  });
}

/** What tells nothing. */
export const SILENT: Pick<ProxyTelemetry, 'logs'> = { logs: [] };
