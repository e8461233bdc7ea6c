/**
 * Who writes what where control planes of several revisions run: what belongs to one revision its own writer, what they
 * all derive alike one writer of the mesh. Two that write the same object in words of their own would never come to rest.
 */

import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { objectKey } from '../ingest/cluster-inputs.ts';
import { objectAt } from '../ingest/kinds.ts';
import { REVISION_LABEL } from '../ingest/revision.ts';
import { isSameWish, type Wish } from './wish.ts';

/** `revision`: Gateways, what they become, and objects that name a revision. `mesh`: everything else. */
type Scope = 'revision' | 'mesh';

export function wishesByScope(
  graph: Graph,
  cluster: ClusterInputs,
  wishes: Collection<Wish>,
): Readonly<Record<Scope, Collection<Wish>>> {
  const of = (wanted: Scope): Collection<Wish> =>
    graph.flatMap(
      `wishes of the ${wanted}`,
      wishes,
      (wish, context, key) =>
        scopeOf(wish, cluster, context) === wanted ? [[key, wish] as const] : [],
      isSameWish,
    );
  return { revision: of('revision'), mesh: of('mesh') };
}

function scopeOf({ write }: Wish, cluster: ClusterInputs, context: Context): Scope {
  if (write.verb === 'applyOwned' || write.verb === 'delete') return 'revision';
  const object = objectAt(write.path);
  if (object === null) return 'mesh';
  if (object.kind === 'Gateway') return 'revision';
  const key = objectKey(object.namespace, object.name);
  const stored = context.get(cluster.anyOf(object.kind), key);
  return stored?.metadata.labels?.[REVISION_LABEL] === undefined ? 'mesh' : 'revision';
}
