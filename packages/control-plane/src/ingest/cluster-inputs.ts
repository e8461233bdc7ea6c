/** The watched objects as inputs of a graph: where everything that is derived begins. */
import type { Context } from '../collections/cell.ts';
import type { Graph } from '../collections/graph.ts';
import type { Input } from '../collections/nodes.ts';
import { WATCHED_KINDS, type WatchedKind, type WatchedTypes } from './kinds.ts';

/** What every watched object has: enough to key it, and to tell whose it is. */
export interface StoredObject {
  readonly metadata: {
    readonly name?: string | undefined;
    readonly namespace?: string | undefined;
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  };
}

/** Looks an object up; cluster-scoped ones have the namespace `''`. */
export interface ClusterReader {
  get<Kind extends WatchedKind>(
    kind: Kind,
    namespace: string,
    name: string,
  ): WatchedTypes[Kind] | undefined;
}

/** Key of an object in the collection of its kind. */
export function objectKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** The key of an object as its metadata has it. */
export function keyOf({ metadata }: StoredObject): string {
  return objectKey(metadata.namespace ?? '', metadata.name ?? '');
}

export const KINDS = Object.keys(WATCHED_KINDS) as readonly WatchedKind[];

/** Of these, objects are watched that somebody refers to, or that are wanted: none need be there. */
const ON_DEMAND: readonly WatchedKind[] = ['ReferredConfigMap', 'ClusterTrustBundle'];

/** Kinds that are always watched. */
export const LISTED_KINDS: readonly WatchedKind[] = KINDS.filter(
  (kind) => !ON_DEMAND.includes(kind),
);

type Inputs = { readonly [Kind in WatchedKind]: Input<WatchedTypes[Kind]> };

/** Reads made here are not remembered: derivations read with `readerOf`. */
export class ClusterInputs implements ClusterReader {
  readonly #inputs: Inputs;

  constructor(graph: Graph) {
    const inputs = KINDS.map((kind) => [kind, graph.input<StoredObject>(kind, isSameVersion)]);
    this.#inputs = Object.fromEntries(inputs) as Inputs;
  }

  of<Kind extends WatchedKind>(kind: Kind): Input<WatchedTypes[Kind]> {
    return this.#inputs[kind];
  }

  get<Kind extends WatchedKind>(
    kind: Kind,
    namespace: string,
    name: string,
  ): WatchedTypes[Kind] | undefined {
    return this.of(kind).get(objectKey(namespace, name));
  }

  /** A reader whose reads `context` remembers. */
  readerOf(context: Context): ClusterReader {
    return {
      get: (kind, namespace, name) => context.get(this.of(kind), objectKey(namespace, name)),
    };
  }

  /** As `of`, where the kind is not known beforehand. */
  anyOf(kind: WatchedKind): Input<StoredObject> {
    return this.#inputs[kind] as unknown as Input<StoredObject>;
  }
}

/** The same version of the same object, as a list after a reconnect repeats it. */
function isSameVersion(before: StoredObject, now: StoredObject): boolean {
  const { uid, resourceVersion } = now.metadata;
  return (
    resourceVersion !== undefined &&
    before.metadata.resourceVersion === resourceVersion &&
    before.metadata.uid === uid
  );
}
