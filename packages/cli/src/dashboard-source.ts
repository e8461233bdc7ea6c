/** What the dashboard shows of a cluster: the mesh, and the programs that people look at it with. */
import type { DashboardSource, EnrolledNamespace, Page, PageGroup } from '@aquifer/dashboard';
import type { V1Namespace, V1Pod } from '@kubernetes/client-node';
import type { Cluster } from './cluster.ts';
import { AMBIENT, capturedCondition, isToBeCaptured } from './enrolment.ts';
import { connectToPod } from './pod-connection.ts';
import { GATEWAY_NAME, USE_WAYPOINT } from './waypoint-gateways.ts';

type PageOfKind = Pick<Page, 'port' | 'title' | 'path'>;

/** A group of pods, how they are told, and what each of them has to show. */
interface Kind {
  readonly title: string;
  readonly isOf: (pod: V1Pod) => boolean;
  readonly pages: readonly PageOfKind[];
}

const SYSTEM = 'istio-system';

const KINDS: readonly Kind[] = [
  {
    title: 'Control plane',
    isOf: (pod) => pod.metadata?.namespace === SYSTEM && pod.metadata.labels?.app === 'istiod',
    pages: [
      { port: 8080, title: 'debug', path: '/debug' },
      { port: 15_014, title: 'metrics', path: '/metrics' },
    ],
  },
  {
    title: 'Node proxies',
    isOf: (pod) => pod.metadata?.namespace === SYSTEM && pod.metadata.labels?.app === 'ztunnel',
    pages: [
      { port: 15_000, title: 'admin' },
      { port: 15_020, title: 'metrics', path: '/metrics' },
    ],
  },
  {
    title: 'Waypoints and gateways',
    isOf: (pod) => pod.metadata?.labels?.[GATEWAY_NAME] !== undefined,
    pages: [
      { port: 15_000, title: 'admin' },
      { port: 15_020, title: 'metrics', path: '/stats/prometheus' },
    ],
  },
  {
    title: 'Prometheus, Grafana, Kiali and Jaeger',
    isOf: (pod) => toolOf(pod) !== undefined,
    pages: [],
  },
];

/** By the label that their charts and Istio's samples give their pods. */
const TOOLS: Readonly<Record<string, PageOfKind>> = {
  prometheus: { port: 9090, title: 'Prometheus' },
  grafana: { port: 3000, title: 'Grafana' },
  kiali: { port: 20_001, title: 'Kiali' },
  jaeger: { port: 16_686, title: 'Jaeger' },
};

export function clusterSource(cluster: Cluster): DashboardSource {
  return {
    cluster: cluster.config.getCurrentContext(),
    connect: ({ namespace, pod, port }) => connectToPod(cluster, { namespace, name: pod }, port),
    view: async () => {
      const [{ items: namespaces }, { items: pods }] = await Promise.all([
        cluster.core.listNamespace(),
        cluster.core.listPodForAllNamespaces(),
      ]);
      return {
        namespaces: namespaces.flatMap((namespace) => enrolled(namespace, pods)),
        groups: KINDS.map((kind) => groupOf(kind, pods)),
      };
    },
  };
}

/** None for a namespace that is not enrolled, and of which no pod is. */
function enrolled({ metadata }: V1Namespace, pods: readonly V1Pod[]): EnrolledNamespace[] {
  const { name = '', labels = {} } = metadata ?? {};
  const isWhole = labels[AMBIENT] === 'ambient';
  const own = pods.filter(
    (pod) =>
      pod.metadata?.namespace === name &&
      (isWhole || pod.metadata.labels?.[AMBIENT] === 'ambient') &&
      isToBeCaptured(pod),
  );
  if (!isWhole && own.length === 0) return [];
  const captured = own.filter((pod) => capturedCondition(pod)?.status === 'True').length;
  return [{ name, pods: own.length, captured, waypoint: waypointOf(labels) }];
}

function waypointOf(labels: Readonly<Record<string, string>>): string | null {
  const name = labels[USE_WAYPOINT];
  if (name === undefined || name === 'none') return null;
  const namespace = labels[`${USE_WAYPOINT}-namespace`];
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function groupOf({ title, isOf, pages }: Kind, pods: readonly V1Pod[]): PageGroup {
  const rows = pods.filter(isOf).map((pod) => {
    const named = { namespace: pod.metadata!.namespace!, pod: pod.metadata!.name! };
    const tool = toolOf(pod);
    const shown = tool === undefined ? pages : [tool];
    return {
      ...named,
      node: pod.spec?.nodeName ?? '',
      state: stateOf(pod),
      pages: shown.map((page): Page => ({ ...named, ...page })),
    };
  });
  return { title, rows };
}

function toolOf({ metadata }: V1Pod): PageOfKind | undefined {
  const { app, 'app.kubernetes.io/name': name } = metadata?.labels ?? {};
  return TOOLS[name ?? ''] ?? TOOLS[app ?? ''];
}

function stateOf({ metadata, status }: V1Pod): string {
  if (metadata?.deletionTimestamp !== undefined) return 'Terminating';
  const isReady = status?.conditions?.some(
    ({ type, status: is }) => type === 'Ready' && is === 'True',
  );
  return isReady === true ? 'Ready' : (status?.phase ?? 'Unknown');
}
