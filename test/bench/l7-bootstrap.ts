/** Path prefixes of the ten routes, in order; the last takes everything. */
export const ROUTES: readonly string[] = [
  ...Array.from({ length: 9 }, (_, index) => `/api${index}`),
  '/',
];

/** Of a proxy and of its origin, for one version of HTTP. The origin is on 127.0.0.1. */
export interface L7Ports {
  readonly listen: number;
  readonly origin: number;
}

const TYPE = 'type.googleapis.com/envoy.extensions';

const HTTP2_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/**
 * Configuration of Envoy and of our waypoint: ten routes, one policy that allows GET, an access log; the same once more
 * for HTTP/2 on both sides.
 */
export function l7Bootstrap(http1: L7Ports, http2: L7Ports): object {
  const speaksHttp2 = {
    typed_extension_protocol_options: {
      [HTTP2_OPTIONS]: {
        '@type': `type.googleapis.com/${HTTP2_OPTIONS}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  return {
    static_resources: {
      clusters: [cluster('origin', http1), { ...cluster('origin-http2', http2), ...speaksHttp2 }],
      listeners: [listener('origin', http1), listener('origin-http2', http2)],
    },
  };
}

function cluster(name: string, { origin }: L7Ports): object {
  const lb_endpoints = [{ endpoint: { address: address('127.0.0.1', origin) } }];
  return {
    name,
    type: 'STATIC',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] },
  };
}

function listener(to: string, { listen }: L7Ports): object {
  return {
    name: `to-${to}`,
    address: address('0.0.0.0', listen),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: connectionManager(to),
          },
        ],
      },
    ],
  };
}

function connectionManager(cluster: string): object {
  return {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'inbound',
    normalize_path: true,
    route_config: {
      name: 'routes',
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: ROUTES.map((prefix) => ({
            match: { prefix },
            route: { cluster, timeout: '15s' },
          })),
        },
      ],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.rbac',
        typed_config: { '@type': `${TYPE}.filters.http.rbac.v3.RBAC`, rules: allowGet() },
      },
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
      },
    ],
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: {
          '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`,
          path: '/dev/stdout',
        },
      },
    ],
  };
}

function allowGet(): object {
  const isGet = { header: { name: ':method', string_match: { exact: 'GET' } } };
  return {
    action: 'ALLOW',
    policies: { 'allow-get': { permissions: [isGet], principals: [{ any: true }] } },
  };
}

function address(host: string, port: number): object {
  return { socket_address: { address: host, port_value: port } };
}
