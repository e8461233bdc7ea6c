/** The root certificates in every namespace, where pods mount them (spec control-plane 3.7). */
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { nameOf } from '../derive/object.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { CONFIG_LABEL } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';

const CONFIG_MAP = 'istio-ca-root-cert';
const KEY = 'root-cert.pem';
const EXCLUDED: readonly string[] = ['kube-public', 'kube-node-lease', 'local-path-storage'];

/** Creates what is missing, restores what was changed. */
export function rootWishes(
  graph: Graph,
  cluster: ClusterInputs,
  rootBundle: string,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for roots',
    cluster.of('Namespace'),
    (namespace, context) => {
      const name = nameOf(namespace);
      if (EXCLUDED.includes(name) || namespace.status?.phase === 'Terminating') return [];
      const existing = context.get(cluster.of('ConfigMap'), objectKey(name, CONFIG_MAP));
      if (existing?.data?.[KEY] === rootBundle) return [];
      const path = `/api/v1/namespaces/${name}/configmaps/${CONFIG_MAP}`;
      const body = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: CONFIG_MAP, namespace: name, labels: { [CONFIG_LABEL]: 'true' } },
        data: { [KEY]: rootBundle },
      };
      const seen = existing?.metadata.resourceVersion ?? namespace.metadata.uid;
      const write = { verb: 'apply', path, body, fieldManager: 'istiod' } as const;
      return [[path, { fingerprint: `${seen} ${rootBundle}`, write }]];
    },
    isSameWish,
  );
}
