import {
  booleanKey,
  type ConfigOf,
  type ConfigProblem,
  choiceKey,
  durationKey,
  type EnvSource,
  integerKey,
  optionalStringKey,
  parseEnv,
  stringKey,
} from '@aquifer/runtime';

const port = { min: 0, max: 65_535 } as const;

/** Every variable that ztunnel reads. Names and defaults are those of Istio's ztunnel where it has them. */
export const ZTUNNEL_CONFIG = {
  nodeName: stringKey('NODE_NAME', 'Name of the Kubernetes node this proxy serves.'),
  podName: stringKey('POD_NAME', "This proxy's own pod."),
  podNamespace: stringKey('POD_NAMESPACE', "Namespace of this proxy's own pod."),
  instanceIp: stringKey('INSTANCE_IP', "Address of this proxy's own pod.", { default: '1.1.1.1' }),
  clusterId: stringKey('CLUSTER_ID', 'Cluster this node belongs to.', { default: 'Kubernetes' }),
  network: stringKey('NETWORK', 'Network this node is in.', { default: '' }),
  trustDomain: stringKey('TRUST_DOMAIN', 'Trust domain of the workloads here.', {
    default: 'cluster.local',
  }),
  xdsAddress: stringKey('XDS_ADDRESS', 'host:port of the discovery service.', {
    default: 'istiod.istio-system.svc:15012',
  }),
  caAddress: optionalStringKey(
    'CA_ADDRESS',
    'host:port of the certificate authority; default XDS_ADDRESS.',
  ),
  rootCertPath: stringKey('XDS_ROOT_CA', 'PEM file with the roots that sign the control plane.', {
    default: '/var/run/secrets/istio/root-cert.pem',
  }),
  tokenPath: stringKey('AUTH_TOKEN', 'File with the service-account token.', {
    default: '/var/run/secrets/tokens/istio-token',
  }),
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
  adminPort: integerKey('ADMIN_PORT', 'Port of the admin server, on loopback only.', {
    default: 15_000,
    ...port,
  }),
  statsPort: integerKey('STATS_PORT', 'Port of the metrics server.', { default: 15_020, ...port }),
  readinessPort: integerKey('READINESS_PORT', 'Port of the readiness server.', {
    default: 15_021,
    ...port,
  }),
  logFormat: choiceKey('LOG_FORMAT', 'Form of log lines.', {
    default: 'plain',
    choices: ['plain', 'json'],
  }),
  logLevels: stringKey('RUST_LOG', 'Log levels: comma list of level or scope=level.', {
    default: 'info',
  }),
  versionTag: stringKey('ISTIO_META_ISTIO_VERSION', 'Version that metrics and the dump show.', {
    default: 'unknown',
  }),
};

export type ZtunnelConfig = ConfigOf<typeof ZTUNNEL_CONFIG>;

/** The only reader of the environment: all mistakes at once, or the frozen configuration. */
export function parseConfig(
  env: EnvSource,
):
  | { readonly ok: true; readonly value: ZtunnelConfig }
  | { readonly ok: false; readonly error: readonly ConfigProblem[] } {
  return parseEnv(ZTUNNEL_CONFIG, env);
}
