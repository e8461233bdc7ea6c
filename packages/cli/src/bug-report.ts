/** What goes into a bug report: path in the archive → what makes its text. */
import type { KubernetesObject } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { askPod } from './admin-client.ts';
import type { Cluster } from './cluster.ts';
import { checkCluster } from './cluster-checks.ts';
import { readDefinitions } from './installation/render.ts';
import { GATEWAY_NAME } from './waypoint-gateways.ts';

type Files = [path: string, text: () => Promise<string>][];

const NAMESPACE = 'istio-system';
/** On ConfigMaps that lie over what Gateways of a class become. */
const DEFAULTS_FOR_CLASS = 'gateway.istio.io/defaults-for-class';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** The part of a pod in the mesh, which says what it can be asked for. */
export interface MeshPod {
  readonly namespace: string;
  readonly name: string;
  readonly part: 'istiod' | 'ztunnel' | 'waypoint';
  readonly hasRestarted: boolean;
}

/** Pages of each part: port, path, and the name of the file. */
const PAGES: Readonly<Record<MeshPod['part'], readonly (readonly [number, string, string])[]>> = {
  istiod: [
    [15_014, '/metrics', 'metrics.txt'],
    [15_014, '/debug/syncz', 'syncz.json'],
    [15_014, '/debug/configz', 'configz.json'],
    [15_014, '/debug/ambientz', 'ambientz.json'],
    [8080, '/ready', 'ready.txt'],
  ],
  ztunnel: [
    [15_020, '/metrics', 'metrics.txt'],
    [15_000, '/config_dump', 'config_dump.json'],
    [15_021, '/healthz/ready', 'ready.txt'],
  ],
  waypoint: [
    [15_020, '/stats/prometheus', 'metrics.txt'],
    [15_000, '/config_dump?include_eds', 'config_dump.json'],
    [15_000, '/clusters?format=json', 'clusters.json'],
    [15_000, '/server_info', 'server_info.json'],
  ],
};

/** Without Secrets, without values of environments, and with ConfigMaps of the mesh only. */
export function clusterFacts(cluster: Cluster): Files {
  const { core, apps } = cluster;
  const list = (found: Promise<{ items: KubernetesObject[] }>) =>
    found.then(({ items }) => yaml(items.map(withoutSecrets)));
  const namespace = NAMESPACE;
  return [
    ['check.json', async () => `${JSON.stringify(await checkCluster(cluster), null, 2)}\n`],
    ['cluster/nodes.yaml', () => list(core.listNode())],
    ['cluster/namespaces.yaml', () => list(core.listNamespace())],
    ['cluster/pods.yaml', () => list(core.listPodForAllNamespaces())],
    ['cluster/services.yaml', () => list(core.listServiceForAllNamespaces())],
    ['istio-system/deployments.yaml', () => list(apps.listNamespacedDeployment({ namespace }))],
    ['istio-system/daemonsets.yaml', () => list(apps.listNamespacedDaemonSet({ namespace }))],
    [
      'istio-system/configmaps.yaml',
      () =>
        core
          .listNamespacedConfigMap({ namespace })
          .then(({ items }) => yaml(items.filter(isOfMesh).map(withoutSecrets))),
    ],
    ['istio-system/events.yaml', () => list(core.listNamespacedEvent({ namespace }))],
  ];
}

/** Those of the mesh, and what it reads; others there, such as Grafana's, have passwords. */
function isOfMesh({ metadata }: KubernetesObject): boolean {
  const { name = '', labels = {} } = metadata ?? {};
  return (
    name === 'istio' ||
    name.startsWith('istio-') ||
    labels['app.kubernetes.io/part-of'] === 'aquifer' ||
    DEFAULTS_FOR_CLASS in labels
  );
}

/** Of containers, and of their probes. */
const NAMED_VALUES: ReadonlySet<string> = new Set(['env', 'httpHeaders']);

/**
 * Passwords stand in the environment of many a container, wherever in an object it is, and once more in what kubectl keeps of
 * the object.
 */
function withoutSecrets<T extends object>(object: T): T {
  return JSON.parse(JSON.stringify(object), (key, value: unknown) => {
    if (NAMED_VALUES.has(key) && Array.isArray(value)) return value.map(withoutValue);
    if (key === LAST_APPLIED) return undefined;
    return value;
  }) as T;
}

function withoutValue(variable: object | null): object | null {
  if (variable === null || !('value' in variable)) return variable;
  const { value: _, ...named } = variable;
  return named;
}

/** Every object of the kinds that the mesh reads, a file for each kind that is installed. */
export function meshObjects({ objects }: Cluster): Files {
  const kinds = readDefinitions().map((definition) => {
    const { group, names, versions } = (
      definition as KubernetesObject & {
        spec: {
          group: string;
          names: { kind: string; plural: string };
          versions: { name: string; storage: boolean }[];
        };
      }
    ).spec;
    const version = (versions.find(({ storage }) => storage) ?? versions[0]!).name;
    return {
      apiVersion: `${group}/${version}`,
      kind: names.kind,
      file: `${names.plural}.${group}.yaml`,
    };
  });
  return kinds.map(({ apiVersion, kind, file }) => [
    `objects/${file}`,
    async () => yaml((await objects.list(apiVersion, kind)).items.map(withoutSecrets)),
  ]);
}

/** Pods of the control plane, node proxies, and waypoints. */
export async function listMeshPods({ core }: Cluster): Promise<MeshPod[]> {
  const { items } = await core.listPodForAllNamespaces();
  return items.flatMap(({ metadata, status }): MeshPod[] => {
    const part = partOf(metadata?.namespace, metadata?.labels ?? {});
    if (part === null || status?.phase !== 'Running') return [];
    const { namespace = '', name = '' } = metadata ?? {};
    const hasRestarted =
      status.containerStatuses?.some(({ restartCount }) => restartCount > 0) ?? false;
    return [{ namespace, name, part, hasRestarted }];
  });
}

function partOf(
  namespace: string | undefined,
  labels: Readonly<Record<string, string>>,
): MeshPod['part'] | null {
  if (GATEWAY_NAME in labels) return 'waypoint';
  if (namespace !== NAMESPACE) return null;
  return labels.app === 'istiod' || labels.app === 'ztunnel' ? labels.app : null;
}

/** Its log, that of its container before, and its pages. */
export function proxyFiles(cluster: Cluster, pod: MeshPod, lines: number): Files {
  const { namespace, name, part, hasRestarted } = pod;
  const folder = `${part}/${namespace}/${name}`;
  const log = (previous: boolean) =>
    cluster.core.readNamespacedPodLog({ namespace, name, previous, tailLines: lines });
  return [
    [`${folder}/log.txt`, () => log(false)],
    ...(hasRestarted
      ? [[`${folder}/log-before-restart.txt`, () => log(true)] as Files[number]]
      : []),
    ...PAGES[part].map(([port, path, file]): Files[number] => [
      `${folder}/${file}`,
      () => askPod(cluster, pod, { port, path }),
    ]),
  ];
}

function yaml(items: readonly object[]): string {
  return stringify(items, (key, value: unknown) => (key === 'managedFields' ? undefined : value), {
    aliasDuplicateObjects: false,
  });
}
