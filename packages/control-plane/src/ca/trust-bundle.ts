/** The root certificates in every namespace, where pods mount them (spec control-plane 3.7). */
import { nameOf } from '../derive/object.ts';
import type { ClusterState } from '../ingest/cluster-state.ts';
import { CONFIG_LABEL } from '../ingest/kinds.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import type { WriteQueue } from '../reconcile/write-queue.ts';

const CONFIG_MAP = 'istio-ca-root-cert';
const KEY = 'root-cert.pem';
const EXCLUDED: readonly string[] = ['kube-public', 'kube-node-lease', 'local-path-storage'];

/** Creates what is missing, restores what was changed. */
export function distributeRoots(
  state: Pick<ClusterState, 'Namespace' | 'ConfigMap'>,
  rootBundle: string,
  queue: WriteQueue,
  api: Pick<KubernetesApi, 'apply'>,
): void {
  for (const namespace of state.Namespace) {
    const name = nameOf(namespace);
    if (EXCLUDED.includes(name) || namespace.status?.phase === 'Terminating') continue;
    const existing = state.ConfigMap.get(name, CONFIG_MAP);
    if (existing?.data?.[KEY] === rootBundle) continue;
    const path = `/api/v1/namespaces/${name}/configmaps/${CONFIG_MAP}`;
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: CONFIG_MAP, namespace: name, labels: { [CONFIG_LABEL]: 'true' } },
      data: { [KEY]: rootBundle },
    };
    const seen = existing?.metadata.resourceVersion ?? namespace.metadata.uid;
    queue.wish(path, `${seen} ${rootBundle}`, () => api.apply(path, body, 'istiod'));
  }
}
