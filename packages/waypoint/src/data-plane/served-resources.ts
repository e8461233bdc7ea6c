import type { ResourceKind } from './resources.ts';

/** A resource as it is served, and when it was put in force. */
export interface ServedResource {
  readonly name: string;
  readonly body: Uint8Array;
  readonly updatedAt: Date;
}

/** A version that cannot be served; what was served before still is. */
export interface RefusedResource {
  readonly reason: string;
  readonly at: Date;
}

/** What the control plane has sent, by kind and name: the bytes, which are decoded when somebody looks. */
export class ServedResources {
  readonly #served = new Map<ResourceKind, Map<string, ServedResource>>();
  readonly #refused = new Map<string, RefusedResource>();

  served(kind: ResourceKind, name: string, body: Uint8Array): void {
    this.#of(kind).set(name, { name, body, updatedAt: new Date() });
    this.#refused.delete(`${kind}/${name}`);
  }

  refused(kind: ResourceKind, name: string, reason: string): void {
    this.#refused.set(`${kind}/${name}`, { reason, at: new Date() });
  }

  removed(kind: ResourceKind, name: string): void {
    this.#of(kind).delete(name);
    this.#refused.delete(`${kind}/${name}`);
  }

  /** In the order of their names. */
  all(kind: ResourceKind): readonly ServedResource[] {
    return [...this.#of(kind).values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Why the newest version of a resource is not the one that is served; null if it is. */
  refusal(kind: ResourceKind, name: string): RefusedResource | null {
    return this.#refused.get(`${kind}/${name}`) ?? null;
  }

  /** Names of which no version can be served. */
  unserved(kind: ResourceKind): readonly string[] {
    const prefix = `${kind}/`;
    return [...this.#refused.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length))
      .filter((name) => !this.#of(kind).has(name));
  }

  #of(kind: ResourceKind): Map<string, ServedResource> {
    const known = this.#served.get(kind) ?? new Map<string, ServedResource>();
    this.#served.set(kind, known);
    return known;
  }
}
