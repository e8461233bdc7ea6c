/** The roots and revocations in every namespace, where pods mount them (spec control-plane 3.7), and what Secrets keep of the authority. */
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { nameOf } from '../derive/object.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { CONFIG_LABEL, collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { base64Values, SELF_SIGNED } from './authority-store.ts';
import type { AuthorityFacts, RootRenewal } from './mesh-authority.ts';
import { hasCertificates } from './pem.ts';
import { trustedRootsPath, trustedRootsSecret } from './trusted-roots.ts';

const MANAGER = 'istiod';
const EXCLUDED: readonly string[] = ['kube-public', 'kube-node-lease', 'local-path-storage'];

interface BundleMap {
  readonly name: string;
  readonly key: string;
  readonly textOf: (facts: AuthorityFacts) => string | null;
  /** Whether what is there will do. */
  readonly isGood: (actual: string, wanted: string, writers: AuthorityFacts['writers']) => boolean;
}

const BUNDLE_MAPS: readonly BundleMap[] = [
  {
    name: 'istio-ca-root-cert',
    key: 'root-cert.pem',
    textOf: ({ rootBundle }) => rootBundle,
    isGood: (actual, wanted, writers) =>
      actual === wanted || (writers === 'others' && hasCertificates(actual, wanted)),
  },
  {
    name: 'istio-ca-crl',
    key: 'ca-crl.pem',
    textOf: ({ revocations }) => revocations,
    isGood: (actual, wanted) => actual === wanted,
  },
];

/** As Istio names it. */
export const TRUST_BUNDLE = 'istio.io:istiod-ca:root-cert';
const TRUST_BUNDLE_SIGNER = 'istio.io/istiod-ca';

/** The roots for all who read them from the API of Kubernetes itself. */
export function clusterTrustBundleWishes(
  graph: Graph,
  cluster: ClusterInputs,
  facts: Collection<AuthorityFacts>,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for the trust bundle',
    facts,
    ({ rootBundle: trustBundle }, context) => {
      const existing = context.get(cluster.of('ClusterTrustBundle'), objectKey('', TRUST_BUNDLE));
      if (existing?.spec?.trustBundle === trustBundle) return [];
      const { apiVersion } = WATCHED_KINDS.ClusterTrustBundle;
      const path = `${collectionPath(WATCHED_KINDS.ClusterTrustBundle)}/${TRUST_BUNDLE}`;
      const metadata = { name: TRUST_BUNDLE, labels: { [CONFIG_LABEL]: 'true' } };
      const spec = { signerName: TRUST_BUNDLE_SIGNER, trustBundle };
      const body = { apiVersion, kind: 'ClusterTrustBundle', metadata, spec };
      const write = { verb: 'apply', path, body, fieldManager: MANAGER } as const;
      const seen = existing?.metadata.resourceVersion ?? '';
      return [[path, { fingerprint: `${seen} ${trustBundle}`, write }]];
    },
    isSameWish,
  );
}

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
  { name: mapName, key, textOf, isGood }: BundleMap,
): Collection<Wish> {
  const texts = graph.map(`text of ${mapName}`, facts, (known) => {
    const text = textOf(known);
    return text === null ? null : { text, writers: known.writers };
  });
  return graph.flatMap(
    `wishes for ${mapName}`,
    cluster.of('Namespace'),
    (namespace, context) => {
      const name = nameOf(namespace);
      if (EXCLUDED.includes(name) || namespace.status?.phase === 'Terminating') return [];
      const wanted = context.get(texts, '');
      const existing = context.get(cluster.of('ConfigMap'), objectKey(name, mapName));
      // A list of revocations that is no longer given stays: what was revoked must not come back by mistake.
      if (wanted === undefined) return [];
      const { text, writers } = wanted;
      if (isGood(existing?.data?.[key] ?? '', text, writers)) return [];
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
