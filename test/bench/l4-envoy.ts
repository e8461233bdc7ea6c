import {
  HTTP_PORT,
  IDENTITIES,
  IPERF_PORT,
  type PairEnvironment,
  type ProxyPair,
  redirectClient,
  writeCertificate,
  writeConfig,
} from './l4-pair.ts';
import { SERVER_ADDRESS } from './machine.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';
const HTTP_OPTIONS = `${TYPE}.upstreams.http.v3.HttpProtocolOptions`;
/** High enough that only memory limits the number of connections. */
const NO_LIMIT = 1_000_000;
const CIRCUIT_BREAKERS = {
  thresholds: [
    {
      max_connections: NO_LIMIT,
      max_pending_requests: NO_LIMIT,
      max_requests: NO_LIMIT,
    },
  ],
};
const ACCESS_LOG = [
  {
    name: 'envoy.access_loggers.file',
    typed_config: { '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`, path: '/dev/null' },
  },
];

/** Envoy with HBONE: the client's connections are CONNECT streams in one HTTP/2 connection with mutual TLS. */
export function startEnvoyPair(environment: PairEnvironment): ProxyPair {
  const { machine, namespaces, programs } = environment;
  redirectClient(environment);
  const start = (side: 'client' | 'server', resources: object): number => {
    const bootstrap = JSON.stringify({ static_resources: resources });
    const path = writeConfig(machine, `envoy-${side}.json`, bootstrap);
    return machine.start(envoyCommand(programs.paths.get('envoy')!, path), {
      namespace: namespaces[side],
    }).pid!;
  };
  return {
    clientPid: start('client', clientResources(environment)),
    serverPid: start('server', serverResources(environment)),
  };
}

/** Envoy with one worker, silent but for errors. */
export function envoyCommand(program: string, configPath: string): string[] {
  const quiet = ['--log-level', 'error', '--disable-hot-restart'];
  return [program, '-c', configPath, '--concurrency', '1', ...quiet];
}

function address(host: string, port: number): object {
  return { socket_address: { address: host, port_value: port } };
}

function clusterTo(name: string, host: string, port: number): Record<string, unknown> {
  return {
    name,
    type: 'STATIC',
    circuit_breakers: CIRCUIT_BREAKERS,
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(host, port) } }] }],
    },
  };
}

function clientResources(environment: PairEnvironment): object {
  const tunnel = {
    ...clusterTo('tunnel', SERVER_ADDRESS, 15_008),
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': HTTP_OPTIONS,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    transport_socket: transportSocket(environment, 'client'),
  };
  const tcpProxy = {
    '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: 'outbound',
    cluster: 'tunnel',
    access_log: ACCESS_LOG,
    tunneling_config: { hostname: '%DOWNSTREAM_LOCAL_ADDRESS%' },
  };
  const originalDst = {
    name: 'envoy.filters.listener.original_dst',
    typed_config: { '@type': `${TYPE}.filters.listener.original_dst.v3.OriginalDst` },
  };
  const listener = {
    name: 'outbound',
    address: address('0.0.0.0', 15_001),
    listener_filters: [originalDst],
    filter_chains: [{ filters: [{ name: 'tcp', typed_config: tcpProxy }] }],
  };
  return { clusters: [tunnel], listeners: [listener] };
}

function serverResources(environment: PairEnvironment): object {
  const ports = [HTTP_PORT, IPERF_PORT];
  const connectionManager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'inbound',
    http2_protocol_options: { allow_connect: true },
    upgrade_configs: [{ upgrade_type: 'CONNECT' }],
    access_log: ACCESS_LOG,
    route_config: {
      virtual_hosts: ports.map((port) => ({
        name: `to-${port}`,
        domains: [`${SERVER_ADDRESS}:${port}`],
        routes: [
          {
            match: { connect_matcher: {} },
            route: {
              cluster: `application-${port}`,
              timeout: '0s',
              upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }],
            },
          },
        ],
      })),
    },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
      },
    ],
  };
  const listener = {
    name: 'inbound',
    address: address('0.0.0.0', 15_008),
    filter_chains: [
      {
        filters: [{ name: 'http', typed_config: connectionManager }],
        transport_socket: transportSocket(environment, 'server'),
      },
    ],
  };
  return {
    clusters: ports.map((port) => clusterTo(`application-${port}`, '127.0.0.1', port)),
    listeners: [listener],
  };
}

function transportSocket(environment: PairEnvironment, side: 'client' | 'server'): object {
  const { machine, authority } = environment;
  const own = writeCertificate(machine, `envoy-${side}`, authority.issue(IDENTITIES[side]));
  const peer = IDENTITIES[side === 'client' ? 'server' : 'client'];
  const context = side === 'client' ? 'UpstreamTlsContext' : 'DownstreamTlsContext';
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.${context}`,
      ...(side === 'server' && { require_client_certificate: true }),
      common_tls_context: {
        alpn_protocols: ['h2'],
        tls_params: {
          tls_minimum_protocol_version: 'TLSv1_3',
          tls_maximum_protocol_version: 'TLSv1_3',
        },
        tls_certificates: [
          { certificate_chain: { filename: own.chain }, private_key: { filename: own.key } },
        ],
        validation_context: {
          trusted_ca: { filename: own.roots },
          match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: peer } }],
        },
      },
    },
  };
}
