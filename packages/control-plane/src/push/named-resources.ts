import type { Resource } from '../derive/resource.ts';
import type { Difference, ServedSet } from './served-set.ts';

/** What a proxy is told about one type. */
export interface Reply {
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
  /** Further names under which the proxy may have asked for a resource. Default none. */
  readonly aliasesOf?: (resource: Resource) => readonly string[];
}

/** What a subscription that names resources is about. */
export interface NamedResources {
  /** How many names are kept. */
  readonly size: number;
  subscribe(names: Iterable<string>): void;
  unsubscribe(names: Iterable<string>): void;
  /** What there is to all names, or to some of them. */
  find(names: 'all' | readonly string[], current: ServedSet): Reply;
  /** The part of a change that is about what is subscribed to. */
  changes(change: Difference, current: ServedSet): Reply;
}

/** Every name stands for the resource of that name. */
export class ResourcesByName implements NamedResources {
  readonly #names = new Set<string>();

  get size(): number {
    return this.#names.size;
  }

  subscribe(names: Iterable<string>): void {
    for (const name of names) this.#names.add(name);
  }

  unsubscribe(names: Iterable<string>): void {
    for (const name of names) this.#names.delete(name);
  }

  find(names: 'all' | readonly string[], current: ServedSet): Reply {
    const resources: Resource[] = [];
    const removed: string[] = [];
    for (const name of names === 'all' ? this.#names : names) {
      const resource = current.get(name);
      if (resource === undefined) removed.push(name);
      else resources.push(resource);
    }
    return { resources, removed };
  }

  changes({ changed, removed }: Difference): Reply {
    return {
      resources: changed.filter(({ name }) => this.#names.has(name)),
      removed: removed.filter((name) => this.#names.has(name)),
    };
  }
}
