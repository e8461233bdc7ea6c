import {
  CONTROL_PLANE_ADDRESS,
  CREDENTIAL_KEYS,
  type CredentialConfig,
} from '@aquifer/control-plane-client';
import {
  booleanKey,
  type ConfigKeys,
  durationKey,
  integerKey,
  OPERATOR_KEYS,
  type OperatorConfig,
  optionalStringKey,
  stringKey,
} from '@aquifer/runtime';

/** What a node proxy is told at its start. */
export interface ZtunnelConfig extends CredentialConfig, OperatorConfig {
  readonly nodeName: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly instanceIp: string;
  readonly clusterId: string;
  readonly network: string;
  readonly xdsAddress: string;
  readonly caAddress: string | null;
  readonly serverName: string | null;
  readonly certificateTtlMs: number;
  readonly threads: number;
  readonly poolMaxStreams: number;
  readonly poolIdleMs: number;
  readonly preserveSource: boolean;
  readonly drainDeadlineMs: number;
  readonly procPath: string;
  readonly logLevels: string;
  readonly versionTag: string;
}

/** Every variable that ztunnel reads. Names and defaults are those of Istio's ztunnel where it has them. */
export const ZTUNNEL_CONFIG: ConfigKeys<ZtunnelConfig> = {
  nodeName: stringKey('NODE_NAME', 'Name of the Kubernetes node this proxy serves.'),
  podName: stringKey('POD_NAME', "This proxy's own pod."),
  podNamespace: stringKey('POD_NAMESPACE', "Namespace of this proxy's own pod."),
  instanceIp: stringKey('INSTANCE_IP', "Address of this proxy's own pod.", { default: '1.1.1.1' }),
  clusterId: stringKey('CLUSTER_ID', 'Cluster this node belongs to.', { default: 'Kubernetes' }),
  network: stringKey('NETWORK', 'Network this node is in.', { default: '' }),
  xdsAddress: stringKey('XDS_ADDRESS', 'host:port of the discovery service.', {
    default: CONTROL_PLANE_ADDRESS,
  }),
  caAddress: optionalStringKey(
    'CA_ADDRESS',
    'host:port of the certificate authority; default XDS_ADDRESS.',
  ),
  ...CREDENTIAL_KEYS,
  serverName: optionalStringKey(
    'ALT_XDS_HOSTNAME',
    "Name in the control plane's certificate, if it differs from its address.",
  ),
  certificateTtlMs: durationKey('SECRET_TTL', 'Lifetime asked for workload certificates.', {
    default: 86_400_000,
  }),
  threads: integerKey('ZTUNNEL_WORKER_THREADS', 'Data-plane threads.', {
    default: 2,
    min: 1,
    max: 256,
  }),
  poolMaxStreams: integerKey(
    'POOL_MAX_STREAMS_PER_CONNECTION',
    'Connections that share a tunnel.',
    {
      default: 100,
      min: 1,
      max: 65_535,
    },
  ),
  poolIdleMs: durationKey(
    'POOL_UNUSED_RELEASE_TIMEOUT',
    'Idle time after which a tunnel is closed.',
    {
      default: 300_000,
    },
  ),
  preserveSource: booleanKey(
    'ENABLE_ORIG_SRC',
    "Whether applications see the caller's own address.",
    {
      default: true,
    },
  ),
  drainDeadlineMs: durationKey(
    'CONNECTION_TERMINATION_DEADLINE',
    'How long connections may go on after shutdown began or their pod left the mesh.',
    { default: 5_000 },
  ),
  procPath: stringKey('PROC_PATH', "The node's process file system, where pods are found.", {
    default: '/proc',
  }),
  ...OPERATOR_KEYS,
  logLevels: stringKey('RUST_LOG', 'Log levels: comma list of level or scope=level.', {
    default: 'info',
  }),
  versionTag: stringKey('ISTIO_META_ISTIO_VERSION', 'Version that metrics and the dump show.', {
    default: 'unknown',
  }),
};
