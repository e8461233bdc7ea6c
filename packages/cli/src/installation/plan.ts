import { isDeepStrictEqual } from 'node:util';
import { type KubernetesObject, PatchStrategy } from '@kubernetes/client-node';
import { apiMessage } from '../api-errors.ts';
import { type Cluster, FIELD_MANAGER } from '../cluster.ts';
import { CliError } from '../errors.ts';
import { readLive } from './apply.ts';
import { objectKey } from './render.ts';

/** What applying an object would do, as the API server itself says. */
export interface PlannedChange {
  readonly object: string;
  readonly namespace: string;
  readonly action: 'create' | 'change' | 'unchanged' | 'delete';
  /** Paths of fields that would change. */
  readonly fields: readonly string[];
}

/** Asks the API server, by its dry run, what applying these objects would change. */
export async function planObjects(
  cluster: Cluster,
  objects: readonly KubernetesObject[],
): Promise<PlannedChange[]> {
  const changes: PlannedChange[] = [];
  for (const object of objects) changes.push(await planOne(cluster, object));
  return changes;
}

async function planOne(cluster: Cluster, object: KubernetesObject): Promise<PlannedChange> {
  const named = { object: objectKey(object), namespace: object.metadata?.namespace ?? '' };
  const live = await readLive(cluster, object);
  if (live === null) return { ...named, action: 'create', fields: [] };
  const after = await dryRun(cluster, object);
  const fields = changedFields(withoutBookkeeping(live), withoutBookkeeping(after), '');
  return { ...named, action: fields.length === 0 ? 'unchanged' : 'change', fields };
}

async function dryRun(cluster: Cluster, object: KubernetesObject): Promise<KubernetesObject> {
  const { ServerSideApply } = PatchStrategy;
  try {
    return await cluster.objects.patch(
      object,
      undefined,
      'All',
      FIELD_MANAGER,
      true,
      ServerSideApply,
    );
  } catch (error) {
    const why = apiMessage(error) ?? (error as Error).message;
    throw new CliError(`${objectKey(object)} would be refused: ${why}`);
  }
}

/** What only says when and by whom an object was written. */
function withoutBookkeeping(object: KubernetesObject): object {
  const { name, namespace, labels, annotations } = object.metadata ?? {};
  return { ...object, metadata: { name, namespace, labels, annotations }, status: undefined };
}

function changedFields(before: unknown, after: unknown, path: string): string[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isHolder(before) || !isHolder(after)) return [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => {
    const step = Array.isArray(after) ? `[${nameOf(after[Number(key)]) ?? key}]` : `.${key}`;
    return changedFields(before[key], after[key], path === '' ? key : `${path}${step}`);
  });
}

function isHolder(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Date);
}

function nameOf(element: unknown): string | undefined {
  return isHolder(element) && typeof element.name === 'string' ? element.name : undefined;
}
