/** Test fixture: what would be written about objects. */
import type { Collection } from '../collections/collection.ts';
import { SETTINGS } from '../derive/derivation.fixture.ts';
import { Derivation } from '../derive/derivation.ts';
import { keyOf } from '../ingest/cluster-inputs.ts';
import { WATCHED_KINDS, type WatchedKind } from '../ingest/kinds.ts';
import { type Malformed, malformedKey } from '../ingest/malformed.ts';
import type { Wish } from '../reconcile/wish.ts';

export interface WrittenObject {
  readonly kind: string;
}

/** The bodies of writes, for a cluster of these objects. */
export function writtenAbout(
  objects: readonly WrittenObject[],
  wishesOf: (derivation: Derivation) => Collection<Wish>,
  malformed: readonly Malformed[] = [],
): readonly object[] {
  const derivation = new Derivation(SETTINGS, (collection, key, error) => {
    throw new Error(`${collection} ${key}: ${error}`);
  });
  const wishes = wishesOf(derivation);
  for (const each of objects) {
    if (!(each.kind in WATCHED_KINDS)) continue;
    const kind = each.kind as WatchedKind;
    derivation.cluster.anyOf(kind).set(keyOf(each as never), each as never);
  }
  for (const each of malformed) {
    derivation.malformed.set(malformedKey(each.kind, each.object), each);
  }
  derivation.graph.settle();
  return Array.from(wishes.entries(), ([, { write }]) => {
    if (!('body' in write)) throw new Error(`a status is not written by ${write.verb}`);
    return write.body;
  });
}
