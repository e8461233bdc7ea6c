/** What many views want alike is encoded once, however many they are. */
import { isDeepStrictEqual } from 'node:util';
import type { Context } from '../../../collections/cell.ts';
import type { Collection, Same } from '../../../collections/collection.ts';
import type { Graph } from '../../../collections/graph.ts';
import type { ObjectRef } from '../../../ingest/kinds.ts';
import { isSameResource, type Resource } from '../../resource.ts';
import { isSameOwned, type OwnedResource } from '../owned-resource.ts';

/** A resource that one owner wants. */
export interface Wanted<T> {
  readonly owner: string;
  /** Equal where the resource is the same for others. */
  readonly content: string;
  readonly value: T;
  /** The objects that this owner has it for. */
  readonly sources: readonly ObjectRef[];
}

/** Null where there is nothing to serve after all. */
type Encode<T> = (value: T, context: Context) => Resource<null> | null;

export function encodedOnce<T>(
  graph: Graph,
  name: string,
  wanted: Collection<Wanted<T>>,
  encode: Encode<T>,
): Collection<OwnedResource> {
  const contents = graph.flatMap(`${name}, each once`, wanted, ({ content, value }) => [
    [content, value],
  ]);
  const resources = graph.map(`${name}, encoded`, contents, encode, isSameResource);
  return graph.map(
    name,
    wanted,
    ({ owner, content, sources }, context) => {
      const resource = context.get(resources, content);
      return resource === undefined ? null : { owner, resource: { ...resource, sources } };
    },
    isSameOwned,
  );
}

/** `same` compares the values. Default: deep equality. */
export function sameWanted<T>(same: Same<T> = isDeepStrictEqual): Same<Wanted<T>> {
  return (before, now) =>
    before.owner === now.owner &&
    before.content === now.content &&
    same(before.value, now.value) &&
    isDeepStrictEqual(before.sources, now.sources);
}
