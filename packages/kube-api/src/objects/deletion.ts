/** Deleting: at once, after a grace period, or when the last finalizer goes. */

import { timestampOf } from '@aquifer/model/kubernetes';
import { checkDeletable } from '../admission/namespace-rules.ts';
import type { ApiObject } from '../cluster-client.ts';
import { isObject, type JsonObject, listOr, objectOr } from '../json.ts';
import { countsGenerations } from '../kinds/built-in.ts';
import type { ServedResource } from '../resource-registry.ts';
import { badRequest, conflict, invalid, unsupportedValue } from '../status.ts';
import type { Storage } from '../storage/storage.ts';
import type { Admission, Objects } from './objects.ts';
import type { Target, WriteRequest } from './write-request.ts';

const propagationPolicies = ['Foreground', 'Background', 'Orphan'] as const;

/** metav1.DeleteOptions, as far as it is honoured. */
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  /** Default Background. */
  readonly propagationPolicy?: (typeof propagationPolicies)[number];
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: readonly unknown[];
}

/** What a client sent, without what was null. Throws 400 for other types, 422 for a policy that there is not. */
export function checkedDeleteOptions(sent: JsonObject): DeleteOptions {
  const options = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== null));
  const { gracePeriodSeconds, propagationPolicy, preconditions = {}, dryRun = [] } = options;
  const wrong = (field: string): Error => badRequest(`DeleteOptions.${field} has the wrong type`);
  if (gracePeriodSeconds !== undefined && !Number.isInteger(gracePeriodSeconds)) {
    throw wrong('gracePeriodSeconds');
  }
  if (!isObject(preconditions)) throw wrong('preconditions');
  if (!Array.isArray(dryRun)) throw wrong('dryRun');
  if (
    propagationPolicy !== undefined &&
    !propagationPolicies.some((policy) => policy === propagationPolicy)
  ) {
    const cause = unsupportedValue('propagationPolicy', propagationPolicy, propagationPolicies);
    throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', [cause]);
  }
  return options as DeleteOptions;
}

/** What a deletion led to. */
export interface Deletion {
  /** The object's last or current state. */
  readonly object: ApiObject;
  /** False while finalizers or a grace period keep it. */
  readonly gone: boolean;
}

interface DeleteDependencies {
  readonly storage: Storage;
  readonly objects: Objects;
  readonly admission: Admission;
}

const propagationFinalizers: Readonly<Record<string, string>> = {
  Foreground: 'foregroundDeletion',
  Orphan: 'orphan',
};

/** Seconds a pod is given; other kinds go at once. A pod that no node runs has nothing to end. */
function graceOf(resource: ServedResource, object: ApiObject, options: DeleteOptions): number {
  if (resource.collection !== '/pods') return 0;
  const spec = objectOr(object.spec);
  const phase = objectOr(object.status).phase;
  if (spec.nodeName === undefined || phase === 'Succeeded' || phase === 'Failed') return 0;
  const asked = options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds;
  return typeof asked === 'number' && asked >= 0 ? asked : 30;
}

function holds(resource: ServedResource, object: ApiObject, options: DeleteOptions): string[] {
  const finalizers = [...(object.metadata.finalizers ?? [])];
  const added = propagationFinalizers[options.propagationPolicy ?? 'Background'];
  const isNamespace = resource.collection === '/namespaces';
  if (added !== undefined && !isNamespace && !finalizers.includes(added)) finalizers.push(added);
  return finalizers;
}

function isHeld(
  resource: ServedResource,
  object: ApiObject,
  finalizers: readonly string[],
): boolean {
  if (finalizers.length > 0) return true;
  return (
    resource.collection === '/namespaces' && listOr(objectOr(object.spec).finalizers).length > 0
  );
}

function markDeleted(
  resource: ServedResource,
  object: ApiObject,
  finalizers: readonly string[],
  graceSeconds: number,
): ApiObject {
  const earlier = object.metadata.deletionGracePeriodSeconds;
  const grace = earlier === undefined ? graceSeconds : Math.min(earlier, graceSeconds);
  const started =
    earlier === undefined || object.metadata.deletionTimestamp === undefined
      ? Date.now()
      : Date.parse(object.metadata.deletionTimestamp) - earlier * 1000;
  const counts = resource.custom || countsGenerations.has(resource.collection);
  const first = object.metadata.deletionTimestamp === undefined;
  const isNamespace = resource.collection === '/namespaces';
  return {
    ...object,
    metadata: {
      ...object.metadata,
      deletionTimestamp: timestampOf(new Date(started + grace * 1000)),
      ...(isNamespace ? {} : { deletionGracePeriodSeconds: grace }),
      ...(counts && first ? { generation: (object.metadata.generation ?? 0) + 1 } : {}),
      ...(finalizers.length === 0 ? {} : { finalizers: [...finalizers] }),
    },
    ...(isNamespace ? { status: { ...objectOr(object.status), phase: 'Terminating' } } : {}),
  };
}

function checkPreconditions(
  resource: ServedResource,
  object: ApiObject,
  options: DeleteOptions,
): void {
  const { uid, resourceVersion } = objectOr(options.preconditions);
  const { metadata } = object;
  if (uid !== undefined && uid !== metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
    throw conflict(resource, metadata.name, why);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`;
    throw conflict(resource, metadata.name, why);
  }
}

/** Throws 404 if there is none, 409 if a precondition fails. */
export async function deleteObject(
  { storage, objects, admission }: DeleteDependencies,
  where: { readonly resource: ServedResource; readonly target: Target },
  options: DeleteOptions,
  request: WriteRequest,
): Promise<Deletion> {
  const { resource, target } = where;
  const before = objects.get(resource, target);
  checkDeletable(resource, target.name);
  await admission.validate({
    resource,
    operation: 'DELETE',
    target,
    subresource: '',
    object: null,
    previous: before,
    request,
  });
  const current = objects.get(resource, target);
  checkPreconditions(resource, current, options);
  const grace = graceOf(resource, current, options);
  const finalizers = holds(resource, current, options);
  const held = isHeld(resource, current, finalizers) || grace > 0;
  const marked = markDeleted(resource, current, finalizers, grace);
  if (request.dryRun) return { object: marked, gone: !held };
  if (!held) return { object: storage.remove(resource.collection, marked), gone: true };
  const shortens =
    marked.metadata.deletionGracePeriodSeconds !== current.metadata.deletionGracePeriodSeconds;
  const again = current.metadata.deletionTimestamp !== undefined && !shortens;
  return { object: again ? current : storage.put(resource.collection, marked), gone: false };
}
