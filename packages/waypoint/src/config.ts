import {
  CONTROL_PLANE_ADDRESS,
  CREDENTIAL_KEYS,
  type CredentialConfig,
} from '@aquifer/control-plane-client';
import {
  type ConfigKeys,
  durationKey,
  integerKey,
  OPERATOR_KEYS,
  type OperatorConfig,
  optionalStringKey,
  portKey,
  stringKey,
} from '@aquifer/runtime';

/** What a waypoint is told at its start. */
export interface WaypointConfig extends CredentialConfig, OperatorConfig {
  readonly bootstrapPath: string | null;
  readonly podName: string;
  readonly podNamespace: string;
  readonly serviceAccount: string;
  readonly instanceIp: string;
  readonly nodeName: string;
  readonly workloadName: string;
  readonly clusterId: string;
  readonly trustDomain: string;
  readonly versionTag: string;
  readonly certificateAuthority: string;
  readonly discovery: string;
  readonly certificateTtlMs: number;
  readonly threads: number;
  readonly drainSeconds: number;
  readonly hbonePort: number;
  readonly prometheusPort: number;
  readonly logLevels: string;
}

/** Every variable that the waypoint reads; names are those that Istio's waypoint Deployment sets. */
export const WAYPOINT_CONFIG: ConfigKeys<WaypointConfig> = {
  bootstrapPath: optionalStringKey(
    'WAYPOINT_BOOTSTRAP',
    'JSON file with static_resources in the form of an Envoy bootstrap: serve it without a control plane.',
  ),
  podName: stringKey('POD_NAME', "This proxy's own pod.", { default: 'waypoint' }),
  podNamespace: stringKey('POD_NAMESPACE', "Namespace of this proxy's own pod.", {
    default: 'default',
  }),
  serviceAccount: stringKey('SERVICE_ACCOUNT', 'Service account that this proxy runs as.', {
    default: 'waypoint',
  }),
  instanceIp: stringKey('INSTANCE_IP', "Address of this proxy's own pod.", {
    default: '127.0.0.1',
  }),
  nodeName: stringKey('ISTIO_META_NODE_NAME', 'Node that this proxy runs on.', { default: '' }),
  workloadName: stringKey('ISTIO_META_WORKLOAD_NAME', 'Name of the waypoint.', {
    default: 'waypoint',
  }),
  clusterId: stringKey('ISTIO_META_CLUSTER_ID', 'Cluster of this proxy.', {
    default: 'Kubernetes',
  }),
  trustDomain: stringKey('TRUST_DOMAIN', 'Trust domain of the mesh.', { default: 'cluster.local' }),
  versionTag: stringKey('ISTIO_META_ISTIO_VERSION', 'Version that the admin pages show.', {
    default: 'unknown',
  }),
  certificateAuthority: stringKey(
    'CA_ADDR',
    'host:port of the certificate authority, and of discovery unless XDS_ADDRESS says otherwise.',
    { default: CONTROL_PLANE_ADDRESS },
  ),
  discovery: stringKey('XDS_ADDRESS', 'host:port of discovery; empty is that of CA_ADDR.', {
    default: '',
  }),
  ...CREDENTIAL_KEYS,
  certificateTtlMs: durationKey('SECRET_TTL', 'Lifetime asked for the certificate.', {
    default: 86_400_000,
  }),
  threads: integerKey('CONCURRENCY', 'Data-plane threads.', { default: 1, min: 1, max: 256 }),
  drainSeconds: integerKey(
    'TERMINATION_DRAIN_DURATION_SECONDS',
    'How long connections may go on once an end was announced for two seconds. The pod must be given longer to end.',
    { default: 5, min: 0, max: 86_400 },
  ),
  hbonePort: portKey('HBONE_PORT', 'Port that takes tunnels.', 15_008),
  prometheusPort: portKey('PROMETHEUS_PORT', "Port of the metrics as Envoy's own.", 15_090),
  ...OPERATOR_KEYS,
  logLevels: stringKey('LOG_LEVEL', 'Log levels: comma list of level or scope=level.', {
    default: 'info',
  }),
};
