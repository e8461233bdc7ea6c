/**
 * What a proxy beside a pod is told, as near to an Istio sidecar as a stock Envoy comes: in a pod's namespace it takes what
 * the application sends to HTTP ports of the workload's Services and what arrives on their target ports, speaks mutual TLS
 * with the sidecar on the other side, and allows identities of the namespace only. As Istio's default configuration it
 * has the listener filters that find out what a connection speaks, fault, CORS and gRPC statistics before the router,
 * metadata of the workload in headers, the client's certificate forwarded, statistics, and an access log.
 */
import { inboundPort, OUTBOUND_PORT, type SidecarOptions, targetPorts } from './sidecar.ts';
import { connectionManager, METADATA_HEADERS, metadataHeaders, rbac } from './sidecar-http.ts';
import { sidecarTls } from './sidecar-tls.ts';
import type { ServicePort } from './workload.ts';

const ADMIN_PORT = 15_000;
const FILTERS = 'type.googleapis.com/envoy.extensions.filters';

/** A bootstrap of Envoy, the same for all pods of a namespace. */
export function sidecarBootstrap(options: SidecarOptions): object {
  const ports = targetPorts(options.ports);
  return {
    admin: { address: address('127.0.0.1', ADMIN_PORT) },
    static_resources: {
      clusters: [
        ...options.ports.map((port) => serviceCluster(port, options)),
        ...ports.map((port) => ({
          ...cluster(inboundName(port), 'STATIC', address('127.0.0.1', port)),
          ...limits(),
        })),
      ],
      listeners: [outboundListener(options), ...inboundListeners(options, ports)],
    },
  };
}

function inboundName(port: number): string {
  return `inbound|${port}||`;
}

function outboundName({ service, port }: ServicePort, { namespace }: SidecarOptions): string {
  return `outbound|${port}||${service}.${namespace}.svc.cluster.local`;
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
    transport_socket: sidecarTls('upstream', options),
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
        request_headers_to_add: metadataHeaders(options),
        response_headers_to_remove: METADATA_HEADERS,
      },
    ],
  }));
  const manager = connectionManager({ name: 'outbound_0.0.0.0', options }, virtualHosts, []);
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

/** Envoy chooses a chain by the port that a connection was going to. */
function inboundListeners(options: SidecarOptions, ports: readonly number[]): object[] {
  const { engine } = options;
  const listener = (name: string, port: number, filter_chains: readonly object[]): object => ({
    name,
    address: address('0.0.0.0', port),
    traffic_direction: 'INBOUND',
    listener_filters: [originalDestination(), tlsInspector()],
    filter_chains,
  });
  if (engine === 'aquifer') {
    return ports.map((port, i) =>
      listener(`inbound_${port}`, inboundPort(engine, i), [inboundChain(port, options)]),
    );
  }
  const chains = ports.map((port) => ({
    filter_chain_match: { destination_port: port, transport_protocol: 'tls' },
    ...inboundChain(port, options),
  }));
  return [listener('virtualInbound', inboundPort(engine, 0), chains)];
}

function inboundChain(port: number, options: SidecarOptions): object {
  const routes = [
    {
      match: { prefix: '/' },
      decorator: { operation: 'inbound' },
      route: { cluster: inboundName(port), timeout: '0s' },
      request_headers_to_remove: METADATA_HEADERS,
      response_headers_to_add: metadataHeaders(options),
    },
  ];
  const manager = connectionManager(
    { name: `inbound_0.0.0.0_${port}`, options },
    [{ name: `inbound|http|${port}`, domains: ['*'], routes }],
    [rbac(options)],
  );
  return { filters: [manager], transport_socket: sidecarTls('downstream', options) };
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
