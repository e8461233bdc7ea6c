/** The roots and revocations in every namespace, where pods mount them (spec control-plane 3.7), and what Secrets keep of the authority. */
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { nameOf } from '../derive/object.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { CONFIG_LABEL } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { base64Values, SELF_SIGNED } from './authority-store.ts';
import type { AuthorityFacts, RootRenewal } from './mesh-authority.ts';
import { trustedRootsPath, trustedRootsSecret } from './trusted-roots.ts';

const MANAGER = 'istiod';
const EXCLUDED: readonly string[] = ['kube-public', 'kube-node-lease', 'local-path-storage'];

interface BundleMap {
  readonly name: string;
  readonly key: string;
  readonly textOf: (facts: AuthorityFacts) => string | null;
}

const BUNDLE_MAPS: readonly BundleMap[] = [
  {
    name: 'istio-ca-root-cert',
    key: 'root-cert.pem',
    textOf: ({ rootBundle }) => rootBundle,
  },
  { name: 'istio-ca-crl', key: 'ca-crl.pem', textOf: ({ revocations }) => revocations },
];

/** Creates what is missing, restores what was changed. `facts` has one value, under `''`. */
export function authorityWishes(
  graph: Graph,
  cluster: ClusterInputs,
  facts: Collection<AuthorityFacts>,
  systemNamespace: string,
): Collection<Wish> {
  return graph.union(
    'wishes for the authority',
    ...BUNDLE_MAPS.map((map) => mapWishes(graph, cluster, facts, map)),
    graph.flatMap(
      'wishes for its Secrets',
      facts,
      ({ trustedRoots, renewal }) => [
        ...(trustedRoots === null ? [] : [rootsWish(systemNamespace, trustedRoots)]),
        ...(renewal === null ? [] : [renewalWish(systemNamespace, renewal)]),
      ],
      isSameWish,
    ),
  );
}

function mapWishes(
  graph: Graph,
  cluster: ClusterInputs,
  facts: Collection<AuthorityFacts>,
  { name: mapName, key, textOf }: BundleMap,
): Collection<Wish> {
  const texts = graph.map(`text of ${mapName}`, facts, textOf);
  return graph.flatMap(
    `wishes for ${mapName}`,
    cluster.of('Namespace'),
    (namespace, context) => {
      const name = nameOf(namespace);
      if (EXCLUDED.includes(name) || namespace.status?.phase === 'Terminating') return [];
      const text = context.get(texts, '');
      const existing = context.get(cluster.of('ConfigMap'), objectKey(name, mapName));
      // A list of revocations that is no longer given stays: what was revoked must not come back by mistake.
      if (text === undefined || existing?.data?.[key] === text) return [];
      const path = `/api/v1/namespaces/${name}/configmaps/${mapName}`;
      const body = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: mapName, namespace: name, labels: { [CONFIG_LABEL]: 'true' } },
        data: { [key]: text },
      };
      const seen = existing?.metadata.resourceVersion ?? namespace.metadata.uid;
      const write = { verb: 'apply', path, body, fieldManager: MANAGER } as const;
      return [[path, { fingerprint: `${seen} ${text}`, write }]];
    },
    isSameWish,
  );
}

type KeyedWish = readonly [string, Wish];

function rootsWish(namespace: string, text: string): KeyedWish {
  const path = trustedRootsPath(namespace);
  const body = trustedRootsSecret(namespace, text);
  const write = { verb: 'apply', path, body, fieldManager: MANAGER } as const;
  return [path, { fingerprint: text, write }];
}

function renewalWish(namespace: string, { resourceVersion, certificate }: RootRenewal): KeyedWish {
  const path = `/api/v1/namespaces/${namespace}/secrets/${SELF_SIGNED}`;
  const data = base64Values({ 'ca-cert.pem': certificate, 'root-cert.pem': certificate });
  const body = { metadata: { resourceVersion }, data };
  return [path, { fingerprint: resourceVersion, write: { verb: 'mergePatch', path, body } }];
}
