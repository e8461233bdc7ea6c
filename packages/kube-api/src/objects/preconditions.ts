/** Whether an update is about the object that is there. */
import type { ApiObject } from '../cluster-client.ts';
import { type JsonObject, objectOr, stringOr } from '../json.ts';
import type { ServedResource } from '../resource-registry.ts';
import { badRequest, conflict, staleVersion } from '../status.ts';

/** Throws 409 for another version or another object of that name, 400 for another name or namespace. */
export function checkPreconditions(
  resource: ServedResource,
  name: string,
  next: JsonObject,
  current: ApiObject,
): void {
  const metadata = objectOr(next.metadata);
  const version = stringOr(metadata.resourceVersion) ?? '';
  if (version !== '' && version !== '0' && version !== current.metadata.resourceVersion) {
    throw staleVersion(resource, name);
  }
  const uid = stringOr(metadata.uid) ?? '';
  if (uid !== '' && uid !== current.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
    throw conflict(resource, name, why);
  }
  checkPlace(metadata, current.metadata.namespace, name);
}

function checkPlace(metadata: JsonObject, namespace: string | undefined, name: string): void {
  if (namespace !== undefined && (metadata.namespace ?? namespace) !== namespace) {
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  }
  if (metadata.name !== undefined && metadata.name !== name) {
    throw badRequest(
      `the name of the object (${String(metadata.name)}) does not match the name on the URL (${name})`,
    );
  }
}
