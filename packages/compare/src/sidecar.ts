/**
 * A real Envoy beside a pod, as an Istio sidecar is set up: in a pod's namespace it takes what the application sends
 * to port 80 and what arrives on the application's port, speaks mutual TLS with the sidecar on the other side, and
 * allows the client's identity only.
 */
import { APPLICATION_PORT, SERVICE_PORT } from './ports.ts';

/** The user that Envoy runs as; what it sends itself is not redirected again. */
export const SIDECAR_USER = 1337;
/** Where certificate, key and roots are. */
export const CERTIFICATE_DIRECTORY = '/etc/certs';

const OUTBOUND_PORT = 15_001;
const INBOUND_PORT = 15_006;
const TYPE = 'type.googleapis.com/envoy';
const FILTERS = `${TYPE}.extensions.filters`;

/** nft program for the pod's namespace. */
export const SIDECAR_REDIRECTION: string = `table ip aquifer-sidecar {
  chain output {
    type nat hook output priority -100;
    meta skuid != ${SIDECAR_USER} tcp dport ${SERVICE_PORT} redirect to :${OUTBOUND_PORT}
  }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    tcp dport ${APPLICATION_PORT} redirect to :${INBOUND_PORT}
  }
}
`;

export interface SidecarOptions {
  readonly trustDomain: string;
  readonly namespace: string;
  /** Host name that resolves to the addresses of the server's pods. */
  readonly serverHost: string;
}

/** Envoy's bootstrap, the same for clients and servers, with what Istio's default access log writes. */
export function sidecarBootstrap(options: SidecarOptions): object {
  return {
    static_resources: {
      clusters: [serverCluster(options), applicationCluster()],
      listeners: [outboundListener(), inboundListener(options)],
    },
  };
}

function identity({ trustDomain, namespace }: SidecarOptions, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

function address(host: string, port: number): object {
  return { socket_address: { address: host, port_value: port } };
}

function cluster(name: string, type: string, endpoint: object): Record<string, unknown> {
  const lb_endpoints = [{ endpoint: { address: endpoint } }];
  return { name, type, load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] } };
}

function serverCluster(options: SidecarOptions): object {
  return {
    ...cluster('server', 'STRICT_DNS', address(options.serverHost, APPLICATION_PORT)),
    dns_lookup_family: 'V4_ONLY',
    lb_policy: 'LEAST_REQUEST',
    transport_socket: tls('UpstreamTlsContext', identity(options, 'server')),
  };
}

function applicationCluster(): object {
  return cluster('application', 'STATIC', address('127.0.0.1', APPLICATION_PORT));
}

function outboundListener(): object {
  const manager = connectionManager('outbound', 'server', []);
  return {
    name: 'outbound',
    address: address('0.0.0.0', OUTBOUND_PORT),
    traffic_direction: 'OUTBOUND',
    filter_chains: [{ filters: [manager] }],
  };
}

function inboundListener(options: SidecarOptions): object {
  const manager = connectionManager('inbound', 'application', [rbac(options)]);
  return {
    name: 'inbound',
    address: address('0.0.0.0', INBOUND_PORT),
    traffic_direction: 'INBOUND',
    filter_chains: [
      {
        filters: [manager],
        transport_socket: tls('DownstreamTlsContext', identity(options, 'client')),
      },
    ],
  };
}

function connectionManager(name: string, target: string, filters: readonly object[]): object {
  const routes = [{ match: { prefix: '/' }, route: { cluster: target } }];
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: { '@type': `${FILTERS}.http.router.v3.Router` },
  };
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
      http_filters: [...filters, router],
      access_log: [
        {
          name: 'envoy.access_loggers.file',
          typed_config: {
            '@type': `${TYPE}.extensions.access_loggers.file.v3.FileAccessLog`,
            path: '/dev/null',
          },
        },
      ],
    },
  };
}

function rbac(options: SidecarOptions): object {
  const principal = { authenticated: { principal_name: { exact: identity(options, 'client') } } };
  const isGet = { header: { name: ':method', string_match: { exact: 'GET' } } };
  return {
    name: 'envoy.filters.http.rbac',
    typed_config: {
      '@type': `${FILTERS}.http.rbac.v3.RBAC`,
      rules: {
        action: 'ALLOW',
        policies: { client: { permissions: [isGet], principals: [principal] } },
      },
    },
  };
}

function tls(context: 'UpstreamTlsContext' | 'DownstreamTlsContext', peer: string): object {
  const file = (name: string) => ({ filename: `${CERTIFICATE_DIRECTORY}/${name}` });
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.extensions.transport_sockets.tls.v3.${context}`,
      ...(context === 'DownstreamTlsContext' && { require_client_certificate: true }),
      common_tls_context: {
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
          match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: peer } }],
        },
      },
    },
  };
}
