import { type Mode, modeNamespace } from '../modes.ts';
import { headlessName, withSidecar } from './injection.ts';
import type { Manifest } from './manifest.ts';
import { type SidecarEngine, type SidecarOptions, sidecarRedirection } from './sidecar.ts';
import { sidecarBootstrap } from './sidecar-bootstrap.ts';
import { podCount, podTemplate, type Workload } from './workload.ts';

export interface ManifestOptions {
  readonly mode: Mode;
  readonly workload: Workload;
  /** Pods in all, the client that makes the load included. */
  readonly pods: number;
  readonly trustDomain: string;
}

/** Name of the waypoint's Gateway and of its pods' label `gateway.networking.k8s.io/gateway-name`. */
const WAYPOINT_NAME = 'waypoint';
/** Label of the pod that makes the load. */
export const CLIENT_LABELS = { 'aquifer.dev/compare': 'client' } as const;

const CLIENT = 'aquifer-load';
const SIDECAR_ENGINES: Partial<Record<Mode, SidecarEngine>> = {
  sidecar: 'envoy',
  'own-sidecar': 'aquifer',
};
/** What callers inside of the namespace may do, in every mode that has a policy for HTTP. */
const ALLOWED_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Everything that a mode needs, in the order in which to apply it: the namespace first. */
export function modeManifests(options: ManifestOptions): Manifest[] {
  const { mode, workload } = options;
  const engine = SIDECAR_ENGINES[mode];
  return [
    namespace(mode),
    own(mode, 'v1', 'ServiceAccount', CLIENT),
    ...(engine === undefined ? [] : sidecarObjects(options, engine)),
    ...(mode === 'waypoint' ? [waypoint(mode)] : []),
    ...(mode === 'ambient' || mode === 'waypoint' ? [policy(options)] : []),
    ...workload.objects
      .filter((object) => podTemplate(object) === null)
      .map((object) => placed(object, mode)),
    ...podManifests(options),
  ];
}

/** Of `modeManifests`, those that run pods: to apply again for another number of pods. */
export function podManifests(options: ManifestOptions): Manifest[] {
  const { mode, workload } = options;
  const engine = SIDECAR_ENGINES[mode];
  const withPods = workload.objects.filter((object) => podTemplate(object) !== null);
  return [client(options), ...withPods.map((object) => scaled(object, options))].map((object) =>
    engine === undefined ? object : withSidecar(object, engine),
  );
}

/** The fewest pods that a workload can have, the client included. */
export function fewestPods(workload: Workload): number {
  const others = workload.objects
    .filter(({ metadata }) => metadata.name !== workload.scaled)
    .reduce((sum, object) => sum + podCount(object), 0);
  return others + 2;
}

/** Where the client sends its requests. */
export function targetUrl(mode: Mode, { target }: Workload): string {
  return `http://${target.service}.${modeNamespace(mode)}:${target.port}/`;
}

function own(mode: Mode, apiVersion: string, kind: string, name: string): Manifest {
  return { apiVersion, kind, metadata: { name, namespace: modeNamespace(mode) } };
}

function placed(object: Manifest, mode: Mode): Manifest {
  return { ...object, metadata: { ...object.metadata, namespace: modeNamespace(mode) } };
}

function namespace(mode: Mode): Manifest {
  const labels: Readonly<Record<Mode, Record<string, string>>> = {
    none: {},
    sidecar: {},
    'own-sidecar': {},
    ambient: { 'istio.io/dataplane-mode': 'ambient' },
    waypoint: { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': WAYPOINT_NAME },
  };
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: modeNamespace(mode), labels: labels[mode] },
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

/** The rule that every mode with a mesh enforces, where it can: identities of the namespace may use the methods of `ALLOWED_METHODS`. */
function policy({ mode }: ManifestOptions): Manifest {
  const from = [{ source: { namespaces: [modeNamespace(mode)] } }];
  const isL7 = mode === 'waypoint';
  const targetRefs = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: WAYPOINT_NAME }];
  return {
    ...own(mode, 'security.istio.io/v1', 'AuthorizationPolicy', 'inside'),
    spec: {
      action: 'ALLOW',
      ...(isL7 && { targetRefs }),
      rules: [{ from, ...(isL7 && { to: [{ operation: { methods: ALLOWED_METHODS } }] }) }],
    },
  };
}

function sidecarObjects(
  { mode, workload, trustDomain }: ManifestOptions,
  engine: SidecarEngine,
): Manifest[] {
  const { ports } = workload;
  const options: SidecarOptions = {
    engine,
    trustDomain,
    namespace: modeNamespace(mode),
    ports,
    accounts: accountsOf(workload),
    headlessName,
    methods: ALLOWED_METHODS,
  };
  const services = new Set(ports.map(({ service }) => service));
  const headless = workload.objects.filter(
    ({ kind, metadata }) => kind === 'Service' && services.has(metadata.name),
  );
  return [
    {
      ...own(mode, 'v1', 'ConfigMap', 'sidecar'),
      data: {
        'envoy.yaml': JSON.stringify(sidecarBootstrap(options)),
        'redirect.nft': sidecarRedirection(options),
      },
    },
    ...headless.map((object) => ({
      ...own(mode, 'v1', 'Service', headlessName(object.metadata.name)),
      spec: { ...(object.spec as object), clusterIP: 'None' },
    })),
  ];
}

/** Of everything that serves. */
function accountsOf({ objects }: Workload): string[] {
  const templates = objects.flatMap((object) => podTemplate(object) ?? []);
  return [...new Set(templates.map(({ spec }) => spec.serviceAccountName ?? 'default'))];
}

function client({ mode }: ManifestOptions): Manifest {
  return {
    ...own(mode, 'apps/v1', 'Deployment', CLIENT),
    spec: {
      replicas: 1,
      selector: { matchLabels: CLIENT_LABELS },
      template: {
        metadata: { labels: CLIENT_LABELS },
        spec: {
          serviceAccountName: CLIENT,
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'load', image: 'aquifer/load-generator:dev' }],
        },
      },
    },
  };
}

function scaled(object: Manifest, options: ManifestOptions): Manifest {
  const { mode, workload, pods } = options;
  const template = podTemplate(object)!;
  const replicas =
    object.metadata.name === workload.scaled
      ? pods - fewestPods(workload) + 1
      : (object.spec as { replicas?: number }).replicas;
  const containers = template.spec.containers.map(withoutProbes);
  return placed(
    {
      ...object,
      spec: {
        ...(object.spec as object),
        ...(object.kind !== 'DaemonSet' && replicas !== undefined && { replicas }),
        template: { ...template, spec: { ...template.spec, containers } },
      },
    },
    mode,
  );
}

/** Sidecars need probes rewritten, which is the injector's business: so there are none, in any mode. */
function withoutProbes(container: object): object {
  const probes = ['readinessProbe', 'livenessProbe', 'startupProbe'];
  return Object.fromEntries(Object.entries(container).filter(([key]) => !probes.includes(key)));
}
