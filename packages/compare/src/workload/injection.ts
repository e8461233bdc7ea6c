import type { Manifest } from './manifest.ts';
import {
  PROXY_CONTAINER,
  SIDECAR_CERTIFICATES,
  SIDECAR_USER,
  type SidecarEngine,
} from './sidecar.ts';
import { podTemplate } from './workload.ts';

const CONFIG_MOUNT = { name: 'aquifer-sidecar', mountPath: '/etc/envoy' };
const CERTIFICATE_MOUNT = { name: 'aquifer-certificates', mountPath: SIDECAR_CERTIFICATES };

/** The name of the headless twin of a Service, which resolves to its pods: sidecars balance among them by themselves. */
export function headlessName(service: string): string {
  return `${service}-pods`;
}

/** The same object with a sidecar in each of its pods, as an injector would add it. */
export function withSidecar(object: Manifest, engine: SidecarEngine): Manifest {
  const template = podTemplate(object)!;
  const { spec } = template;
  const injected = {
    ...spec,
    initContainers: [...initContainers(), ...(spec.initContainers ?? [])],
    containers: [...spec.containers, sidecarContainer(engine)],
    volumes: [...(spec.volumes ?? []), ...volumes()],
  };
  return {
    ...object,
    spec: { ...(object.spec as object), template: { ...template, spec: injected } },
  };
}

function initContainers(): object[] {
  const field = (name: string, fieldPath: string) => ({
    name,
    valueFrom: { fieldRef: { fieldPath } },
  });
  return [
    {
      name: 'aquifer-certificate',
      image: 'aquifer/certificate-files:dev',
      env: [
        { name: 'OUTPUT_DIRECTORY', value: SIDECAR_CERTIFICATES },
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
      name: 'aquifer-redirection',
      image: 'debian:stable',
      command: ['nft', '-f', `${CONFIG_MOUNT.mountPath}/redirect.nft`],
      securityContext: { capabilities: { add: ['NET_ADMIN'] } },
      volumeMounts: [CONFIG_MOUNT],
    },
  ];
}

function sidecarContainer(engine: SidecarEngine): object {
  return {
    name: PROXY_CONTAINER,
    ...PROGRAMS[engine],
    securityContext: { runAsUser: SIDECAR_USER },
    volumeMounts: [CONFIG_MOUNT, CERTIFICATE_MOUNT],
  };
}

const BOOTSTRAP = `${CONFIG_MOUNT.mountPath}/envoy.yaml`;
const QUIET = ['--log-level', 'warning', '--disable-hot-restart'];
const PROGRAMS: Readonly<Record<SidecarEngine, object>> = {
  envoy: {
    image: 'envoyproxy/envoy:v1.40.0',
    args: ['-c', BOOTSTRAP, '--concurrency', '2', ...QUIET],
  },
  aquifer: {
    image: 'aquifer/waypoint:dev',
    env: [{ name: 'WAYPOINT_BOOTSTRAP', value: BOOTSTRAP }],
  },
};

function volumes(): object[] {
  const token = { path: 'istio-token', audience: 'istio-ca', expirationSeconds: 43_200 };
  return [
    { name: CONFIG_MOUNT.name, configMap: { name: 'sidecar' } },
    { name: CERTIFICATE_MOUNT.name, emptyDir: {} },
    { name: 'istio-token', projected: { sources: [{ serviceAccountToken: token }] } },
    { name: 'istiod-ca-cert', configMap: { name: 'istio-ca-root-cert' } },
  ];
}
