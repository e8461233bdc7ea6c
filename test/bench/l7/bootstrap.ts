/** Path prefixes of ten routes, in order; the last takes everything. */
export const ROUTES: readonly string[] = [
  ...Array.from({ length: 9 }, (_, index) => `/api${index}`),
  '/',
];
/** Served by the last route but one. */
export const ROUTED = ROUTES.at(-2)!;

/** RBAC policies, by name. */
export type Policies = Readonly<Record<string, object>>;

export interface HttpListener {
  readonly name: string;
  readonly port: number;
  /** Of its origin on 127.0.0.1. */
  readonly originPort: number;
  /** Of the origin; clients may speak both versions. Default 1. */
  readonly version?: 1 | 2;
  /** Path prefixes. Default: `ROUTES`. */
  readonly routes?: readonly string[];
  /** One of them must allow a request. */
  readonly policies: Policies;
}

const TYPE = 'type.googleapis.com/envoy.extensions';
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

const SPEAKS_HTTP2 = {
  typed_extension_protocol_options: {
    [HTTP_OPTIONS]: {
      '@type': `type.googleapis.com/${HTTP_OPTIONS}`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

/** Configuration of Envoy and of our waypoint: routes, policies and an access log for each listener. */
export function l7Bootstrap(listeners: readonly HttpListener[]): object {
  return {
    static_resources: { clusters: listeners.map(cluster), listeners: listeners.map(listener) },
  };
}

/** One policy, which allows requests of one method. */
export function allowing(method: string): Policies {
  const isMethod = { header: { name: ':method', string_match: { exact: method } } };
  return { [`allow-${method}`]: { permissions: [isMethod], principals: [{ any: true }] } };
}

function cluster({ name, originPort, version }: HttpListener): object {
  const lb_endpoints = [{ endpoint: { address: address('127.0.0.1', originPort) } }];
  return {
    name,
    type: 'STATIC',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] },
    ...(version === 2 && SPEAKS_HTTP2),
  };
}

function listener(http: HttpListener): object {
  return {
    name: `to-${http.name}`,
    address: address('0.0.0.0', http.port),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: connectionManager(http),
          },
        ],
      },
    ],
  };
}

function connectionManager({ name, routes = ROUTES, policies }: HttpListener): object {
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
          routes: routes.map((prefix) => ({
            match: { prefix },
            route: { cluster: name, timeout: '15s' },
          })),
        },
      ],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.rbac',
        typed_config: {
          '@type': `${TYPE}.filters.http.rbac.v3.RBAC`,
          rules: { action: 'ALLOW', policies },
        },
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

function address(host: string, port: number): object {
  return { socket_address: { address: host, port_value: port } };
}
