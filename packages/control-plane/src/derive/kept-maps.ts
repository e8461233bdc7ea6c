import type { Resource, ResourceMap } from './resource.ts';

/** Resource maps by key that keep their identity from one derivation to the next while their content does. */
export class KeptMaps {
  readonly #maps = new Map<string, ResourceMap>();

  /** The map of before, if it holds the same versions. */
  keep<T>(key: string, resources: readonly Resource<T>[]): ResourceMap<T> {
    const last = this.#maps.get(key) as ResourceMap<T> | undefined;
    const same =
      last?.size === resources.length &&
      resources.every(({ name, version }) => last.get(name)?.version === version);
    if (same) return last;
    const map = new Map(resources.map((resource) => [resource.name, resource]));
    this.#maps.set(key, map);
    return map;
  }

  /** Forgets the maps whose key is not wanted any more. */
  sweep(isWanted: (key: string) => boolean): void {
    for (const key of this.#maps.keys()) if (!isWanted(key)) this.#maps.delete(key);
  }
}
