/** Serves what CustomResourceDefinitions describe, from the moment they are stored. */
import type { ClusterClient } from './cluster-client.ts';
import { type ResourceRegistry, servedByDefinition } from './resource-registry.ts';
import type { Storage } from './storage/storage.ts';

const COLLECTION = 'apiextensions.k8s.io/customresourcedefinitions';

/** Keeps the registry in step with the stored definitions, until disposed. */
export function followDefinitions(
  storage: Storage,
  registry: ResourceRegistry,
  client: ClusterClient,
): Disposable {
  for (const definition of storage.list(COLLECTION)) {
    registry.setCustom(definition.metadata.name, servedByDefinition(definition));
  }
  return storage.subscribe(({ collection, type, object }) => {
    if (collection !== COLLECTION) return;
    const { name } = object.metadata;
    const resources = servedByDefinition(object);
    if (type !== 'deleted') {
      registry.setCustom(name, resources);
      return;
    }
    // Objects go with their definition. What another deletion took meanwhile needs no second one.
    const [resource] = resources;
    const doomed = resource === undefined ? [] : storage.list(resource.collection);
    queueMicrotask(() => {
      const deletions = doomed.map(({ metadata }) =>
        client.delete(resource ?? { group: '', version: '', plural: '' }, {
          name: metadata.name,
          namespace: metadata.namespace ?? '',
        }),
      );
      void Promise.allSettled(deletions).then(() => registry.removeCustom(name));
    });
  });
}
