/**
 * A real Envoy beside a pod, as near to an Istio sidecar as a stock Envoy comes: in a pod's namespace it takes what the
 * application sends to HTTP ports of the workload's Services and what arrives on their target ports, speaks mutual TLS
 * with the sidecar on the other side, and allows identities of the namespace only. As Istio's default configuration it
 * has the listener filters that find out what a connection speaks, fault, CORS and gRPC statistics before the router,
 * metadata of the workload in headers, the client's certificate forwarded, statistics, and an access log.
 */
import type { ServicePort } from './workload.ts';

/** Name of the container that is a proxy, in every pod that has one. */
export const PROXY_CONTAINER = 'istio-proxy';
/** The user that Envoy runs as; what it sends itself is not redirected again. */
export const SIDECAR_USER = 1337;
/** Where certificate, key and roots are. */
export const SIDECAR_CERTIFICATES = '/etc/certs';

const OUTBOUND_PORT = 15_001;
const INBOUND_PORT = 15_006;
const ADMIN_PORT = 15_000;
const TYPE = 'type.googleapis.com/envoy';
const FILTERS = `${TYPE}.extensions.filters`;
const METADATA_HEADERS = ['x-envoy-peer-metadata', 'x-envoy-peer-metadata-id'];

/** nft program for the pod's namespace. */
export function sidecarRedirection(ports: readonly ServicePort[]): string {
  const set = (numbers: readonly number[]): string => `{ ${[...new Set(numbers)].join(', ')} }`;
  return `table ip aquifer-sidecar {
  chain output {
    type nat hook output priority -100;
    meta skuid != ${SIDECAR_USER} tcp dport ${set(ports.map(({ port }) => port))} redirect to :${OUTBOUND_PORT}
  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    tcp dport ${set(ports.map(({ targetPort }) => targetPort))} redirect to :${INBOUND_PORT}
  }
}
`;
}

export interface SidecarOptions {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly ports: readonly ServicePort[];
  /** Name of the Service that resolves to the pods of another. */
  readonly headlessName: (service: string) => string;
  /** What callers may do. */
  readonly methods: readonly string[];
}

/** Envoy's bootstrap, the same for all pods of a namespace. */
export function sidecarBootstrap(options: SidecarOptions): object {
  const targetPorts = [...new Set(options.ports.map(({ targetPort }) => targetPort))];
  return {
    admin: { address: address('127.0.0.1', ADMIN_PORT) },
    static_resources: {
      clusters: [
        ...options.ports.map((port) => serviceCluster(port, options)),
        ...targetPorts.map((port) => ({
          ...cluster(inboundName(port), 'STATIC', address('127.0.0.1', port)),
          ...limits(),
        })),
      ],
      listeners: [outboundListener(options), inboundListener(options, targetPorts)],
    },
  };
}

function inboundName(port: number): string {
  return `inbound|${port}||`;
}

function outboundName({ service, port }: ServicePort, { namespace }: SidecarOptions): string {
  return `outbound|${port}||${service}.${namespace}.svc.cluster.local`;
}

function identities({ trustDomain, namespace }: SidecarOptions): object {
  return { prefix: `spiffe://${trustDomain}/ns/${namespace}/sa/` };
}

function address(host: string, port: number): object {
  return { socket_address: { address: host, port_value: port } };
}

function cluster(name: string, type: string, endpoint: object): Record<string, unknown> {
  const lb_endpoints = [{ endpoint: { address: endpoint } }];
  return {
    name,
    type,
    connect_timeout: '10s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] },
  };
}

/** As Istio sets them where no DestinationRule does. */
function limits(): object {
  const unlimited = 4_294_967_295;
  return {
    circuit_breakers: {
      thresholds: [
        {
          max_connections: unlimited,
          max_pending_requests: unlimited,
          max_requests: unlimited,
          max_retries: unlimited,
          track_remaining: true,
        },
      ],
    },
  };
}

function serviceCluster(port: ServicePort, options: SidecarOptions): object {
  const host = `${options.headlessName(port.service)}.${options.namespace}.svc.cluster.local`;
  return {
    ...cluster(outboundName(port, options), 'STRICT_DNS', address(host, port.targetPort)),
    ...limits(),
    dns_lookup_family: 'V4_ONLY',
    lb_policy: 'LEAST_REQUEST',
    transport_socket: tls('UpstreamTlsContext', options),
  };
}

function outboundListener(options: SidecarOptions): object {
  const virtualHosts = options.ports.map((port) => ({
    name: `${port.service}.${options.namespace}.svc.cluster.local:${port.port}`,
    domains: domains(port, options.namespace),
    routes: [
      {
        match: { prefix: '/' },
        decorator: {
          operation: `${port.service}.${options.namespace}.svc.cluster.local:${port.port}/*`,
        },
        route: {
          cluster: outboundName(port, options),
          timeout: '0s',
          retry_policy: {
            retry_on: 'connect-failure,refused-stream,unavailable,cancelled',
            num_retries: 2,
          },
        },
      },
    ],
  }));
  const manager = connectionManager('outbound_0.0.0.0', virtualHosts, [], {
    request_headers_to_add: metadataHeaders(options),
    response_headers_to_remove: METADATA_HEADERS,
  });
  return {
    name: 'virtualOutbound',
    address: address('0.0.0.0', OUTBOUND_PORT),
    traffic_direction: 'OUTBOUND',
    listener_filters: [originalDestination(), httpInspector()],
    filter_chains: [{ filters: [manager] }],
  };
}

/** Every name by which a Service is called from its own namespace, with and without its port. */
function domains({ service, port }: ServicePort, namespace: string): string[] {
  const names = ['', `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`];
  return names.flatMap((suffix) => [
    ...(port === 80 ? [`${service}${suffix}`] : []),
    `${service}${suffix}:${port}`,
  ]);
}

function inboundListener(options: SidecarOptions, targetPorts: readonly number[]): object {
  return {
    name: 'virtualInbound',
    address: address('0.0.0.0', INBOUND_PORT),
    traffic_direction: 'INBOUND',
    listener_filters: [originalDestination(), tlsInspector()],
    filter_chains: targetPorts.map((port) => {
      const routes = [
        {
          match: { prefix: '/' },
          decorator: { operation: 'inbound' },
          route: { cluster: inboundName(port), timeout: '0s' },
        },
      ];
      const manager = connectionManager(
        `inbound_0.0.0.0_${port}`,
        [{ name: `inbound|http|${port}`, domains: ['*'], routes }],
        [rbac(options)],
        {
          request_headers_to_remove: METADATA_HEADERS,
          response_headers_to_add: metadataHeaders(options),
        },
      );
      return {
        filter_chain_match: { destination_port: port, transport_protocol: 'tls' },
        filters: [manager],
        transport_socket: tls('DownstreamTlsContext', options),
      };
    }),
  };
}

function listenerFilter(name: string, type: string): object {
  return {
    name: `envoy.filters.listener.${name}`,
    typed_config: { '@type': `${FILTERS}.listener.${name}.v3.${type}` },
  };
}
const originalDestination = (): object => listenerFilter('original_dst', 'OriginalDst');
const httpInspector = (): object => listenerFilter('http_inspector', 'HttpInspector');
const tlsInspector = (): object => listenerFilter('tls_inspector', 'TlsInspector');

/** About as much as Istio's proxies tell each other of a workload: labels, names and versions, encoded. */
function metadataHeaders({ namespace, trustDomain }: SidecarOptions): object[] {
  const about = {
    CLUSTER_ID: 'Kubernetes',
    INSTANCE_IPS: '10.244.1.10',
    ISTIO_VERSION: '1.28.0',
    LABELS: {
      app: 'server',
      'service.istio.io/canonical-name': 'server',
      'service.istio.io/canonical-revision': 'latest',
    },
    MESH_ID: trustDomain,
    NAME: 'server-7d9f8c6b5d-x2x4z',
    NAMESPACE: namespace,
    OWNER: `kubernetes://apis/apps/v1/namespaces/${namespace}/deployments/server`,
    WORKLOAD_NAME: 'server',
  };
  const [metadata = '', id = ''] = METADATA_HEADERS;
  const header = (key: string, value: string) => ({
    header: { key, value },
    append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
  });
  return [
    header(metadata, Buffer.from(JSON.stringify(about)).toString('base64')),
    header(id, `sidecar~10.244.1.10~${about.NAME}.${namespace}~${namespace}.svc.cluster.local`),
  ];
}

function httpFilter(name: string, type: string, config: object = {}): object {
  return {
    name: `envoy.filters.http.${name}`,
    typed_config: { '@type': `${FILTERS}.http.${name}.v3.${type}`, ...config },
  };
}

function connectionManager(
  name: string,
  virtualHosts: readonly object[],
  filters: readonly object[],
  headers: object,
): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      route_config: { virtual_hosts: virtualHosts, ...headers },
      server_name: 'istio-envoy',
      use_remote_address: false,
      normalize_path: true,
      path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
      stream_idle_timeout: '0s',
      forward_client_cert_details: name.startsWith('inbound') ? 'APPEND_FORWARD' : 'SANITIZE',
      ...(name.startsWith('inbound') && {
        set_current_client_cert_details: { subject: true, dns: true, uri: true },
      }),
      http_filters: [
        ...filters,
        httpFilter('grpc_stats', 'FilterConfig', {
          emit_filter_state: true,
          stats_for_all_methods: false,
        }),
        httpFilter('fault', 'HTTPFault'),
        httpFilter('cors', 'Cors'),
        httpFilter('router', 'Router'),
      ],
      access_log: [accessLog()],
    },
  };
}

/** One line a request, with what Istio's default format has. */
function accessLog(): object {
  const format =
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %REQ(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n';
  return {
    name: 'envoy.access_loggers.file',
    typed_config: {
      '@type': `${TYPE}.extensions.access_loggers.file.v3.FileAccessLog`,
      path: '/dev/stdout',
      log_format: { text_format_source: { inline_string: format } },
    },
  };
}

function rbac(options: SidecarOptions): object {
  const principal = { authenticated: { principal_name: identities(options) } };
  const rules = options.methods.map((method) => ({
    header: { name: ':method', string_match: { exact: method } },
  }));
  return httpFilter('rbac', 'RBAC', {
    rules: {
      action: 'ALLOW',
      policies: {
        inside: { permissions: [{ or_rules: { rules } }], principals: [principal] },
      },
    },
  });
}

function tls(
  context: 'UpstreamTlsContext' | 'DownstreamTlsContext',
  options: SidecarOptions,
): object {
  const file = (name: string) => ({ filename: `${SIDECAR_CERTIFICATES}/${name}` });
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.extensions.transport_sockets.tls.v3.${context}`,
      ...(context === 'DownstreamTlsContext' && { require_client_certificate: true }),
      common_tls_context: {
        alpn_protocols:
          context === 'DownstreamTlsContext'
            ? ['h2', 'http/1.1']
            : ['istio-http/1.1', 'istio', 'http/1.1'],
        // The upstream's default maximum is TLS 1.2.
        tls_params: {
          tls_minimum_protocol_version: 'TLSv1_3',
          tls_maximum_protocol_version: 'TLSv1_3',
        },
        tls_certificates: [
          { certificate_chain: file('cert-chain.pem'), private_key: file('key.pem') },
        ],
        validation_context: {
          trusted_ca: file('root-cert.pem'),
          match_typed_subject_alt_names: [{ san_type: 'URI', matcher: identities(options) }],
        },
      },
    },
  };
}
