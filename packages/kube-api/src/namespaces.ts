/** The life of namespaces: what each holds from the start, and that it ends only when it is empty. */
import type { ApiObject, ClusterClient, ResourceKey } from './cluster-client.ts';
import { listOr, objectOr } from './json.ts';
import type { ResourceRegistry } from './resource-registry.ts';
import type { Storage, StoredEvent } from './storage/storage.ts';

const serviceAccounts: ResourceKey = { group: '', version: 'v1', plural: 'serviceaccounts' };
const configMaps: ResourceKey = { group: '', version: 'v1', plural: 'configmaps' };
const FINALIZER = 'kubernetes';
/** Between a deletion and the look at what it left. */
const SETTLE_MS = 500;

interface NamespaceDependencies {
  readonly storage: Storage;
  readonly registry: ResourceRegistry;
  readonly client: ClusterClient;
  /** The cluster's CA certificate, PEM: `kube-root-ca.crt` of every namespace. */
  readonly caPem: string;
}

/** Works from the events of the storage until disposed. */
export class NamespaceController implements Disposable {
  readonly #dependencies: NamespaceDependencies;
  readonly #subscription: Disposable;
  /** Namespaces to look at soon: many deletions in one are one look. */
  readonly #due = new Map<string, NodeJS.Timeout>();

  constructor(dependencies: NamespaceDependencies) {
    this.#dependencies = dependencies;
    const { storage } = dependencies;
    for (const namespace of storage.list('/namespaces')) this.#consider(namespace);
    this.#subscription = storage.subscribe((event) => this.#observe(event));
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const timer of this.#due.values()) clearTimeout(timer);
  }

  #observe({ collection, type, object }: StoredEvent): void {
    const { namespace, name, deletionTimestamp } = object.metadata;
    if (collection === '/namespaces') {
      if (type === 'deleted') return;
      if (deletionTimestamp === undefined) queueMicrotask(() => this.#consider(object));
      else this.#considerSoon(name);
    } else if (type === 'deleted' && namespace !== undefined) {
      this.#considerSoon(namespace);
    }
  }

  #considerSoon(name: string): void {
    if (this.#due.has(name)) return;
    const look = (): void => {
      this.#due.delete(name);
      const namespace = this.#dependencies.storage.get('/namespaces', '', name);
      if (namespace !== null) this.#consider(namespace);
    };
    this.#due.set(name, setTimeout(look, SETTLE_MS));
  }

  #consider(namespace: ApiObject): void {
    const work =
      namespace.metadata.deletionTimestamp === undefined
        ? this.#furnish(namespace.metadata.name)
        : this.#empty(namespace);
    // What failed (a conflict, an object that went meanwhile) is tried again at the next event.
    work.catch(() => undefined);
  }

  /** A `default` service account and the CA's certificate, restored when somebody deletes them. */
  async #furnish(namespace: string): Promise<void> {
    const { storage, client, caPem } = this.#dependencies;
    if (storage.get('/serviceaccounts', namespace, 'default') === null) {
      await client.create(serviceAccounts, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'default', namespace },
      });
    }
    const trust = storage.get('/configmaps', namespace, 'kube-root-ca.crt');
    if (trust === null) {
      await client.create(configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'kube-root-ca.crt', namespace },
        data: { 'ca.crt': caPem },
      });
    } else if (objectOr(trust.data)['ca.crt'] !== caPem) {
      await client.update(configMaps, { ...trust, data: { 'ca.crt': caPem } });
    }
  }

  async #empty(namespace: ApiObject): Promise<void> {
    const { storage, registry, client } = this.#dependencies;
    const { name } = namespace.metadata;
    let left = 0;
    for (const collection of storage.collections()) {
      const resource = registry.ofCollection(collection);
      if (resource === null || !resource.namespaced) continue;
      for (const object of storage.list(collection, name)) {
        left++;
        if (object.metadata.deletionTimestamp === undefined) {
          await client.delete(resource, { name: object.metadata.name, namespace: name });
        }
      }
    }
    const finalizers = listOr(objectOr(namespace.spec).finalizers);
    if (left > 0 || !finalizers.includes(FINALIZER)) return;
    const current = storage.get('/namespaces', '', name);
    if (current === null || current.metadata.deletionTimestamp === undefined) return;
    const spec = { finalizers: finalizers.filter((item) => item !== FINALIZER) };
    await client.update({ group: '', version: 'v1', plural: 'namespaces' }, { ...current, spec });
  }
}
