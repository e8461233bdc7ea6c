/** Path prefixes of the ten routes, in order; the last takes everything. */
export const ROUTES: readonly string[] = [
  ...Array.from({ length: 9 }, (_, index) => `/api${index}`),
  '/',
];

export interface L7Ports {
  readonly listen: number;
  /** On 127.0.0.1. */
  readonly origin: number;
}

const TYPE = 'type.googleapis.com/envoy.extensions';

/** Configuration of Envoy and of our waypoint: ten routes, one policy that allows GET, an access log. */
export function l7Bootstrap({ listen, origin }: L7Ports): object {
  const lb_endpoints = [{ endpoint: { address: address('127.0.0.1', origin) } }];
  const cluster = {
    name: 'origin',
    type: 'STATIC',
    load_assignment: { cluster_name: 'origin', endpoints: [{ lb_endpoints }] },
  };
  const listener = {
    name: 'inbound',
    address: address('0.0.0.0', listen),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: connectionManager(),
          },
        ],
      },
    ],
  };
  return { static_resources: { clusters: [cluster], listeners: [listener] } };
}

function connectionManager(): object {
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
            route: { cluster: 'origin', timeout: '15s' },
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
