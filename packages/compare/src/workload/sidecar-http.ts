/** The HTTP of a sidecar: its filters, its policy, what it says of itself and what it logs. */
import type { SidecarOptions } from './sidecar.ts';

const TYPE = 'type.googleapis.com/envoy';
/** By which Istio's proxies tell each other of their workloads. */
export const METADATA_HEADERS: readonly string[] = [
  'x-envoy-peer-metadata',
  'x-envoy-peer-metadata-id',
];

/** About as much as Istio's proxies tell each other of a workload: labels, names and versions, encoded. */
export function metadataHeaders({ namespace, trustDomain }: SidecarOptions): object[] {
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
    typed_config: { '@type': `${TYPE}.extensions.filters.http.${name}.v3.${type}`, ...config },
  };
}

export function connectionManager(
  { name, options }: { readonly name: string; readonly options: SidecarOptions },
  virtualHosts: readonly object[],
  filters: readonly object[],
): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      route_config: { virtual_hosts: virtualHosts },
      server_name: 'istio-envoy',
      use_remote_address: false,
      normalize_path: true,
      path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
      stream_idle_timeout: '0s',
      ...(options.engine === 'envoy' && forwardedCertificate(name.startsWith('inbound'))),
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

/** Our engine writes no such header. */
function forwardedCertificate(isInbound: boolean): object {
  if (!isInbound) return { forward_client_cert_details: 'SANITIZE' };
  return {
    forward_client_cert_details: 'APPEND_FORWARD',
    set_current_client_cert_details: { subject: true, dns: true, uri: true },
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

/** Identities of the namespace may use the methods. */
export function rbac(options: SidecarOptions): object {
  const { trustDomain, namespace } = options;
  const inside = { prefix: `spiffe://${trustDomain}/ns/${namespace}/sa/` };
  const principal = { authenticated: { principal_name: inside } };
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
