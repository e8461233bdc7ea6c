import { askPod } from './admin-client.ts';
import type { Cluster } from './cluster.ts';
import { controlPlanePods, MONITORING_PORT } from './control-plane-pods.ts';

/** What the control plane says of a proxy and one type that it subscribes to. */
export interface TypeStatus {
  readonly typeUrl: string;
  readonly configStatus?: 'NOT_SENT' | 'SYNCED' | 'STALE' | 'ERROR';
  readonly errorState?: { readonly details?: string };
}

export interface ProxyStatus {
  readonly proxy: string;
  readonly cluster_id?: string;
  readonly istio_version?: string;
  readonly genericXdsConfigs?: readonly TypeStatus[];
  /** The replica that serves it. */
  readonly istiod: string;
}

/** Every proxy that is connected to a replica of the control plane, by name. Throws if there is none of these. */
export async function proxyStatuses(cluster: Cluster): Promise<readonly ProxyStatus[]> {
  const page = { port: MONITORING_PORT, path: '/debug/syncz' };
  const answers = await Promise.all(
    (await controlPlanePods(cluster)).map(async (pod) => {
      const proxies = JSON.parse(await askPod(cluster, pod, page)) as ProxyStatus[];
      return proxies.map((proxy) => ({ ...proxy, istiod: pod.name }));
    }),
  );
  return answers.flat().toSorted((a, b) => (a.proxy < b.proxy ? -1 : 1));
}
