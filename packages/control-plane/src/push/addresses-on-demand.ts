import type { Resource } from '../derive/resource.ts';
import { type AddressIndex, addressNames } from './address-index.ts';
import type { NamedResources, Reply } from './named-resources.ts';
import type { Difference, ServedSet } from './served-set.ts';

const aliasesOf = (resource: Resource): readonly string[] => addressNames(resource).aliases;

/**
 * Workloads and services for a node proxy that asks when it needs them (spec control-plane 3.4): by name, or by address.
 * A service comes with its workloads, and new ones of a service that the proxy has follow; so do those of its own node,
 * unasked. A name to which there is nothing stays asked for.
 */
export class AddressesOnDemand implements NamedResources {
  readonly #index: AddressIndex;
  readonly #node: string;
  /** Names that were asked for. */
  readonly #asked = new Set<string>();
  /** Resources that the proxy has. */
  readonly #sent = new Set<string>();

  constructor(index: AddressIndex, node: string) {
    this.#index = index;
    this.#node = node;
  }

  get size(): number {
    return this.#asked.size;
  }

  subscribe(names: Iterable<string>): void {
    for (const name of names) this.#asked.add(name);
  }

  unsubscribe(names: Iterable<string>): void {
    for (const name of names) {
      this.#asked.delete(name);
      this.#sent.delete(name);
    }
  }

  find(names: 'all' | readonly string[], current: ServedSet): Reply {
    this.#index.follow(current);
    const found = new Set<string>();
    const removed: string[] = [];
    for (const name of names === 'all' ? this.#asked : names) {
      const meant = this.#meantBy(name, current);
      if (meant.length === 0) removed.push(name);
      for (const each of meant) this.#addWithWorkloads(each, found);
    }
    for (const name of this.#index.onNode(this.#node)) {
      if (!this.#sent.has(name)) found.add(name);
    }
    return this.#send(found, removed, current);
  }

  changes({ changed, removed }: Difference, current: ServedSet): Reply {
    this.#index.follow(current);
    const wanted = new Set<string>();
    for (const resource of changed) {
      if (this.#isAskedFor(resource)) this.#addWithWorkloads(resource.name, wanted);
      else if (this.#isTied(resource)) wanted.add(resource.name);
    }
    const gone = removed.filter((name) => this.#sent.has(name) || this.#asked.has(name));
    for (const name of gone) this.#sent.delete(name);
    return this.#send(changedOrNew(wanted, changed, this.#sent), gone, current);
  }

  #meantBy(name: string, current: ServedSet): string[] {
    return current.has(name) ? [name] : [...this.#index.withAlias(name)];
  }

  #addWithWorkloads(name: string, found: Set<string>): void {
    found.add(name);
    for (const workload of this.#index.servingService(name)) found.add(workload);
  }

  #isAskedFor(resource: Resource): boolean {
    return [resource.name, ...aliasesOf(resource)].some((name) => this.#asked.has(name));
  }

  /** The proxy has it, or a service that it serves, or serves its node. */
  #isTied(resource: Resource): boolean {
    if (this.#sent.has(resource.name)) return true;
    const { services, node } = addressNames(resource);
    return (node !== '' && node === this.#node) || services.some((key) => this.#sent.has(key));
  }

  #send(names: Iterable<string>, removed: readonly string[], current: ServedSet): Reply {
    const resources: Resource[] = [];
    for (const name of names) {
      const resource = current.get(name);
      if (resource === undefined) continue;
      resources.push(resource);
      this.#sent.add(name);
    }
    return { resources, removed, aliasesOf };
  }
}

/** Workloads of a service that has changed, but have not themselves, are known to a proxy that has them. */
function changedOrNew(
  wanted: ReadonlySet<string>,
  changed: readonly Resource[],
  sent: ReadonlySet<string>,
): readonly string[] {
  const changedNames = new Set(changed.map(({ name }) => name));
  return [...wanted].filter((name) => changedNames.has(name) || !sent.has(name));
}
