import type { Manifest } from './manifest.ts';

/** What the modes carry: the objects of an application, and where the load goes. */
export interface Workload {
  /** Where it comes from, for people. */
  readonly title: string;
  /** Without namespaces: each mode puts them into its own. */
  readonly objects: readonly Manifest[];
  /** HTTP ports of its Services; sidecars carry these, and nothing else. */
  readonly ports: readonly ServicePort[];
  /** Of the Service that the load is sent to. */
  readonly target: ServicePort;
  /** Name of the Deployment behind the target: it is scaled to reach a number of pods. */
  readonly scaled: string;
}

/** A port of a Service that speaks HTTP. */
export interface ServicePort {
  readonly service: string;
  readonly port: number;
  /** Number of the port of the pods. */
  readonly targetPort: number;
}

/** The parts of pods and Services that matter here. */
interface PodTemplate {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: PodSpec;
}
interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly object[];
  readonly volumes?: readonly object[];
  readonly serviceAccountName?: string;
}
interface Container {
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
}
interface ServiceSpec {
  readonly clusterIP?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly {
    readonly name?: string;
    readonly appProtocol?: string;
    readonly port: number;
    readonly targetPort?: number | string;
  }[];
}

/** Kinds that have a pod template, and whose pods get sidecars. */
const WITH_PODS = ['Deployment', 'StatefulSet', 'DaemonSet'];

/** The pod template of an object, or null. */
export function podTemplate(object: Manifest): PodTemplate | null {
  if (!WITH_PODS.includes(object.kind)) return null;
  return (object.spec as { readonly template: PodTemplate }).template;
}

/** Pods that an object asks for. */
export function podCount(object: Manifest): number {
  if (podTemplate(object) === null) return 0;
  return (object.spec as { readonly replicas?: number }).replicas ?? 1;
}

const ECHO_PORT: ServicePort = { service: 'server', port: 80, targetPort: 8080 };

/** A server that answers each request with a few hundred bytes of JSON. */
export const ECHO_WORKLOAD: Workload = {
  title: 'the echo server',
  ports: [ECHO_PORT],
  target: ECHO_PORT,
  scaled: 'server',
  objects: [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'server' } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'server' },
      spec: {
        selector: { app: 'server' },
        ports: [{ name: 'http', port: ECHO_PORT.port, targetPort: ECHO_PORT.targetPort }],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'server' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'server' } },
        template: {
          metadata: { labels: { app: 'server' } },
          spec: {
            serviceAccountName: 'server',
            terminationGracePeriodSeconds: 1,
            containers: [
              {
                name: 'echo',
                image: 'aquifer/echo:dev',
                ports: [{ containerPort: ECHO_PORT.targetPort }],
              },
            ],
          },
        },
      },
    },
  ],
};

/**
 * The workload of a user's manifests. The load goes to `service` (`NAME` or `NAME:PORT`; default: the first Service with
 * an HTTP port and a Deployment behind it). Throws an Error that says what is missing.
 */
export function workloadOf(
  title: string,
  objects: readonly Manifest[],
  service?: string,
): Workload {
  const own = objects
    .filter(({ kind }) => kind !== 'Namespace' && kind !== 'List')
    .map(withoutNamespace);
  const ports = own.flatMap((object) => httpPorts(object, own));
  const [wanted, wantedPort] = service?.split(':') ?? [];
  const candidates = ports
    .filter((port) => wanted === undefined || port.service === wanted)
    .filter(({ port }) => wantedPort === undefined || port === Number(wantedPort));
  for (const target of candidates) {
    const scaled = deploymentOf(target.service, own);
    if (scaled !== null) return { title, objects: own, ports, target, scaled };
  }
  const known = ports.map(({ service: name, port }) => `${name}:${port}`).join(', ');
  throw new Error(
    `${title}: no Service ${service ?? 'at all'} with an HTTP port and a Deployment behind it (HTTP ports are named http…, or have appProtocol http); found: ${known || 'none'}`,
  );
}

function withoutNamespace(object: Manifest): Manifest {
  const { namespace: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function httpPorts(object: Manifest, objects: readonly Manifest[]): ServicePort[] {
  const { ports = [], clusterIP } = (object.spec ?? {}) as ServiceSpec;
  if (object.kind !== 'Service' || clusterIP === 'None') return [];
  return ports
    .filter(({ name, appProtocol }) => (appProtocol ?? name)?.split('-')[0] === 'http')
    .flatMap(({ port, targetPort = port }) => {
      const number = typeof targetPort === 'number' ? targetPort : namedPort(targetPort, objects);
      return number === null ? [] : [{ service: object.metadata.name, port, targetPort: number }];
    });
}

function namedPort(name: string, objects: readonly Manifest[]): number | null {
  const containers = objects.flatMap((object) => podTemplate(object)?.spec.containers ?? []);
  const ports = containers.flatMap(({ ports: declared = [] }) => declared);
  return ports.find((port) => port.name === name)?.containerPort ?? null;
}

function deploymentOf(service: string, objects: readonly Manifest[]): string | null {
  const named = objects.find(
    ({ kind, metadata }) => kind === 'Service' && metadata.name === service,
  );
  const { selector = {} } = (named?.spec ?? {}) as ServiceSpec;
  const found = objects.find((object) => {
    const labels = podTemplate(object)?.metadata?.labels ?? {};
    const isSelected = Object.entries(selector).every(([key, value]) => labels[key] === value);
    return object.kind === 'Deployment' && isSelected;
  });
  return found?.metadata.name ?? null;
}
