import type { ComparisonCluster } from '@aquifer/compare';
import { askPod } from './admin-client.ts';
import { isNotFound } from './api-errors.ts';
import type { Cluster } from './cluster.ts';

/** A cluster as comparisons see it. `processes` are those of this machine that are the cluster itself. */
export function comparisonCluster(
  cluster: Cluster,
  processes: readonly number[],
): ComparisonCluster {
  const { core } = cluster;
  return {
    processes,
    apply: (object) => cluster.apply(object),
    pods: async (namespace) => (await core.listNamespacedPod({ namespace })).items,
    nodeCount: async () => (await core.listNode()).items.length,
    ask: (pod, page) => askPod(cluster, pod, page),
    removeNamespace: async (name) => {
      await core.deleteNamespace({ name }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    },
    hasNamespace: async (name) => {
      try {
        await core.readNamespace({ name });
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
  };
}
