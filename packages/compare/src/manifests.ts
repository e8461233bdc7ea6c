import { type Mode, modeNamespace } from './modes.ts';
import { APPLICATION_PORT, SERVICE_PORT } from './ports.ts';
import {
  CERTIFICATE_DIRECTORY,
  SIDECAR_REDIRECTION,
  SIDECAR_USER,
  sidecarBootstrap,
} from './sidecar.ts';

/** A Kubernetes object to apply. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface ManifestOptions {
  readonly mode: Mode;
  /** Pods in all: one client, the others serve. At least 2. */
  readonly pods: number;
  readonly trustDomain: string;
}

/** Name of the container that is a proxy, in every pod that has one. */
export const PROXY_CONTAINER = 'istio-proxy';
/** Name of the waypoint's Gateway and of its pods' label `gateway.networking.k8s.io/gateway-name`. */
export const WAYPOINT_NAME = 'waypoint';

const HEADLESS = 'server-pods';

/** Everything that a mode needs, in the order in which to apply it: the namespace first. */
export function modeManifests(options: ManifestOptions): Manifest[] {
  const { mode, pods } = options;
  return [
    namespace(mode),
    ...(['client', 'server'] as const).map((name) => own(mode, 'v1', 'ServiceAccount', name)),
    ...(mode === 'sidecar' ? [sidecarConfig(options), service(mode, HEADLESS)] : []),
    ...(mode === 'waypoint' ? [waypoint(mode)] : []),
    ...(mode === 'ambient' || mode === 'waypoint' ? [policy(options)] : []),
    service(mode, 'server'),
    deployment(mode, 'server', pods - 1),
    deployment(mode, 'client', 1),
  ];
}

/** Where the client sends its requests. */
export function serverUrl(mode: Mode): string {
  return `http://server.${modeNamespace(mode)}:${SERVICE_PORT}/`;
}

function own(mode: Mode, apiVersion: string, kind: string, name: string): Manifest {
  return { apiVersion, kind, metadata: { name, namespace: modeNamespace(mode) } };
}

function namespace(mode: Mode): Manifest {
  const labels: Readonly<Record<Mode, Record<string, string>>> = {
    none: {},
    sidecar: {},
    ambient: { 'istio.io/dataplane-mode': 'ambient' },
    waypoint: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': WAYPOINT_NAME },
  };
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: modeNamespace(mode), labels: labels[mode] },
  };
}

function service(mode: Mode, name: string): Manifest {
  return {
    ...own(mode, 'v1', 'Service', name),
    spec: {
      ...(name === HEADLESS && { clusterIP: 'None' }),
      selector: { app: 'server' },
      ports: [{ name: 'http', port: SERVICE_PORT, targetPort: APPLICATION_PORT }],
    },
  };
}

function waypoint(mode: Mode): Manifest {
  return {
    ...own(mode, 'gateway.networking.k8s.io/v1', 'Gateway', WAYPOINT_NAME),
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
    },
  };
}

/** The one rule that every mode with a mesh enforces, where it can: the client may GET. */
function policy({ mode, trustDomain }: ManifestOptions): Manifest {
  const principals = [`${trustDomain}/ns/${modeNamespace(mode)}/sa/client`];
  const from = [{ source: { principals } }];
  const isL7 = mode === 'waypoint';
  return {
    ...own(mode, 'security.istio.io/v1', 'AuthorizationPolicy', 'client'),
    spec: {
      action: 'ALLOW',
      ...(isL7
        ? { targetRefs: [{ group: '', kind: 'Service', name: 'server' }] }
        : { selector: { matchLabels: { app: 'server' } } }),
      rules: [{ from, ...(isL7 && { to: [{ operation: { methods: ['GET'] } }] }) }],
    },
  };
}

function sidecarConfig({ mode, trustDomain }: ManifestOptions): Manifest {
  const bootstrap = sidecarBootstrap({
    trustDomain,
    namespace: modeNamespace(mode),
    serverHost: `${HEADLESS}.${modeNamespace(mode)}.svc.cluster.local`,
  });
  return {
    ...own(mode, 'v1', 'ConfigMap', 'sidecar'),
    data: { 'envoy.yaml': JSON.stringify(bootstrap), 'redirect.nft': SIDECAR_REDIRECTION },
  };
}

function deployment(mode: Mode, name: 'client' | 'server', replicas: number): Manifest {
  const isSidecar = mode === 'sidecar';
  return {
    ...own(mode, 'apps/v1', 'Deployment', name),
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          serviceAccountName: name,
          terminationGracePeriodSeconds: 1,
          ...(isSidecar && { initContainers: sidecarInitContainers() }),
          containers: [application(name), ...(isSidecar ? [sidecarContainer()] : [])],
          ...(isSidecar && { volumes: sidecarVolumes() }),
        },
      },
    },
  };
}

function application(name: 'client' | 'server'): object {
  return name === 'client'
    ? { name: 'load', image: 'aquifer/load-generator:dev' }
    : {
        name: 'echo',
        image: 'aquifer/echo:dev',
        ports: [{ containerPort: APPLICATION_PORT }],
      };
}

const CONFIG_MOUNT = { name: 'config', mountPath: '/etc/envoy' };
const CERTIFICATE_MOUNT = { name: 'certificates', mountPath: CERTIFICATE_DIRECTORY };

function sidecarInitContainers(): object[] {
  const field = (name: string, fieldPath: string) => ({
    name,
    valueFrom: { fieldRef: { fieldPath } },
  });
  return [
    {
      name: 'certificate',
      image: 'aquifer/certificate-files:dev',
      env: [
        { name: 'OUTPUT_DIRECTORY', value: CERTIFICATE_DIRECTORY },
        field('POD_NAMESPACE', 'metadata.namespace'),
        field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
      ],
      securityContext: { runAsUser: SIDECAR_USER },
      volumeMounts: [
        CERTIFICATE_MOUNT,
        { name: 'istio-token', mountPath: '/var/run/secrets/tokens' },
        { name: 'istiod-ca-cert', mountPath: '/var/run/secrets/istio' },
      ],
    },
    {
      name: 'redirection',
      image: 'debian:stable',
      command: ['nft', '-f', `${CONFIG_MOUNT.mountPath}/redirect.nft`],
      securityContext: { capabilities: { add: ['NET_ADMIN'] } },
      volumeMounts: [CONFIG_MOUNT],
    },
  ];
}

function sidecarContainer(): object {
  const quiet = ['--log-level', 'warning', '--disable-hot-restart'];
  return {
    name: PROXY_CONTAINER,
    image: 'envoyproxy/envoy:v1.40.0',
    args: ['-c', `${CONFIG_MOUNT.mountPath}/envoy.yaml`, '--concurrency', '2', ...quiet],
    securityContext: { runAsUser: SIDECAR_USER },
    volumeMounts: [CONFIG_MOUNT, CERTIFICATE_MOUNT],
  };
}

function sidecarVolumes(): object[] {
  const token = { path: 'istio-token', audience: 'istio-ca', expirationSeconds: 43_200 };
  return [
    { name: 'config', configMap: { name: 'sidecar' } },
    { name: 'certificates', emptyDir: {} },
    { name: 'istio-token', projected: { sources: [{ serviceAccountToken: token }] } },
    { name: 'istiod-ca-cert', configMap: { name: 'istio-ca-root-cert' } },
  ];
}
