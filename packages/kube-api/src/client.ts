/** `ClusterClient` over the storage: what controllers and nodes use instead of HTTP. */
import { ApiStatusError } from './api-status-error.ts';
import type {
  ApiObject,
  ClusterClient,
  ListFilter,
  ResourceKey,
  WatchEvent,
} from './cluster-client.ts';
import type { JsonObject } from './json.ts';
import { bodyRefusal } from './objects/decode.ts';
import { deleteObject } from './objects/deletion.ts';
import type { Admission, Change, Objects } from './objects/objects.ts';
import type { Subresource, WriteRequest } from './objects/write-request.ts';
import { applyMergePatch } from './patches/merge-patch.ts';
import type { ResourceRegistry, ServedResource } from './resource-registry.ts';
import { type Predicate, parseFieldSelector, parseLabelSelector } from './selectors.ts';
import { noSuchResource } from './status.ts';
import type { Storage } from './storage/storage.ts';
import { visibleChange, watchCollection } from './storage/watch.ts';

/** What the client reads and writes through. */
export interface ClientDependencies {
  readonly storage: Storage;
  readonly registry: ResourceRegistry;
  readonly objects: Objects;
  readonly admission: Admission;
}

const controllerRequest: WriteRequest = {
  user: {
    username: 'system:kube-controller-manager',
    groups: ['system:masters', 'system:authenticated'],
  },
  manager: 'kube-controller-manager',
  fieldValidation: 'Ignore',
  dryRun: false,
  warn: () => undefined,
};

/** Reads hand out copies: callers may change what they get. */
export class StorageClient implements ClusterClient {
  readonly #storage: Storage;
  readonly #registry: ResourceRegistry;
  readonly #objects: Objects;
  readonly #dependencies: ClientDependencies;

  constructor(dependencies: ClientDependencies) {
    this.#storage = dependencies.storage;
    this.#registry = dependencies.registry;
    this.#objects = dependencies.objects;
    this.#dependencies = dependencies;
  }

  #resource(key: ResourceKey): ServedResource {
    const resource = this.#registry.find(key.group, key.version, key.plural);
    if (resource === null) throw noSuchResource();
    return resource;
  }

  #predicate(resource: ServedResource, filter: ListFilter): Predicate {
    const labels = parseLabelSelector(filter.labelSelector);
    const fields = parseFieldSelector(
      filter.fieldSelector,
      resource.collection,
      resource.selectableFields,
    );
    const { namespace = '' } = filter;
    return (object) =>
      (namespace === '' || object.metadata.namespace === namespace) &&
      labels(object) &&
      fields(object);
  }

  async get(key: ResourceKey, name: string, namespace = ''): Promise<ApiObject | null> {
    const found = this.#storage.get(this.#resource(key).collection, namespace, name);
    return found === null ? null : structuredClone(found);
  }

  async list(key: ResourceKey, filter: ListFilter = {}): Promise<ApiObject[]> {
    const resource = this.#resource(key);
    const selects = this.#predicate(resource, filter);
    return structuredClone(
      this.#storage.list(resource.collection, filter.namespace).filter(selects),
    );
  }

  watch(
    key: ResourceKey,
    onEvent: (event: WatchEvent) => void,
    filter: ListFilter = {},
  ): Disposable {
    const resource = this.#resource(key);
    const selects = this.#predicate(resource, filter);
    const existing = this.#storage.list(resource.collection, filter.namespace).filter(selects);
    let stopped = false;
    queueMicrotask(() => {
      for (const object of existing) {
        if (!stopped) onEvent({ type: 'added', object: structuredClone(object) });
      }
      if (!stopped) onEvent({ type: 'synced' });
    });
    const subscription = watchCollection(this.#storage, resource.collection, (event) => {
      const change = visibleChange(event, selects);
      if (change !== null) onEvent({ type: change.type, object: structuredClone(change.object) });
    });
    return {
      [Symbol.dispose]() {
        stopped = true;
        subscription[Symbol.dispose]();
      },
    };
  }

  async create(key: ResourceKey, object: ApiObject): Promise<ApiObject> {
    const namespace = object.metadata.namespace ?? '';
    const resource = this.#resource(key);
    const created = await this.#objects.create(
      resource,
      resource.namespaced ? namespace : '',
      object,
      controllerRequest,
    );
    return structuredClone(created);
  }

  async #write(
    key: ResourceKey,
    target: { readonly name: string; readonly namespace?: string | undefined },
    subresource: Subresource,
    apply: Change['apply'],
  ): Promise<ApiObject> {
    const resource = this.#resource(key);
    const { name, namespace = '' } = target;
    const updated = await this.#objects.update(
      { resource, target: { name, namespace }, subresource, request: controllerRequest },
      { apply, refusal: bodyRefusal(resource) },
    );
    return structuredClone(updated);
  }

  async update(key: ResourceKey, object: ApiObject): Promise<ApiObject> {
    return this.#write(key, object.metadata, '', () => object);
  }

  async updateStatus(key: ResourceKey, object: ApiObject): Promise<ApiObject> {
    return this.#write(key, object.metadata, 'status', () => object);
  }

  async mergePatch(
    key: ResourceKey,
    target: { readonly name: string; readonly namespace?: string; readonly subresource?: 'status' },
    patch: Record<string, unknown>,
  ): Promise<ApiObject> {
    return this.#write(
      key,
      target,
      target.subresource ?? '',
      (current) => applyMergePatch(current, patch) as JsonObject,
    );
  }

  async delete(
    key: ResourceKey,
    target: { readonly name: string; readonly namespace?: string },
    options: { readonly gracePeriodSeconds?: number } = {},
  ): Promise<void> {
    const resource = this.#resource(key);
    const where = { resource, target: { name: target.name, namespace: target.namespace ?? '' } };
    try {
      await deleteObject(this.#dependencies, where, options, controllerRequest);
    } catch (cause) {
      // Gone already is what the caller wanted.
      if (!(cause instanceof ApiStatusError) || cause.code !== 404) throw cause;
    }
  }
}
