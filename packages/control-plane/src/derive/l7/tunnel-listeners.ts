/** The listeners at both ends of a waypoint: HBONE in, HBONE out (spec control-plane 6.1; recording l7/01). */
import { type Listener, ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouterSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/router/v3_pb';
import { ConfigSchema as HttpFilterStateSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/set_filter_state/v3_pb';
import { OriginalDstSchema } from '@aquifer/wire/gen/envoy/extensions/filters/listener/original_dst/v3_pb';
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardCert,
  HttpConnectionManagerSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { TcpProxySchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3_pb';
import { create } from '@bufbuild/protobuf';
import type { ProxyTelemetry } from '../telemetry/proxy-telemetry.ts';
import { noRoute, refusedConnect, upstreamFailure } from './access-log.ts';
import { OF_TUNNEL } from './filter-state.ts';
import { socketAddress } from './listener-parts.ts';
import { terminatingTls } from './mutual-tls.ts';
import { CONNECT_ORIGINATE, CONNECT_TERMINATE, MAIN_INTERNAL } from './names.ts';
import { type Extension, extension, seconds } from './packed.ts';

type Logs = Pick<ProxyTelemetry, 'logs'>;

const HBONE_PORT = 15_008;
const MAX_STREAMS = 100;
const KEEPALIVE_INTERVAL_S = 10;
const KEEPALIVE_TIMEOUT_S = 20;

/** Finds the original destination in the filter state that the tunnel left. */
export const ORIGINAL_DST_FILTER: Extension = extension(
  'envoy.filters.listener.original_dst',
  OriginalDstSchema,
);

/** Terminates HBONE from any identity of the trust domain and hands every CONNECT to `main_internal`. */
export function connectTerminate(trustDomain: string, telemetry: Logs): Listener {
  return create(ListenerSchema, {
    name: CONNECT_TERMINATE,
    address: socketAddress('0.0.0.0', HBONE_PORT),
    accessLog: noRoute(telemetry),
    connectionBalanceConfig: { balanceType: { case: 'exactBalance', value: {} } },
    filterChains: [
      {
        name: 'default',
        transportSocket: terminatingTls(trustDomain),
        filters: [tunnelConnectionManager(telemetry)],
      },
    ],
  });
}

function tunnelConnectionManager(telemetry: Logs): Extension {
  const connect = {
    match: { pathSpecifier: { case: 'connectMatcher' as const, value: {} } },
    action: {
      case: 'route' as const,
      value: {
        clusterSpecifier: { case: 'cluster' as const, value: MAIN_INTERNAL },
        upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }],
      },
    },
  };
  return extension('envoy.filters.network.http_connection_manager', HttpConnectionManagerSchema, {
    statPrefix: 'connect_terminate',
    serverName: 'istio-envoy',
    accessLog: refusedConnect(telemetry),
    forwardClientCertDetails: ForwardCert.APPEND_FORWARD,
    setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
    useRemoteAddress: false,
    streamIdleTimeout: seconds(0),
    upgradeConfigs: [{ upgradeType: 'CONNECT' }],
    http2ProtocolOptions: {
      allowConnect: true,
      maxConcurrentStreams: MAX_STREAMS,
      connectionKeepalive: {
        interval: seconds(KEEPALIVE_INTERVAL_S),
        timeout: seconds(KEEPALIVE_TIMEOUT_S),
      },
    },
    httpFilters: [
      extension('connect_authority', HttpFilterStateSchema, { onRequestHeaders: [...OF_TUNNEL] }),
      extension('envoy.filters.http.router', RouterSchema),
    ],
    routeSpecifier: {
      case: 'routeConfig',
      value: {
        name: 'default',
        virtualHosts: [{ name: 'default', domains: ['*'], routes: [connect] }],
      },
    },
  });
}

/** Opens a tunnel to wherever the internal connection was going. */
export function connectOriginateListener(telemetry: Logs): Listener {
  return create(ListenerSchema, {
    name: CONNECT_ORIGINATE,
    accessLog: noRoute(telemetry),
    listenerSpecifier: { case: 'internalListener', value: {} },
    listenerFilters: [ORIGINAL_DST_FILTER],
    useOriginalDst: false,
    filterChains: [
      {
        filters: [
          extension('envoy.filters.network.tcp_proxy', TcpProxySchema, {
            statPrefix: CONNECT_ORIGINATE,
            clusterSpecifier: { case: 'cluster', value: CONNECT_ORIGINATE },
            tunnelingConfig: { hostname: '%DOWNSTREAM_LOCAL_ADDRESS%' },
            accessLog: upstreamFailure(telemetry),
          }),
        ],
      },
    ],
  });
}
