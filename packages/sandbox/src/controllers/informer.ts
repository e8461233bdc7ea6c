import type { ApiObject, ClusterClient, ResourceKey, WatchEvent } from '@aquifer/kube-api';

/** A copy of one collection, kept up to date by a watch. */
export class Informer {
  readonly key: ResourceKey;
  readonly #client: ClusterClient;
  readonly #objects = new Map<string, ApiObject>();
  readonly #listeners: ((object: ApiObject) => void)[] = [];
  #watch: Disposable | null = null;

  constructor(client: ClusterClient, key: ResourceKey) {
    this.#client = client;
    this.key = key;
  }

  /** Called with each object that was added, changed or deleted (then with its last version). Before `start` only. */
  onChange(listener: (object: ApiObject) => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves when everything that exists is in the copy. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#watch = this.#client.watch(this.key, (event) => this.#onEvent(event, resolve));
    });
  }

  stop(): void {
    this.#watch?.[Symbol.dispose]();
  }

  get(namespace: string | undefined, name: string): ApiObject | null {
    return this.#objects.get(objectKey(namespace, name)) ?? null;
  }

  /** All objects, or those of one namespace. */
  list(namespace?: string): ApiObject[] {
    const all = [...this.#objects.values()];
    return namespace === undefined
      ? all
      : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  /** The objects that this one controls. */
  ownedBy(owner: ApiObject): ApiObject[] {
    return this.list(owner.metadata.namespace).filter(
      (object) => controllerOf(object)?.uid === owner.metadata.uid,
    );
  }

  #onEvent(event: WatchEvent, onSynced: () => void): void {
    if (event.type === 'synced') {
      onSynced();
      return;
    }
    const { object } = event;
    const key = objectKey(object.metadata.namespace, object.metadata.name);
    if (event.type === 'deleted') this.#objects.delete(key);
    else this.#objects.set(key, object);
    for (const listener of this.#listeners) listener(object);
  }
}

/** `namespace/name`; the key of a work queue. */
export function objectKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

export function splitKey(key: string): [namespace: string, name: string] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash), key.slice(slash + 1)];
}

type OwnerReference = NonNullable<ApiObject['metadata']['ownerReferences']>[number];

/** The owner that manages the object, or null. */
export function controllerOf(object: ApiObject): OwnerReference | null {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true) ?? null;
}
