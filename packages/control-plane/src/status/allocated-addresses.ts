/** The addresses that hosts of ServiceEntries are given, as writes that are missing. */
import type { ServiceEntry } from '@aquifer/model/resources';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { AllocatedAddress } from '../derive/allocated-addresses.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { nameOf, namespaceOf } from '../derive/object.ts';
import type { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';

/** Hosts keep what they have; what is not theirs any more is cleared. */
export function addressWishes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for addresses',
    cluster.of('ServiceEntry'),
    (entry, context, key) => wishFor(entry, context.get(mesh.allocatedAddresses, key) ?? []),
    isSameWish,
  );
}

function wishFor(
  entry: ServiceEntry,
  addresses: readonly AllocatedAddress[],
): readonly (readonly [string, Wish])[] {
  const stored = entry.status?.addresses ?? [];
  if (textOf(stored) === textOf(addresses)) return [];
  const { apiVersion } = WATCHED_KINDS.ServiceEntry;
  const [namespace, name] = [namespaceOf(entry), nameOf(entry)];
  const path = `${collectionPath(WATCHED_KINDS.ServiceEntry, namespace)}/${name}/status`;
  const metadata = { namespace, name };
  const body = { apiVersion, kind: 'ServiceEntry', metadata, status: { addresses } };
  const fingerprint = JSON.stringify([entry.metadata.resourceVersion, addresses]);
  const write = { verb: 'apply', path, body, fieldManager: 'istio-ip-autoallocate' } as const;
  return [[path, { fingerprint, write }]];
}

interface StoredAddress {
  readonly host?: string | undefined;
  readonly value?: string | undefined;
}

/** In whatever order. */
function textOf(addresses: readonly StoredAddress[]): string {
  return addresses
    .map(({ host = '', value = '' }) => `${host} ${value}`)
    .toSorted()
    .join();
}
