import type { KubernetesObject } from '@kubernetes/client-node';
import { apiMessage, isNotFound } from '../api-errors.ts';
import { type Cluster, FIELD_MANAGER } from '../cluster.ts';
import { CliError } from '../errors.ts';
import { objectKey } from './render.ts';

/** Applies objects in their order. Throws which one was refused. */
export async function applyAll(
  cluster: Cluster,
  objects: readonly KubernetesObject[],
): Promise<void> {
  for (const object of objects) {
    try {
      await cluster.apply(object);
    } catch (error) {
      const why = apiMessage(error) ?? (error as Error).message;
      throw new CliError(`${objectKey(object)} was refused: ${why}`);
    }
  }
}

/** What the cluster has under an object's name; null if nothing. */
export async function readLive(
  cluster: Cluster,
  { apiVersion, kind, metadata }: KubernetesObject,
): Promise<KubernetesObject | null> {
  const { name = '', namespace } = metadata ?? {};
  const header = {
    apiVersion: apiVersion!,
    kind: kind!,
    metadata: { name, namespace: namespace! },
  };
  try {
    return await cluster.objects.read(header);
  } catch (error) {
    if (isNotFound(error) || isUnknownKind(error)) return null;
    throw error;
  }
}

/** Deletes an object with all that it owns; that it is gone already is fine. */
export async function deleteIfThere(cluster: Cluster, object: KubernetesObject): Promise<void> {
  try {
    await cluster.objects.delete(object, undefined, undefined, undefined, undefined, 'Background');
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Whether this command has applied an object before. */
export function isOurs({ metadata }: KubernetesObject): boolean {
  return metadata?.managedFields?.some(({ manager }) => manager === FIELD_MANAGER) ?? false;
}

/** The client looks kinds up before it asks, and says this where there is none yet. */
function isUnknownKind(error: unknown): boolean {
  return /Failed to fetch resource metadata|Unrecognized API/.test((error as Error).message);
}
