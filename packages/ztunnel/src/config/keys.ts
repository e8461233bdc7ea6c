import { CREDENTIAL_KEYS, type CredentialConfig } from '@aquifer/control-plane-client';
import {
  booleanKey,
  type ConfigKeys,
  choiceKey,
  durationKey,
  integerKey,
  OPERATOR_KEYS,
  type OperatorConfig,
  optionalStringKey,
  parsedKey,
  prefixKey,
  stringKey,
} from '@aquifer/runtime';
import {
  type DedicatedWorkload,
  parseCpuQuantity,
  parseServerAddress,
  parseThreadWish,
  parseWorkloadInfo,
  type ServerAddress,
  type ThreadWish,
} from './forms.ts';
import { SECURITY_KEYS, type SecurityConfig } from './security-keys.ts';
import { SOCKET_KEYS, type SocketConfig } from './socket-keys.ts';

/** Which node, pod and mesh this proxy belongs to. */
interface PlaceConfig {
  readonly proxyMode: 'shared' | 'dedicated';
  readonly dedicatedWorkload: DedicatedWorkload | null;
  readonly nodeName: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly serviceAccount: string;
  readonly instanceIp: string;
  readonly clusterId: string;
  readonly metaClusterId: string;
  readonly clusterDomain: string;
  readonly network: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly jsonMetadata: Readonly<Record<string, string>>;
  readonly versionTag: string;
}

const PLACE_KEYS: ConfigKeys<PlaceConfig> = {
  proxyMode: choiceKey('PROXY_MODE', 'Whether it serves the pods of its node, or one workload.', {
    default: 'shared',
    choices: ['shared', 'dedicated'],
  }),
  dedicatedWorkload: parsedKey<DedicatedWorkload | null>(
    'PROXY_WORKLOAD_INFO',
    'In dedicated mode, the workload that is served.',
    { default: null, type: 'namespace/name/serviceaccount', parse: parseWorkloadInfo },
  ),
  nodeName: stringKey('NODE_NAME', 'Name of the Kubernetes node this proxy serves.', {
    default: '',
  }),
  podName: stringKey('POD_NAME', "This proxy's own pod.", { default: '' }),
  podNamespace: stringKey('POD_NAMESPACE', "Namespace of this proxy's own pod.", { default: '' }),
  serviceAccount: stringKey(
    'SERVICE_ACCOUNT',
    "Service account of this proxy's own pod; with it and the two before, the mesh reaches the proxy's metrics through a tunnel.",
    { default: '' },
  ),
  instanceIp: stringKey('INSTANCE_IP', "Address of this proxy's own pod.", { default: '1.1.1.1' }),
  clusterId: stringKey('CLUSTER_ID', 'Cluster this node belongs to.', { default: 'Kubernetes' }),
  metaClusterId: stringKey('ISTIO_META_CLUSTER_ID', 'Replaces CLUSTER_ID.', { default: '' }),
  clusterDomain: stringKey('CLUSTER_DOMAIN', 'Domain of the names that the DNS proxy completes.', {
    default: 'cluster.local',
  }),
  network: stringKey('NETWORK', 'Network this node is in.', { default: '' }),
  metadata: prefixKey('ISTIO_META_*', "Metadata of this proxy's discovery requests."),
  jsonMetadata: prefixKey('ISTIO_METAJSON_*', 'The same, as JSON values.'),
  versionTag: stringKey('ISTIO_META_ISTIO_VERSION', 'Version that metrics and the dump show.', {
    default: 'unknown',
  }),
};

/** How the control plane and the certificate authority are reached. */
interface ControlPlaneConfig extends CredentialConfig {
  /** Null: there is no control plane, and a local file says what it would. */
  readonly xdsAddress: ServerAddress | null;
  readonly caAddress: ServerAddress | null;
  readonly caRootCertPath: string | null;
  readonly serverName: string | null;
  readonly caServerName: string | null;
  readonly xdsHeaders: Readonly<Record<string, string>>;
  readonly caHeaders: Readonly<Record<string, string>>;
  readonly isOnDemand: boolean;
  readonly certificateTtlMs: number;
  readonly localFile: string | null;
  readonly localText: string | null;
}

/** An empty value says that there is none. */
function serverKey(key: string, doc: string, fallback: ServerAddress | null) {
  return parsedKey<ServerAddress | null>(key, doc, {
    type: 'host:port',
    default: fallback,
    acceptsEmpty: true,
    parse: (text) => (text === '' ? null : parseServerAddress(text)),
    show: (value) => value?.address ?? '(XDS_ADDRESS)',
  });
}

const CONTROL_PLANE_KEYS: ConfigKeys<ControlPlaneConfig> = {
  xdsAddress: serverKey(
    'XDS_ADDRESS',
    'The discovery service; empty for none: see LOCAL_XDS_PATH.',
    {
      address: 'istiod.istio-system.svc:15012',
      isPlaintext: false,
    },
  ),
  caAddress: serverKey('CA_ADDRESS', 'The certificate authority.', null),
  ...CREDENTIAL_KEYS,
  caRootCertPath: optionalStringKey('CA_ROOT_CA', 'As XDS_ROOT_CA, for CA_ADDRESS.'),
  serverName: optionalStringKey(
    'ALT_XDS_HOSTNAME',
    "Name in the discovery service's certificate, if it differs from its address.",
  ),
  caServerName: optionalStringKey('ALT_CA_HOSTNAME', 'The same for CA_ADDRESS.'),
  xdsHeaders: prefixKey('XDS_HEADER_*', 'Metadata of calls to the discovery service.'),
  caHeaders: prefixKey('CA_HEADER_*', 'Metadata of calls to the certificate authority.'),
  isOnDemand: booleanKey(
    'XDS_ON_DEMAND',
    'Whether workloads and services are asked for when a connection needs them, in place of all of them at once.',
    { default: false },
  ),
  certificateTtlMs: durationKey('SECRET_TTL', 'Lifetime asked for workload certificates.', {
    default: 86_400_000,
  }),
  localFile: optionalStringKey(
    'LOCAL_XDS_PATH',
    'YAML file with workloads, services and policies, beside or in place of a control plane.',
  ),
  localText: optionalStringKey('LOCAL_XDS', 'The same as text.'),
};

/** What the data plane may use, and how long connections last. */
interface DataPlaneConfig {
  readonly threadWish: ThreadWish | null;
  readonly cpuLimit: number | null;
  readonly cpuRequest: number | null;
  readonly cpuCount: number | null;
  readonly poolMaxStreams: number;
  readonly poolIdleMs: number;
  readonly preserveSource: boolean;
  readonly tunnelsToLoopback: boolean;
  readonly terminationDeadlineMs: number | null;
  readonly gracePeriodSeconds: number | null;
  readonly procPath: string;
  readonly zdsPath: string | null;
  readonly nriSocket: string;
  readonly startGateFailure: 'open' | 'closed';
  readonly captureDns: boolean;
  readonly preferredNamespace: string | null;
  readonly exchangesBaggage: boolean;
}

function cpuKey(key: string, doc: string) {
  return parsedKey<number | null>(key, doc, {
    type: 'CPU quantity',
    default: null,
    parse: parseCpuQuantity,
  });
}

const DATA_PLANE_KEYS: ConfigKeys<DataPlaneConfig> = {
  threadWish: parsedKey<ThreadWish | null>(
    'ZTUNNEL_WORKER_THREADS',
    'Data-plane threads; 0 for one per CPU. Default: a quarter of the CPUs, at least 2.',
    { type: 'integer or percent', default: null, parse: parseThreadWish },
  ),
  cpuLimit: cpuKey('ZTUNNEL_RESOURCE_CPU_LIMIT', "The container's CPU limit: a thread for each."),
  cpuRequest: cpuKey(
    'ZTUNNEL_RESOURCE_CPU_REQUEST',
    "The container's CPU request: as many threads at least.",
  ),
  cpuCount: parsedKey<number | null>(
    'ZTUNNEL_CPU_LIMIT',
    'CPUs to count with, in place of the machine’s.',
    {
      type: 'integer',
      default: null,
      parse: integerKey('', '', { min: 1, max: 4096 }).parse,
    },
  ),
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
  tunnelsToLoopback: booleanKey(
    'LOCALHOST_APP_TUNNEL',
    "Whether application tunnels end at the pod's loopback address.",
    { default: true },
  ),
  terminationDeadlineMs: parsedKey<number | null>(
    'CONNECTION_TERMINATION_DEADLINE',
    'How long connections may go on after shutdown began or their pod left the mesh. Default: 5s, and after shutdown began see TERMINATION_GRACE_PERIOD_SECONDS.',
    { type: 'duration', default: null, parse: durationKey('', '', {}).parse },
  ),
  gracePeriodSeconds: parsedKey<number | null>(
    'TERMINATION_GRACE_PERIOD_SECONDS',
    "The pod's grace period: connections get 5 s less, of a short one all but a second.",
    {
      type: 'integer',
      default: null,
      parse: integerKey('', '', { min: 0, max: 86_400 }).parse,
    },
  ),
  procPath: stringKey('PROC_PATH', "The node's process file system, where pods are found.", {
    default: '/proc',
  }),
  zdsPath: optionalStringKey(
    'INPOD_UDS',
    "Socket of Istio's node agent, which then says which pods to serve. Default: /var/run/ztunnel/ztunnel.sock if that folder is there.",
  ),
  nriSocket: stringKey(
    'NRI_SOCKET',
    'Socket of the container runtime, which holds pods back until they are captured.',
    { default: '/var/run/nri/nri.sock' },
  ),
  startGateFailure: choiceKey(
    'START_GATE_FAILURE',
    'A pod that cannot be captured before it starts: it does not start yet (closed), or outside of the mesh (open).',
    { default: 'closed', choices: ['closed', 'open'] },
  ),
  captureDns: parsedKey<boolean>(
    'ISTIO_META_DNS_CAPTURE',
    'Whether pods have their names resolved by this proxy, unless their annotation says otherwise.',
    {
      type: 'true | false',
      default: true,
      parse: (text) => text.toLowerCase() === 'true',
    },
  ),
  preferredNamespace: optionalStringKey(
    'PREFERED_SERVICE_NAMESPACE',
    'Namespace whose names win over those of others in the DNS proxy.',
  ),
  exchangesBaggage: booleanKey(
    'ENABLE_RESPONSE_BAGGAGE',
    'Whether answers say which workload has answered, and metrics show what peers of unknown addresses say about themselves.',
    { default: true },
  ),
};

/** What a node proxy is told at its start. */
export interface ZtunnelConfig
  extends PlaceConfig,
    ControlPlaneConfig,
    DataPlaneConfig,
    SecurityConfig,
    SocketConfig,
    OperatorConfig {
  readonly logLevels: string;
}

/** Every variable that ztunnel reads. Names and defaults are those of Istio's ztunnel where it has them. */
export const ZTUNNEL_CONFIG: ConfigKeys<ZtunnelConfig> = {
  ...PLACE_KEYS,
  ...CONTROL_PLANE_KEYS,
  ...DATA_PLANE_KEYS,
  ...SECURITY_KEYS,
  ...SOCKET_KEYS,
  ...OPERATOR_KEYS,
  logLevels: stringKey('RUST_LOG', 'Log levels: comma list of level or scope=level.', {
    default: 'info',
  }),
};
