import { ApiStatusError } from '../api-status-error.ts';
import type { ServedResource } from './resource-registry.ts';
import { notFound } from './status.ts';
import type { Storage } from './storage.ts';
import type { Target } from './write-request.ts';

const namespaces = { group: '', plural: 'namespaces', kind: 'Namespace' } as const;

/** Throws 404 if the namespace does not exist, 403 if it is being deleted: nothing new may be made in it. */
export function checkNamespace(storage: Storage, resource: ServedResource, target: Target): void {
  const namespace = storage.get('/namespaces', '', target.namespace);
  if (namespace === null) throw notFound(namespaces, target.namespace);
  if (namespace.metadata.deletionTimestamp === undefined) return;
  const what = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
  const why = `unable to create new content in namespace ${target.namespace} because it is being terminated`;
  throw new ApiStatusError(403, 'Forbidden', `${what} "${target.name}" is forbidden: ${why}`, {
    name: target.name,
    kind: resource.plural,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${target.namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}
