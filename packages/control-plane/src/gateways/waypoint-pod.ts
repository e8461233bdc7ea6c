/** The pod of a waypoint or a gateway (spec control-plane 5.3): container `istio-proxy`, as tools and dashboards expect it. */
import type { ProxyStart } from '../derive/proxy-start.ts';
import type { WaypointSettings } from './waypoint-settings.ts';

export interface WaypointPod {
  readonly role: 'waypoint' | 'router';
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly start: ProxyStart;
}

/**
 * Connections that are open when the pod is to end go on for so long. Before that the waypoint announces its end for two
 * seconds, and afterwards it needs a moment to end: the kubelet's signal that nobody hears out comes later than all that.
 */
const DRAIN_SECONDS = 20;
const GRACE_SECONDS = 30;

export function waypointPodSpec(pod: WaypointPod, settings: WaypointSettings): object {
  return {
    terminationGracePeriodSeconds: GRACE_SECONDS,
    serviceAccountName: pod.serviceAccount,
    ...(pod.role === 'router' && LOW_PORTS),
    ...(settings.imagePullSecrets.length > 0 && {
      imagePullSecrets: settings.imagePullSecrets.map((name) => ({ name })),
    }),
    containers: [
      {
        name: 'istio-proxy',
        image: pod.role === 'router' ? settings.gatewayImage : settings.image,
        args: [
          'proxy',
          pod.role,
          '--domain',
          `$(POD_NAMESPACE).svc.${settings.clusterDomain}`,
          '--serviceCluster',
          `${pod.name}.$(POD_NAMESPACE)`,
          '--proxyLogLevel',
          'warning',
          '--proxyComponentLogLevel',
          'misc:error',
          '--log_output_level',
          'default:info',
        ],
        ports: [
          { name: 'metrics', containerPort: 15020, protocol: 'TCP' },
          { name: 'status-port', containerPort: 15021, protocol: 'TCP' },
          { name: 'http-envoy-prom', containerPort: 15090, protocol: 'TCP' },
        ],
        env: environment(pod, settings),
        resources: {
          requests: { cpu: '100m', memory: '128Mi' },
          limits: { cpu: '2', memory: '1Gi' },
        },
        ...probes(),
        securityContext: {
          privileged: false,
          allowPrivilegeEscalation: false,
          runAsUser: 1337,
          runAsGroup: 1337,
          runAsNonRoot: true,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'workload-socket', mountPath: '/var/run/secrets/workload-spiffe-uds' },
          { name: 'istiod-ca-cert', mountPath: '/var/run/secrets/istio' },
          { name: 'istio-data', mountPath: '/var/lib/istio/data' },
          { name: 'istio-envoy', mountPath: '/etc/istio/proxy' },
          { name: 'istio-token', mountPath: '/var/run/secrets/tokens' },
          { name: 'istio-podinfo', mountPath: '/etc/istio/pod' },
          ...(pod.role === 'router' ? AGENT_MOUNTS : []),
        ],
      },
    ],
    volumes: [...volumes(), ...(pod.role === 'router' ? AGENT_VOLUMES : [])],
  };
}

/** Without being root it listens where clients expect it. */
const LOW_PORTS = {
  securityContext: { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
};

/** Where Istio's agent looks for certificates that others may bring. */
const AGENT_MOUNTS = [
  { name: 'credential-socket', mountPath: '/var/run/secrets/credential-uds' },
  { name: 'workload-certs', mountPath: '/var/run/secrets/workload-spiffe-credentials' },
];
const AGENT_VOLUMES = AGENT_MOUNTS.map(({ name }) => ({ name, emptyDir: {} }));

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: object;
}

/** What somebody says of a variable counts instead of what proxies have by themselves. */
function environment(pod: WaypointPod, settings: WaypointSettings): Variable[] {
  const said = pod.start.environment;
  const own = ownVariables(pod, settings).filter(({ name }) => said[name] === undefined);
  const others = Object.entries(said).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [...own, ...others.map(([name, value]) => ({ name, value }))];
}

function ownVariables(pod: WaypointPod, settings: WaypointSettings): Variable[] {
  const { threads } = pod.start;
  const owner = `kubernetes://apis/apps/v1/namespaces/${pod.namespace}/deployments/${pod.name}`;
  return [
    field('ISTIO_META_SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    field('ISTIO_META_NODE_NAME', 'spec.nodeName'),
    { name: 'PILOT_CERT_PROVIDER', value: 'istiod' },
    ...addresses(settings),
    field('POD_NAME', 'metadata.name'),
    field('POD_NAMESPACE', 'metadata.namespace'),
    field('INSTANCE_IP', 'status.podIP'),
    field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    field('HOST_IP', 'status.hostIP'),
    limit('ISTIO_CPU_LIMIT', 'limits.cpu'),
    // One where nobody asks for more: a second one warms up by itself, and on a node of two CPUs both were slower.
    { name: 'CONCURRENCY', value: String(threads ?? 1) },
    {
      name: 'PROXY_CONFIG',
      value: JSON.stringify(threads === null ? {} : { concurrency: threads }),
    },
    limit('GOMEMLIMIT', 'limits.memory'),
    { name: 'ISTIO_META_CLUSTER_ID', value: settings.clusterId },
    ...(settings.network === '' ? [] : [{ name: 'ISTIO_META_NETWORK', value: settings.network }]),
    { name: 'ISTIO_META_INTERCEPTION_MODE', value: 'REDIRECT' },
    { name: 'ISTIO_META_WORKLOAD_NAME', value: pod.name },
    { name: 'ISTIO_META_OWNER', value: owner },
    { name: 'ISTIO_META_MESH_ID', value: settings.trustDomain },
    { name: 'TRUST_DOMAIN', value: settings.trustDomain },
    { name: 'TERMINATION_DRAIN_DURATION_SECONDS', value: String(DRAIN_SECONDS) },
  ];
}

/** Where the authority is, and discovery if that is somewhere else. */
function addresses({ systemNamespace, caAddress }: WaypointSettings): Variable[] {
  const controlPlane = `istiod.${systemNamespace}.svc:15012`;
  if (caAddress === '') return [{ name: 'CA_ADDR', value: controlPlane }];
  return [
    { name: 'CA_ADDR', value: caAddress },
    { name: 'XDS_ADDRESS', value: controlPlane },
  ];
}

function field(name: string, fieldPath: string): Variable {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}

function limit(name: string, resource: string): Variable {
  return { name, valueFrom: { resourceFieldRef: { resource } } };
}

function probes(): object {
  const httpGet = { path: '/healthz/ready', port: 15021, scheme: 'HTTP' };
  return {
    startupProbe: {
      httpGet,
      initialDelaySeconds: 1,
      periodSeconds: 1,
      successThreshold: 1,
      failureThreshold: 30,
      timeoutSeconds: 1,
    },
    readinessProbe: {
      httpGet,
      periodSeconds: 15,
      successThreshold: 1,
      failureThreshold: 4,
      timeoutSeconds: 1,
    },
  };
}

function volumes(): object[] {
  return [
    { name: 'workload-socket', emptyDir: {} },
    { name: 'istio-envoy', emptyDir: { medium: 'Memory' } },
    { name: 'go-proxy-envoy', emptyDir: { medium: 'Memory' } },
    { name: 'go-proxy-data', emptyDir: {} },
    { name: 'istio-data', emptyDir: {} },
    {
      name: 'istio-podinfo',
      downwardAPI: {
        items: [
          { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
          { path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } },
        ],
      },
    },
    {
      name: 'istio-token',
      projected: {
        sources: [
          {
            serviceAccountToken: {
              audience: 'istio-ca',
              expirationSeconds: 43_200,
              path: 'istio-token',
            },
          },
        ],
      },
    },
    { name: 'istiod-ca-cert', configMap: { name: 'istio-ca-root-cert' } },
  ];
}
