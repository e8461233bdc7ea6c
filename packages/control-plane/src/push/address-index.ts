import type { Service, Workload } from '@aquifer/model';
import type { Resource } from '../derive/resource.ts';
import type { ResourceSet, ServedReader } from './served-set.ts';

/** What a workload or service is found by, besides its name. */
export interface AddressNames {
  /** `network/ip` of each of its addresses; `network/ip/length` of ranges (spec control-plane 2.1). */
  readonly aliases: readonly string[];
  /** Keys of the services that a workload serves. */
  readonly services: readonly string[];
  /** Of a workload; empty if there is none. */
  readonly node: string;
}

export function addressNames({ value }: Resource): AddressNames {
  const address = value as Workload | Service;
  if ('uid' in address) {
    return {
      aliases: address.addresses.map((ip) => `${address.network}/${ip}`),
      services: [...address.services.keys()],
      node: address.node,
    };
  }
  const aliases = address.addresses.map(({ network, address: ip, prefixLength }) =>
    prefixLength === null ? `${network}/${ip}` : `${network}/${ip}/${prefixLength}`,
  );
  return { aliases, services: [], node: '' };
}

type NameSets = Map<string, Set<string>>;

/** Who has an address, serves a service, or runs on a node. It follows the newest resources, for all proxies at once. */
export class AddressIndex {
  readonly #known = new Map<string, AddressNames>();
  readonly #byAlias: NameSets = new Map();
  readonly #byService: NameSets = new Map();
  readonly #byNode: NameSets = new Map();
  /** From the first time that anybody asks. */
  #reader: ServedReader | null = null;

  /** To be called before it is asked about these resources, which are always the same set. */
  follow(resources: ResourceSet): void {
    if (this.#reader === null) {
      this.#reader = resources.follow();
      for (const resource of resources.values()) this.#learn(resource.name, addressNames(resource));
      return;
    }
    this.catchUp();
  }

  /** To be called after each round, so that the set need not keep what has changed since somebody asked last. */
  catchUp(): void {
    if (this.#reader === null) return;
    const { changed, removed } = this.#reader.next();
    for (const name of removed) this.#forget(name);
    for (const resource of changed) {
      this.#forget(resource.name);
      this.#learn(resource.name, addressNames(resource));
    }
  }

  /** Names of those that have an address. */
  withAlias(alias: string): Iterable<string> {
    return this.#byAlias.get(alias) ?? [];
  }

  /** Names of the workloads that serve it. */
  servingService(key: string): Iterable<string> {
    return this.#byService.get(key) ?? [];
  }

  onNode(node: string): Iterable<string> {
    return this.#byNode.get(node) ?? [];
  }

  #learn(name: string, names: AddressNames): void {
    this.#known.set(name, names);
    for (const [sets, key] of entriesOf(names, this.#sets())) {
      const members = sets.get(key);
      if (members === undefined) sets.set(key, new Set([name]));
      else members.add(name);
    }
  }

  #forget(name: string): void {
    const names = this.#known.get(name);
    if (names === undefined) return;
    this.#known.delete(name);
    for (const [sets, key] of entriesOf(names, this.#sets())) {
      const members = sets.get(key);
      members?.delete(name);
      if (members?.size === 0) sets.delete(key);
    }
  }

  #sets(): IndexSets {
    return { alias: this.#byAlias, service: this.#byService, node: this.#byNode };
  }
}

interface IndexSets {
  readonly alias: NameSets;
  readonly service: NameSets;
  readonly node: NameSets;
}

function* entriesOf(
  { aliases, services, node }: AddressNames,
  sets: IndexSets,
): Iterable<readonly [NameSets, string]> {
  for (const alias of new Set(aliases)) yield [sets.alias, alias];
  for (const service of services) yield [sets.service, service];
  if (node !== '') yield [sets.node, node];
}
