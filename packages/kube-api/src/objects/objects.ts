/**
 * Reading and writing objects: the one pipeline that HTTP requests and controllers go through. In order: decode and
 * default, managed fields, admission (mutating), allocation, validation, admission (validating), store.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { nameLetters, timestampOf } from '@aquifer/model/kubernetes';
import { checkNamespace } from '../admission/namespace-rules.ts';
import { warningsOf } from '../admission/without-effect.ts';
import { ApiStatusError } from '../api-status-error.ts';
import type { ApiObject } from '../cluster-client.ts';
import {
  allocateServiceAddresses,
  dropFormerType,
  serviceAddressCauses,
} from '../defaults/service-defaults.ts';
import { managedFieldsAfterUpdate, SERVER_OWNED } from '../fields/managed-fields.ts';
import { type JsonObject, listOr, objectOr, sameJson, stringOr } from '../json.ts';
import { countsGenerations, kindAdmission } from '../kinds/built-in.ts';
import { asStored, inVersion } from '../kinds/conversions.ts';
import type { ServedResource } from '../resource-registry.ts';
import { requiredCauses, schemaCauses } from '../schema/rules.ts';
import {
  alreadyExists,
  badRequest,
  type Cause,
  invalid,
  notFound,
  staleVersion,
} from '../status.ts';
import type { Storage } from '../storage/storage.ts';
import { finalizerCauses, metadataCauses } from '../validation/names.ts';
import { kindRules } from '../validation/rules.ts';
import { bodyRefusal, decodeObject, fillDefaults, type Refusal } from './decode.ts';
import { checkPreconditions } from './preconditions.ts';
import type { Subresource, Target, WriteRequest } from './write-request.ts';

/** A write on its way in. */
export interface AdmissionRequest {
  readonly resource: ServedResource;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly target: Target;
  readonly subresource: Subresource;
  readonly object: JsonObject | null;
  readonly previous: ApiObject | null;
  readonly request: WriteRequest;
}

/** Webhooks. Both throw an `ApiStatusError` to refuse. */
export interface Admission {
  mutate(admission: AdmissionRequest): Promise<JsonObject>;
  validate(admission: AdmissionRequest): Promise<void>;
}

/** How an update makes the next object from the current one. */
export interface Change {
  /** The whole next object. May throw. */
  apply(current: ApiObject): JsonObject;
  readonly refusal: Refusal;
  /** The record that server-side apply has already kept; otherwise the pipeline keeps it. */
  readonly keepsManagedFields?: boolean;
}

interface Write {
  readonly resource: ServedResource;
  readonly target: Target;
  readonly subresource: Subresource;
  readonly request: WriteRequest;
}

const statusOnCreate = new Set(['/nodes', 'apiextensions.k8s.io/customresourcedefinitions']);
/** Attempts when somebody else writes between reading and storing. */
const WRITE_ATTEMPTS = 5;

function generatedName(prefix: string): string {
  return `${prefix.slice(0, 58)}${nameLetters(randomBytes(5))}`;
}

/** A complete object, as the pipeline leaves it. */
function asApiObject(object: JsonObject): ApiObject {
  return object as unknown as ApiObject;
}

/** Everything it returns is stored state, in the version that is stored, and must not be modified. */
export class Objects {
  readonly #storage: Storage;
  readonly #admission: Admission;

  constructor(storage: Storage, admission: Admission) {
    this.#storage = storage;
    this.#admission = admission;
  }

  find(resource: ServedResource, target: Target): ApiObject | null {
    return this.#storage.get(resource.collection, target.namespace, target.name);
  }

  /** Throws 404 if there is none. */
  get(resource: ServedResource, target: Target): ApiObject {
    const found = this.find(resource, target);
    if (found === null) throw notFound(resource, target.name);
    return found;
  }

  async create(
    resource: ServedResource,
    namespace: string,
    body: JsonObject,
    request: WriteRequest,
  ): Promise<ApiObject> {
    const { object, causes } = decodeObject(resource, body, request, bodyRefusal(resource));
    return this.createDecoded({ resource, namespace, object, request }, causes);
  }

  /** For an object that is decoded already (server-side apply makes it so). */
  async createDecoded(
    write: {
      readonly resource: ServedResource;
      readonly namespace: string;
      readonly object: JsonObject;
      readonly request: WriteRequest;
    },
    causes: readonly Cause[],
  ): Promise<ApiObject> {
    const { resource, namespace, object, request } = write;
    const metadata = newMetadata(resource, object, namespace);
    object.metadata = metadata;
    if (resource.status && !statusOnCreate.has(resource.collection)) delete object.status;
    const name = stringOr(metadata.name) ?? '';
    const target = { namespace, name };
    if (name !== '' && this.#storage.get(resource.collection, namespace, name) !== null) {
      throw alreadyExists(resource, name);
    }
    if (resource.namespaced) checkNamespace(this.#storage, resource, target);
    // Defaults again: dropping the status may have left a gap.
    fillDefaults(resource, object);
    metadata.managedFields ??= managedFieldsAfterUpdate({
      schema: resource.schema,
      custom: resource.custom,
      before: null,
      after: object,
      manager: managerOf({ resource, target, subresource: '', request }),
    });
    kindAdmission[resource.collection]?.(object, this.#storage);
    const admission: AdmissionRequest = {
      resource,
      operation: 'CREATE',
      target,
      subresource: '',
      object,
      previous: null,
      request,
    };
    const admitted = await this.#admission.mutate(admission);
    if (countsGeneration(resource)) objectOr(admitted.metadata).generation = 1;
    this.#validate(resource, admitted, null, causes);
    await this.#admission.validate({ ...admission, object: admitted });
    if (this.#storage.get(resource.collection, namespace, name) !== null) {
      throw alreadyExists(resource, name);
    }
    warn(resource, admitted, null, request);
    const made = asStored(resource, asApiObject(admitted), null);
    return request.dryRun ? made : this.#storage.put(resource.collection, made);
  }

  /** Throws 404 if there is none, 409 if the change names a stale resourceVersion. */
  async update(write: Write, change: Change): Promise<ApiObject> {
    const { resource, target } = write;
    for (let attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
      const current = this.get(resource, target);
      const next = await this.#prepare(write, change, inVersion(resource, current));
      const latest = this.#storage.get(resource.collection, target.namespace, target.name);
      if (latest === current) return this.#store(write, current, next);
      if (latest === null) throw notFound(resource, target.name);
    }
    throw staleVersion(resource, target.name);
  }

  async #prepare(write: Write, change: Change, current: ApiObject): Promise<JsonObject> {
    const { resource, target, subresource, request } = write;
    const { object: decoded, causes } = decodeObject(
      resource,
      change.apply(current),
      request,
      change.refusal,
    );
    checkPreconditions(resource, target.name, decoded, current);
    const next = keepServerFields(write, decoded, current);
    fillDefaults(resource, next);
    if (change.keepsManagedFields !== true) {
      objectOr(next.metadata).managedFields = managedFieldsAfterUpdate({
        schema: resource.schema,
        custom: resource.custom,
        before: current,
        after: next,
        manager: managerOf(write),
      });
    }
    const admission: AdmissionRequest = {
      resource,
      operation: 'UPDATE',
      target,
      subresource,
      object: next,
      previous: current,
      request,
    };
    const admitted = subresource === '' ? await this.#admission.mutate(admission) : next;
    bumpGeneration(resource, admitted, current);
    this.#validate(resource, admitted, current, causes);
    if (subresource === '') await this.#admission.validate({ ...admission, object: admitted });
    return admitted;
  }

  #validate(
    resource: ServedResource,
    object: JsonObject,
    previous: ApiObject | null,
    typeCauses: readonly Cause[],
  ): void {
    const metadata = objectOr(object.metadata);
    const name = stringOr(metadata.name) ?? '';
    const causes: Cause[] = [...typeCauses];
    causes.push(...metadataCauses(resource.collection, resource.namespaced, metadata));
    causes.push(...finalizerCauses(metadata, previous?.metadata ?? null, !resource.custom));
    if (resource.collection === '/services') {
      const unavailable = this.#allocate(object, previous);
      if (unavailable.length > 0) throw invalid(resource, name, unavailable);
    }
    if (resource.custom) causes.push(...schemaCauses(resource.schema, object, previous));
    else {
      causes.push(...requiredCauses(resource.schema, object));
      causes.push(...(kindRules[resource.collection]?.(object, previous) ?? []));
    }
    if (causes.length > 0) throw invalid(resource, name, causes);
  }

  #allocate(service: JsonObject, previous: ApiObject | null): Cause[] {
    const uid = previous?.metadata.uid;
    const others = this.#storage.list('/services').filter((other) => other.metadata.uid !== uid);
    if (previous !== null) dropFormerType(service, previous);
    const causes = serviceAddressCauses(service, others, previous);
    if (causes.length === 0) allocateServiceAddresses(service, others, previous);
    return causes;
  }

  #store(write: Write, current: ApiObject, next: JsonObject): ApiObject {
    const { resource, subresource, request } = write;
    if (subresource === '') warn(resource, next, current, request);
    const object = asStored(resource, asApiObject(next), current);
    if (isFinished(object)) {
      return request.dryRun ? object : this.#storage.remove(resource.collection, object);
    }
    if (request.dryRun) return object;
    // A write that changes nothing is no event (kube-apiserver's short circuit).
    if (sameJson(withoutTimes(object), withoutTimes(current))) return current;
    return this.#storage.put(resource.collection, object);
  }
}

function warn(
  { collection }: ServedResource,
  object: JsonObject,
  previous: ApiObject | null,
  request: WriteRequest,
): void {
  for (const warning of warningsOf(collection, object, previous)) request.warn(warning);
}

/** Marked for deletion and nothing holds it any more. */
function isFinished(object: ApiObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (deletionTimestamp === undefined || (finalizers ?? []).length > 0) return false;
  if (object.kind === 'Namespace') return listOr(objectOr(object.spec).finalizers).length === 0;
  return (deletionGracePeriodSeconds ?? 0) === 0;
}

function withoutTimes(object: ApiObject): JsonObject {
  const { resourceVersion: _version, ...metadata } = object.metadata as JsonObject;
  const managedFields = listOr(metadata.managedFields).map((entry) => ({
    ...objectOr(entry),
    time: null,
  }));
  return { ...object, metadata: { ...metadata, managedFields } };
}

function countsGeneration(resource: ServedResource): boolean {
  return resource.custom || countsGenerations.has(resource.collection);
}

function managerOf({ resource, subresource, request }: Write) {
  return {
    name: request.manager,
    operation: 'Update' as const,
    apiVersion: resource.apiVersion,
    subresource,
  };
}

function newMetadata(resource: ServedResource, object: JsonObject, namespace: string): JsonObject {
  const metadata = { ...objectOr(object.metadata) };
  const named = stringOr(metadata.namespace);
  if (resource.namespaced && named !== undefined && named !== namespace) {
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  }
  if (resource.namespaced) metadata.namespace = namespace;
  else delete metadata.namespace;
  if ((stringOr(metadata.name) ?? '') === '' && stringOr(metadata.generateName) !== undefined) {
    metadata.name = generatedName(String(metadata.generateName));
  }
  if (Number(metadata.resourceVersion ?? 0) !== 0) {
    const why = 'resourceVersion should not be set on objects to be created';
    throw new ApiStatusError(500, '', why, null);
  }
  for (const field of [
    'resourceVersion',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
  ]) {
    delete metadata[field];
  }
  metadata.uid = randomUUID();
  metadata.creationTimestamp = timestampOf(new Date());
  return metadata;
}

/** What an update cannot change: the server's own metadata, and the other side of the status subresource. */
function keepServerFields(write: Write, next: JsonObject, current: ApiObject): JsonObject {
  const { resource, subresource } = write;
  if (subresource === 'status' && resource.custom) {
    const managedFields = objectOr(next.metadata).managedFields;
    return {
      ...structuredClone(current),
      status: next.status,
      metadata: { ...current.metadata, ...(managedFields === undefined ? {} : { managedFields }) },
    };
  }
  const metadata = { ...objectOr(next.metadata) };
  for (const field of SERVER_OWNED) {
    if (current.metadata[field] === undefined) delete metadata[field];
    else metadata[field] = current.metadata[field];
  }
  // Labels and annotations of built-in kinds may be written through their status, as node agents do.
  if (subresource === 'status') {
    return { ...structuredClone(current), status: next.status, metadata };
  }
  const kept: JsonObject = { ...next, metadata };
  if (!resource.status) return kept;
  if (current.status === undefined) delete kept.status;
  else kept.status = structuredClone(current.status);
  return kept;
}

/** The generation counts changes of what the user wants, not of metadata or status. */
function bumpGeneration(resource: ServedResource, next: JsonObject, current: ApiObject): void {
  if (!countsGeneration(resource)) return;
  const wanted = (object: JsonObject): JsonObject => {
    const { metadata: _metadata, status: _status, apiVersion: _version, ...rest } = object;
    return rest;
  };
  const generation = current.metadata.generation ?? 1;
  objectOr(next.metadata).generation = sameJson(wanted(next), wanted(current))
    ? generation
    : generation + 1;
}
