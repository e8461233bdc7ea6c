import type { Resource, ResourceMap } from '../derive/resource.ts';

/** What changed between two maps of one type: new or other versions, and names that are gone. */
export interface Difference {
  readonly changed: readonly Resource[];
  readonly removed: readonly string[];
}

const known = new WeakMap<ResourceMap, WeakMap<ResourceMap, Difference>>();

/** Computed once for each pair of maps, however many subscribers share them. */
export function difference(from: ResourceMap, to: ResourceMap): Difference {
  if (from === to) return NOTHING;
  const fromHere = known.get(from) ?? new WeakMap<ResourceMap, Difference>();
  known.set(from, fromHere);
  let result = fromHere.get(to);
  if (result === undefined) {
    result = compare(from, to);
    fromHere.set(to, result);
  }
  return result;
}

const NOTHING: Difference = { changed: [], removed: [] };

function compare(from: ResourceMap, to: ResourceMap): Difference {
  const changed: Resource[] = [];
  for (const resource of to.values()) {
    if (from.get(resource.name)?.version !== resource.version) changed.push(resource);
  }
  const removed: string[] = [];
  for (const name of from.keys()) if (!to.has(name)) removed.push(name);
  return { changed, removed };
}
