import { type Change, Collection } from './collection.ts';
import { WATCHED_KINDS, type WatchedKind, type WatchedTypes } from './kinds.ts';

/** Everything the control plane knows of the cluster at one moment: an immutable collection for each kind. */
export type ClusterState = { readonly [Kind in WatchedKind]: Collection<WatchedTypes[Kind]> };

/** Changes by kind, as the watches delivered them since the last state. */
export type StateChanges = {
  readonly [Kind in WatchedKind]?: readonly Change<WatchedTypes[Kind]>[];
};

const KINDS = Object.keys(WATCHED_KINDS) as WatchedKind[];

/** A state that holds the given objects, sorted by their `kind`; kinds that are not watched are left out. */
export function clusterStateOf(objects: Iterable<{ readonly kind: string }>): ClusterState {
  const byKind = new Map<string, unknown[]>(KINDS.map((kind) => [kind, []]));
  for (const object of objects) byKind.get(object.kind)?.push(object);
  const state: Partial<Record<WatchedKind, unknown>> = {};
  for (const kind of KINDS) {
    state[kind] = Collection.of(byKind.get(kind) as WatchedTypes[typeof kind][]);
  }
  return state as ClusterState;
}

/** The state after the changes; collections without a change stay the same object. */
export function applyChanges(state: ClusterState, changes: StateChanges): ClusterState {
  const next: Partial<Record<WatchedKind, unknown>> = { ...state };
  for (const kind of KINDS) {
    const collection = state[kind] as Collection<WatchedTypes[WatchedKind]>;
    next[kind] = collection.with((changes[kind] ?? []) as Change<WatchedTypes[WatchedKind]>[]);
  }
  return next as ClusterState;
}
