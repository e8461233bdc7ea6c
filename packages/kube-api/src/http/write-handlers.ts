/** create, update, patch, delete and deletecollection, of objects and of their status and scale. */
import type { ApiObject } from '../cluster-client.ts';
import { isObject, type JsonObject, objectOr, stringOr } from '../json.ts';
import { bodyRefusal, checkKind, decodeObject } from '../objects/decode.ts';
import { checkedDeleteOptions, type DeleteOptions, deleteObject } from '../objects/deletion.ts';
import type { Admission, Change, Objects } from '../objects/objects.ts';
import type { Subresource, Target, WriteRequest } from '../objects/write-request.ts';
import { applyMergePatch } from '../patches/merge-patch.ts';
import type { ResourceRegistry, ServedResource } from '../resource-registry.ts';
import { badRequest, invalid, invalidValue, methodNotAllowed, noSuchResource } from '../status.ts';
import type { Storage } from '../storage/storage.ts';
import {
  bodyOf,
  contentType,
  type Exchange,
  objectBody,
  sendKind,
  writeRequestOf,
} from './exchange.ts';
import { applyConfiguration, patchChange, patchedScale } from './patch-changes.ts';
import { scaleOf, selectorOf, sendObject } from './read-handlers.ts';
import type { ResourcePath } from './request-info.ts';

/** What writing needs. */
export interface WriteDependencies {
  readonly storage: Storage;
  readonly objects: Objects;
  readonly admission: Admission;
}

function targetOf(path: ResourcePath): Target {
  return { namespace: path.namespace, name: path.name };
}

/** `POST` to a collection. */
export async function handleCreate(
  exchange: Exchange,
  { objects }: WriteDependencies,
  resource: ServedResource,
  path: ResourcePath,
): Promise<void> {
  const body = checkKind(resource, await objectBody(exchange));
  const request = writeRequestOf(exchange);
  const namespace = resource.namespaced ? path.namespace || namespaceOf(body) : '';
  const created = await objects.create(resource, namespace, body, request);
  sendObject(exchange, resource, created, 201);
}

function namespaceOf(body: JsonObject): string {
  return stringOr(objectOr(body.metadata).namespace) ?? 'default';
}

/** `PUT` of an object, its status or its scale. */
export async function handleUpdate(
  exchange: Exchange,
  { objects }: WriteDependencies,
  resource: ServedResource,
  path: ResourcePath,
): Promise<void> {
  const body = await objectBody(exchange);
  if (path.subresource === 'scale') {
    await writeScale(exchange, objects, { resource, path }, () => body);
    return;
  }
  const next = checkKind(resource, body);
  const change: Change = { apply: () => next, refusal: bodyRefusal(resource) };
  const subresource = subresourceOf(path);
  const write = {
    resource,
    target: targetOf(path),
    subresource,
    request: writeRequestOf(exchange),
  };
  sendObject(exchange, resource, await objects.update(write, change));
}

/** `finalize` (what a namespace waits for) and `ephemeralcontainers` (of a pod) are updates of the object itself. */
function subresourceOf(path: ResourcePath): Subresource {
  // An approval is a condition of the status.
  if (path.subresource === 'status' || path.subresource === 'approval') return 'status';
  if (['', 'finalize', 'ephemeralcontainers'].includes(path.subresource)) return '';
  throw methodNotAllowed(`the server does not allow this method on ${path.subresource}`);
}

/** `PATCH` in any of the four patch types. */
export async function handlePatch(
  exchange: Exchange,
  { objects }: WriteDependencies,
  resource: ServedResource,
  path: ResourcePath,
): Promise<void> {
  const type = contentType(exchange.request);
  const patch = await bodyOf(exchange);
  if (path.subresource === 'scale') {
    await writeScale(exchange, objects, { resource, path }, (scale) =>
      patchedScale(scale, type, patch),
    );
    return;
  }
  const request = writeRequestOf(exchange);
  const subresource = subresourceOf(path);
  const write = { resource, target: targetOf(path), subresource, request };
  if (type === 'application/apply-patch+yaml') {
    if (!isObject(patch)) throw badRequest('the applied configuration is no object');
    const force = exchange.info.query.get('force') === 'true';
    const applied = await applyConfiguration(objects, write, checkKind(resource, patch), force);
    sendObject(exchange, resource, applied.object, applied.created ? 201 : 200);
    return;
  }
  const change = patchChange(resource, type, patch);
  sendObject(exchange, resource, await objects.update(write, change));
}

/** Which object, in which version, a client has seen. */
function seenBy({ metadata }: JsonObject): JsonObject {
  const { uid, resourceVersion } = objectOr(metadata);
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

/** Only `spec.replicas` of a Scale is written. */
async function writeScale(
  exchange: Exchange,
  objects: Objects,
  { resource, path }: { readonly resource: ServedResource; readonly path: ResourcePath },
  next: (scale: JsonObject) => unknown,
): Promise<void> {
  const { scale } = resource;
  if (scale === null) throw methodNotAllowed('the resource has no scale');
  const change: Change = {
    refusal: bodyRefusal(resource),
    apply: (current) => {
      const asked = objectOr(next(scaleOf(resource, current)));
      const wanted = objectOr(asked.spec).replicas;
      if (!Number.isInteger(wanted) || Number(wanted) < 0) {
        const cause = invalidValue('spec.replicas', wanted, 'must be greater than or equal to 0');
        throw invalid({ group: 'autoscaling', kind: 'Scale' }, path.name, [cause]);
      }
      const patch = scale.specReplicas.reduceRight<unknown>(
        (value, key) => ({ [key]: value }),
        wanted,
      );
      const metadata = { ...current.metadata, ...seenBy(asked) };
      return applyMergePatch({ ...current, metadata }, patch) as JsonObject;
    },
  };
  const request = writeRequestOf(exchange);
  const updated = await objects.update(
    { resource, target: targetOf(path), subresource: 'scale', request },
    change,
  );
  sendKind(exchange.response, 200, scaleOf(resource, updated));
}

/** `DeleteOptions` of the body, which count, and of the query. Throws 400 or 422. */
async function deleteOptions(exchange: Exchange): Promise<DeleteOptions> {
  const { query } = exchange.info;
  const body = (await bodyOf(exchange)) ?? {};
  if (!isObject(body)) throw badRequest('DeleteOptions are an object');
  const grace = query.get('gracePeriodSeconds');
  const policy = query.get('propagationPolicy');
  return checkedDeleteOptions({
    ...(grace === null ? {} : { gracePeriodSeconds: grace === '' ? Number.NaN : Number(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    ...body,
  });
}

function success(resource: ServedResource, object: ApiObject): JsonObject {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.plural,
      uid: object.metadata.uid,
    },
  };
}

/** Kinds whose deletion answers with the object even when it is gone. */
const answersWithObject = new Set(['/pods', '/services', '/serviceaccounts', '/namespaces']);

/** A write that `DeleteOptions` may turn into a dry run. */
export function withDryRun(request: WriteRequest, { dryRun = [] }: DeleteOptions): WriteRequest {
  return dryRun.includes('All') ? { ...request, dryRun: true } : request;
}

/** `DELETE` of one object. */
export async function handleDelete(
  exchange: Exchange,
  dependencies: WriteDependencies,
  resource: ServedResource,
  path: ResourcePath,
): Promise<void> {
  const options = await deleteOptions(exchange);
  const request = withDryRun(writeRequestOf(exchange), options);
  const where = { resource, target: targetOf(path) };
  const { object, gone } = await deleteObject(dependencies, where, options, request);
  if (gone && !answersWithObject.has(resource.collection)) {
    sendKind(exchange.response, 200, success(resource, object));
  } else {
    sendObject(exchange, resource, object);
  }
}

/** `DELETE` of every object that the selectors match. */
export async function handleDeleteCollection(
  exchange: Exchange,
  dependencies: WriteDependencies,
  resource: ServedResource,
  path: ResourcePath,
): Promise<void> {
  const options = await deleteOptions(exchange);
  const request = withDryRun(writeRequestOf(exchange), options);
  const selects = selectorOf(resource, path, exchange.info.query);
  const doomed = dependencies.storage.list(resource.collection, path.namespace).filter(selects);
  for (const { metadata } of doomed) {
    const target = { namespace: metadata.namespace ?? '', name: metadata.name };
    await deleteObject(dependencies, { resource, target }, options, request);
  }
  const { listKind: kind, apiVersion } = resource;
  const metadata = { resourceVersion: String(dependencies.storage.revision) };
  sendKind(exchange.response, 200, { kind, apiVersion, metadata, items: doomed });
}

/** `POST pods/NAME/binding`, or `POST bindings` with the pod's name: puts the pod on a node. */
export async function handleBinding(
  exchange: Exchange,
  { objects, registry }: WriteDependencies & { readonly registry: ResourceRegistry },
  _resource: ServedResource,
  path: ResourcePath,
): Promise<void> {
  const body = await objectBody(exchange);
  const nodeName = objectOr(body.target).name;
  const resource = registry.find('', 'v1', 'pods');
  if (resource === null) throw noSuchResource();
  const name = path.name || (stringOr(objectOr(body.metadata).name) ?? '');
  const write = {
    resource,
    target: { namespace: path.namespace, name },
    subresource: '' as const,
    request: writeRequestOf(exchange),
  };
  await objects.update(write, {
    refusal: bodyRefusal(resource),
    apply: (pod) => applyMergePatch(pod, { spec: { nodeName } }) as JsonObject,
  });
  sendKind(exchange.response, 201, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    code: 201,
  });
}

/** The posted object, decoded; used by the kinds that are answered and not stored. */
export async function reviewBody(
  exchange: Exchange,
  resource: ServedResource,
): Promise<JsonObject> {
  const body = checkKind(resource, await objectBody(exchange));
  const request = writeRequestOf(exchange);
  return decodeObject(resource, body, request, bodyRefusal(resource)).object;
}
