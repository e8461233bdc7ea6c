/** What containers of a cluster use now, from whoever knows: Prometheus, the metrics API, or the kubelets. */
import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';

/** Quantities as Kubernetes writes them. */
interface Usage {
  readonly cpu?: string;
  readonly memory?: string;
}

export interface ContainerUsage {
  readonly source: 'Prometheus' | 'metrics API' | 'kubelets';
  /** By `NAMESPACE/POD/CONTAINER`. */
  readonly byContainer: ReadonlyMap<string, Usage>;
}

/** Null where neither the metrics API nor the kubelets can be asked: not there, or not ours to read. */
export async function containerUsage(cluster: Cluster): Promise<ContainerUsage | null> {
  return (await ofMetricsApi(cluster)) ?? (await ofKubelets(cluster));
}

interface PodMetrics {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly containers: readonly { readonly name: string; readonly usage: Usage }[];
}

async function ofMetricsApi({ custom }: Cluster): Promise<ContainerUsage | null> {
  const kind = { group: 'metrics.k8s.io', version: 'v1beta1', plural: 'pods' };
  try {
    const { items } = (await custom.listClusterCustomObject(kind)) as { items: PodMetrics[] };
    const byContainer = new Map(
      items.flatMap(({ metadata: { namespace, name: pod }, containers }) =>
        containers.map(({ name, usage }) => [`${namespace}/${pod}/${name}`, usage]),
      ),
    );
    return { source: 'metrics API', byContainer };
  } catch {
    return null;
  }
}

/** A kubelet's `/stats/summary`, as far as it matters here. */
interface Summary {
  readonly pods?: readonly {
    readonly podRef: { readonly name: string; readonly namespace: string };
    readonly containers?: readonly {
      readonly name: string;
      readonly cpu?: { readonly usageNanoCores?: number };
      readonly memory?: { readonly workingSetBytes?: number };
    }[];
  }[];
}

async function ofKubelets({ core }: Cluster): Promise<ContainerUsage | null> {
  const { items: nodes } = await core.listNode();
  const byContainer = new Map<string, Usage>();
  try {
    for (const { metadata } of nodes) {
      const answer: unknown = await core.connectGetNodeProxyWithPath({
        name: metadata!.name!,
        path: 'stats/summary',
      });
      const { pods = [] } = (typeof answer === 'string' ? JSON.parse(answer) : answer) as Summary;
      for (const { podRef, containers = [] } of pods) {
        for (const { name, cpu, memory } of containers) {
          byContainer.set(`${podRef.namespace}/${podRef.name}/${name}`, {
            cpu: `${cpu?.usageNanoCores ?? 0}n`,
            memory: `${memory?.workingSetBytes ?? 0}`,
          });
        }
      }
    }
  } catch {
    return null;
  }
  return { source: 'kubelets', byContainer };
}

/** Of the last five minutes, which a kubelet's own metrics tell (cAdvisor). */
const OF_CONTAINERS = '{container!="",container!="POD"}';
const CPU_QUERY = `sum by (namespace, pod, container) (rate(container_cpu_usage_seconds_total${OF_CONTAINERS}[5m]))`;
const MEMORY_QUERY = `sum by (namespace, pod, container) (container_memory_working_set_bytes${OF_CONTAINERS})`;
/** Each request once: by the proxy before its server. */
const REQUESTS_QUERY = 'sum(rate(istio_requests_total{reporter=~"destination|waypoint"}[5m]))';

/** What Prometheus knows: usage, and requests per second where a mesh counts them. Throws if it cannot be asked. */
export async function prometheusUsage(
  address: string,
): Promise<{ readonly usage: ContainerUsage; readonly rps: number | null }> {
  const [cpu, memory, requests] = await Promise.all(
    [CPU_QUERY, MEMORY_QUERY, REQUESTS_QUERY].map((query) => ask(address, query)),
  );
  const byContainer = new Map<string, Usage>();
  const add = (samples: readonly Sample[], asUsage: (value: number) => Usage): void => {
    for (const { metric, value } of samples) {
      const key = `${metric.namespace}/${metric.pod}/${metric.container}`;
      byContainer.set(key, { ...byContainer.get(key), ...asUsage(Number(value[1])) });
    }
  };
  add(cpu!, (cores) => ({ cpu: `${Math.round(cores * 1e9)}n` }));
  add(memory!, (bytes) => ({ memory: `${Math.round(bytes)}` }));
  const counted = requests![0]?.value[1];
  return {
    usage: { source: 'Prometheus', byContainer },
    rps: counted === undefined ? null : Number(counted),
  };
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function ask(address: string, query: string): Promise<readonly Sample[]> {
  const url = `${address.replace(/\/$/, '')}/api/v1/query?query=${encodeURIComponent(query)}`;
  try {
    const response = await fetch(url);
    const text = await response.text();
    if (!response.ok) throw new Error(`it answers ${response.status}: ${text.slice(0, 200)}`);
    return (JSON.parse(text) as { data: { result: Sample[] } }).data.result;
  } catch (error) {
    const { message, cause } = error as Error;
    throw new CliError(
      `Prometheus at ${address} cannot be asked: ${cause instanceof Error ? cause.message : message}`,
      'one in the cluster is reached by: kubectl port-forward -n istio-system svc/prometheus 9090; then --prometheus http://localhost:9090',
    );
  }
}
