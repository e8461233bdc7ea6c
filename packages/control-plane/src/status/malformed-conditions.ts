/** What is said of objects that cannot be read, where their kind has conditions, as writes that are missing. */
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { LabelledObject } from '../derive/object.ts';
import { type ClusterInputs, KINDS } from '../ingest/cluster-inputs.ts';
import { type Malformed, type MalformedObjects, malformedKey } from '../ingest/malformed.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import type { StoredConditions } from './condition-list.ts';
import { type ConditionTarget, conditionWish } from './condition-wish.ts';

const TYPE = 'aquifer.io/WellFormed';

/** Kinds with a list of conditions that anybody may add to. */
const SAID_OF: readonly string[] = [
  'Service',
  'Gateway',
  'GatewayClass',
  'ServiceEntry',
  'WorkloadEntry',
  'AuthorizationPolicy',
  'PeerAuthentication',
  'Telemetry',
  'ProxyConfig',
] satisfies readonly ConditionTarget['kind'][];

/** Also takes back what was said of one that is well formed again. */
export function malformedWishes(
  graph: Graph,
  cluster: ClusterInputs,
  malformed: MalformedObjects,
): Collection<Wish> {
  const mended = KINDS.filter((kind) => SAID_OF.includes(kind)).map((kind) =>
    graph.flatMap(
      `wishes for ${kind}s that were malformed`,
      cluster.anyOf(kind),
      (object, context) =>
        context.get(malformed, malformedKey(kind, object)) === undefined
          ? conditionWish(targetOf({ kind, object }), [])
          : [],
      isSameWish,
    ),
  );
  const said = graph.flatMap(
    'wishes for malformed objects',
    malformed,
    ({ kind, object, problem }) =>
      SAID_OF.includes(kind)
        ? conditionWish(targetOf({ kind, object }), [
            { type: TYPE, status: 'False', reason: 'Malformed', message: messageOf(problem) },
          ])
        : [],
    isSameWish,
  );
  return graph.union('wishes about shapes', said, ...mended);
}

function messageOf(problem: string): string {
  return `${problem}. The last good version counts until that is corrected; of a policy without one, everything that it is for is denied.`;
}

function targetOf({ kind, object }: Pick<Malformed, 'kind' | 'object'>): ConditionTarget {
  const { status } = object as { readonly status?: { readonly conditions?: unknown } };
  const conditions = status?.conditions;
  return {
    kind: kind as ConditionTarget['kind'],
    object: object as unknown as LabelledObject,
    stored: Array.isArray(conditions) ? (conditions as StoredConditions) : [],
    types: [TYPE],
    fieldManager: 'aquifer-shape',
  };
}
