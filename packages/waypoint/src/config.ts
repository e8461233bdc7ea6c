import {
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

/** Every variable that the waypoint reads; names are those that Istio's waypoint Deployment sets. */
export const WAYPOINT_CONFIG = {
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
  controlPlane: stringKey('CA_ADDR', 'host:port of discovery and certificate authority.', {
    default: 'istiod.istio-system.svc:15012',
  }),
  rootCertPath: stringKey('XDS_ROOT_CA', 'PEM file with the roots that sign the control plane.', {
    default: '/var/run/secrets/istio/root-cert.pem',
  }),
  tokenPath: stringKey('AUTH_TOKEN', 'File with the service-account token.', {
    default: '/var/run/secrets/tokens/istio-token',
  }),
  certificateTtlMs: durationKey('SECRET_TTL', 'Lifetime asked for the certificate.', {
    default: 86_400_000,
  }),
  threads: integerKey('CONCURRENCY', 'Data-plane threads.', { default: 1, min: 1, max: 256 }),
  drainDeadlineMs: durationKey(
    'TERMINATION_DRAIN_DURATION',
    'How long requests may go on after shutdown began.',
    {
      default: 5_000,
    },
  ),
  hbonePort: integerKey('HBONE_PORT', 'Port that takes tunnels.', { default: 15_008, ...port }),
  adminPort: integerKey('ADMIN_PORT', 'Port of the admin server, on loopback only.', {
    default: 15_000,
    ...port,
  }),
  statsPort: integerKey('STATS_PORT', 'Port of the metrics server.', { default: 15_020, ...port }),
  prometheusPort: integerKey('PROMETHEUS_PORT', "Port of the metrics as Envoy's own.", {
    default: 15_090,
    ...port,
  }),
  readinessPort: integerKey('READINESS_PORT', 'Port of the readiness server.', {
    default: 15_021,
    ...port,
  }),
  logFormat: choiceKey('LOG_FORMAT', 'Form of log lines.', {
    default: 'plain',
    choices: ['plain', 'json'],
  }),
  logLevels: stringKey('LOG_LEVEL', 'Log levels: comma list of level or scope=level.', {
    default: 'info',
  }),
};

export type WaypointConfig = ConfigOf<typeof WAYPOINT_CONFIG>;

/** The only reader of the environment: all mistakes at once, or the frozen configuration. */
export function parseConfig(
  env: EnvSource,
):
  | { readonly ok: true; readonly value: WaypointConfig }
  | { readonly ok: false; readonly error: readonly ConfigProblem[] } {
  return parseEnv(WAYPOINT_CONFIG, env);
}
