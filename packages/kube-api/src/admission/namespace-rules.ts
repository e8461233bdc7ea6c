import { ApiStatusError } from '../api-status-error.ts';
import type { Target } from '../objects/write-request.ts';
import type { ServedResource } from '../resource-registry.ts';
import { notFound } from '../status.ts';
import type { Storage } from '../storage/storage.ts';

const namespaces = { group: '', plural: 'namespaces', kind: 'Namespace' } as const;

const immortal = new Set(['default', 'kube-public', 'kube-system']);

/** Throws 403 for the namespaces that a cluster cannot be without (admission plugin NamespaceLifecycle). */
export function checkDeletable(resource: ServedResource, name: string): void {
  if (resource.collection !== '/namespaces' || !immortal.has(name)) return;
  const message = `namespaces "${name}" is forbidden: this namespace may not be deleted`;
  throw new ApiStatusError(403, 'Forbidden', message, { name, kind: 'namespaces' });
}

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
