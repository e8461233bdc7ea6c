/** What the dashboard shows of a cluster: the mesh, and the programs that people look at it with. */
import type { DashboardSource, Page, PageGroup } from '@aquifer/dashboard';
import type { V1Pod } from '@kubernetes/client-node';
import type { Cluster } from './cluster.ts';
import { connectToPod } from './pod-connection.ts';

type PageOfKind = Pick<Page, 'port' | 'title' | 'path'>;

/** A group of pods, how they are told, and what each of them has to show. */
interface Kind {
  readonly title: string;
  readonly isOf: (pod: V1Pod) => boolean;
  readonly pages: readonly PageOfKind[];
}

const SYSTEM = 'istio-system';
const GATEWAY = 'gateway.networking.k8s.io/gateway-name';

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
    isOf: (pod) => pod.metadata?.labels?.[GATEWAY] !== undefined,
    pages: [
      { port: 15_000, title: 'admin' },
      { port: 15_020, title: 'metrics', path: '/stats/prometheus' },
    ],
  },
  {
    title: 'To look at it with',
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
    groups: async () => {
      const { items } = await cluster.core.listPodForAllNamespaces();
      return KINDS.map((kind) => groupOf(kind, items));
    },
  };
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
