import {
  booleanKey,
  type ConfigKeys,
  choiceKey,
  durationKey,
  parsedKey,
  portKey,
  stringKey,
} from '@aquifer/runtime';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What the control plane is told at its start. An alias, because `/debug/config` takes it as a record of anything. */
export type ControlPlaneConfig = {
  readonly systemNamespace: string;
  readonly isWaypointAllowed: boolean;
  readonly podName: string;
  readonly leaseDurationMs: number;
  readonly clusterId: string;
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly revision: string;
  readonly excludeNamespaces: string;
  readonly trustedNodeAccounts: string;
  readonly authorityDirectory: string;
  readonly isAuthority: boolean;
  readonly caAddress: string;
  readonly isTrustBundlePublished: boolean;
  readonly servingCertificate: string;
  readonly servingKey: string;
  readonly servingRoots: string;
  readonly externalAuthority: 'none' | 'ISTIOD_RA_KUBERNETES_API';
  readonly kubernetesSigner: string;
  readonly externalRoots: string;
  readonly defaultTtlMs: number;
  readonly maxTtlMs: number;
  readonly debounceAfterMs: number;
  readonly debounceMaxMs: number;
  readonly waypointImage: string;
  readonly imagePullSecrets: readonly string[];
  readonly gatewayImage: string;
  readonly isXdsAuthRequired: boolean;
  readonly bindAddress: string;
  readonly grpcPort: number;
  readonly secureGrpcPort: number;
  readonly monitoringPort: number;
  readonly probePort: number;
  readonly webhookPort: number;
  readonly logFormat: 'plain' | 'json';
  readonly logLevels: string;
};

/** Every environment variable that the control plane reads; names are Istio's where Istio has one. */
export const CONTROL_PLANE_KEYS: ConfigKeys<ControlPlaneConfig> = {
  systemNamespace: stringKey(
    'POD_NAMESPACE',
    'Namespace of the control plane and of its Secrets.',
    {
      default: 'istio-system',
    },
  ),
  podName: stringKey(
    'POD_NAME',
    'Name under which the lease is held that lets one control plane write; empty makes one up.',
    { default: '' },
  ),
  leaseDurationMs: durationKey(
    'LEASE_DURATION',
    'After so long without a sign of life of the control plane that writes, another one does.',
    { default: 9000 },
  ),
  clusterId: stringKey('CLUSTER_ID', 'Id of the cluster, first part of every workload uid.', {
    default: 'Kubernetes',
  }),
  clusterDomain: stringKey('CLUSTER_DOMAIN', 'DNS suffix of the cluster.', {
    default: 'cluster.local',
  }),
  trustDomain: stringKey(
    'TRUST_DOMAIN',
    'Trust domain of every identity, unless the configuration of the mesh names one.',
    { default: 'cluster.local' },
  ),
  revision: stringKey('REVISION', 'Revision name, written on what the control plane creates.', {
    default: 'default',
  }),
  excludeNamespaces: stringKey(
    'EXCLUDE_NAMESPACES',
    'Namespaces whose pods are never captured; comma list.',
    { default: 'kube-system' },
  ),
  trustedNodeAccounts: stringKey(
    'CA_TRUSTED_NODE_ACCOUNTS',
    'Service accounts (namespace/name) of node proxies, which may ask for certificates of the pods of their node; comma list.',
    { default: 'istio-system/ztunnel' },
  ),
  authorityDirectory: stringKey(
    'ROOT_CA_DIR',
    "The authority's files, as Secret cacerts has them, when they are mounted; read again when they change. Without them the Secret is read from the API.",
    { default: './etc/cacerts' },
  ),
  isAuthority: booleanKey(
    'ENABLE_CA_SERVER',
    'Whether the control plane signs certificates; with false proxies ask another authority, such as istio-csr.',
    { default: true },
  ),
  caAddress: stringKey(
    'CA_ADDRESS',
    'host:port of the authority that waypoints ask for certificates; empty is the control plane.',
    { default: '' },
  ),
  isTrustBundlePublished: booleanKey(
    'ENABLE_CLUSTER_TRUST_BUNDLE_API',
    'Whether the roots are also a ClusterTrustBundle (certificates.k8s.io/v1beta1) of signer istio.io/istiod-ca.',
    { default: false },
  ),
  servingCertificate: stringKey(
    'TLS_CERT_FILE',
    'With ENABLE_CA_SERVER=false: the certificate of the TLS ports, with what is between it and a root; read again when it changes.',
    { default: './var/run/secrets/istiod/tls/tls.crt' },
  ),
  servingKey: stringKey('TLS_KEY_FILE', 'The key of that certificate.', {
    default: './var/run/secrets/istiod/tls/tls.key',
  }),
  servingRoots: stringKey(
    'CA_CERT_FILE',
    'With ENABLE_CA_SERVER=false: the roots of the mesh, which every namespace is given.',
    { default: './var/run/secrets/istiod/ca/root-cert.pem' },
  ),
  externalAuthority: choiceKey(
    'EXTERNAL_CA',
    'Who signs workloads instead of the control plane: ISTIOD_RA_KUBERNETES_API is the signer that K8S_SIGNER names.',
    { choices: ['none', 'ISTIOD_RA_KUBERNETES_API'], default: 'none' },
  ),
  kubernetesSigner: stringKey(
    'K8S_SIGNER',
    'Signer of the Kubernetes API (certificates.k8s.io) that makes the certificates of workloads.',
    { default: '' },
  ),
  externalRoots: stringKey(
    'EXTERNAL_CA_ROOTS',
    'PEM file with the roots of that signer; read again when it changes.',
    { default: './etc/external-ca-cert/root-cert.pem' },
  ),
  defaultTtlMs: durationKey(
    'DEFAULT_WORKLOAD_CERT_TTL',
    'Lifetime of a certificate whose request names none.',
    { default: 24 * HOUR_MS },
  ),
  maxTtlMs: durationKey('MAX_WORKLOAD_CERT_TTL', 'Longest lifetime that may be asked for.', {
    default: 2160 * HOUR_MS,
  }),
  isWaypointAllowed: booleanKey(
    'PILOT_AUTO_ALLOW_WAYPOINT_POLICY',
    'Whether workloads let the waypoint before them in by a policy of their own: one that lets nobody else in without another.',
    { default: false },
  ),
  debounceAfterMs: durationKey(
    'PILOT_DEBOUNCE_AFTER',
    'Quiet time after a change before it is served. Istio waits 100ms.',
    { default: 25 },
  ),
  debounceMaxMs: durationKey(
    'PILOT_DEBOUNCE_MAX',
    'Longest wait under a steady stream of changes. Istio waits 10s.',
    { default: 250 },
  ),
  waypointImage: stringKey('WAYPOINT_IMAGE', 'Image of the waypoints that Gateways become.', {
    default: 'aquifer/waypoint:dev',
  }),
  imagePullSecrets: parsedKey<readonly string[]>(
    'WAYPOINT_IMAGE_PULL_SECRETS',
    'Secrets that waypoints and gateways pull their images with, in their own namespaces; comma list.',
    { default: [], type: 'names', parse: commaList, show: (names) => names.join(',') },
  ),
  gatewayImage: stringKey(
    'GATEWAY_IMAGE',
    'Image of the gateways that Gateways of class `istio` become: an Envoy with the agent of Istio.',
    { default: 'docker.io/istio/proxyv2:1.31.0' },
  ),
  isXdsAuthRequired: booleanKey(
    'XDS_AUTH',
    'Whether the TLS port refuses callers without a token.',
    { default: true },
  ),
  bindAddress: stringKey('BIND_ADDRESS', 'Address that every port listens on.', {
    default: '0.0.0.0',
  }),
  grpcPort: portKey(
    'GRPC_PORT',
    'Plaintext discovery and certificates; 0 picks a free port.',
    15_010,
  ),
  secureGrpcPort: portKey('SECURE_GRPC_PORT', 'Discovery and certificates over TLS.', 15_012),
  monitoringPort: portKey('MONITORING_PORT', 'Metrics, version and debug pages.', 15_014),
  probePort: portKey('PROBE_PORT', 'Readiness at /ready.', 8080),
  webhookPort: portKey('WEBHOOK_PORT', 'Admission reviews of the API server, over TLS.', 15_017),
  logFormat: choiceKey('LOG_FORMAT', 'Format of log lines.', {
    choices: ['plain', 'json'],
    default: 'plain',
  }),
  logLevels: stringKey('LOG_LEVEL', 'Comma list of level or scope=level.', { default: 'info' }),
};

/** The items of a comma list, trimmed, without empty ones. */
export function commaList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
