/** Patches as changes to an object, each with its own way to say that the result does not decode. */
import type { ApiObject } from '../cluster-client.ts';
import { applyServerSide } from '../fields/server-side-apply.ts';
import { isObject, type JsonObject, objectOr, sortedJson } from '../json.ts';
import { bodyRefusal, checkKind, decodeObject, type Refusal } from '../objects/decode.ts';
import type { Change, Objects } from '../objects/objects.ts';
import type { Subresource, Target, WriteRequest } from '../objects/write-request.ts';
import { applyJsonPatch } from '../patches/json-patch.ts';
import { applyMergePatch } from '../patches/merge-patch.ts';
import { applyStrategicPatch, printedPatch } from '../patches/strategic-patch.ts';
import type { ServedResource } from '../resource-registry.ts';
import { badRequest, invalid, invalidValue, unsupportedMediaType } from '../status.ts';

/** The refusal of a patch shows the patch, or what it made, and then the problem. */
function patchRefusal(shown: () => string, goConversion: boolean): Refusal {
  const refuse = (problem: string) =>
    invalid({ group: '', kind: '' }, '', [invalidValue('patch', shown(), problem)]);
  return {
    unknownField: refuse,
    typeMistake: (problem, mistake) =>
      refuse(goConversion ? `unrecognized type: ${mistake.format ?? mistake.expected}` : problem),
  };
}

const wantedTypes =
  'application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml';

function strategicChange(resource: ServedResource, patch: unknown): Change {
  if (resource.custom) {
    throw unsupportedMediaType(
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    );
  }
  if (!isObject(patch)) throw badRequest('the patch is no object');
  return {
    apply: (current) => checkKind(resource, applyStrategicPatch(resource.schema, current, patch)),
    refusal: patchRefusal(() => printedPatch(resource.schema, patch), true),
  };
}

/** The `scale` of an object after a patch. Throws 400, 413, 415 or 422. */
export function patchedScale(scale: JsonObject, type: string, patch: unknown): unknown {
  if (type === 'application/json-patch+json') return applyJsonPatch(scale, patch);
  if (!isObject(patch)) throw badRequest('the patch is no object');
  return applyMergePatch(scale, patch);
}

/** Throws 415 for a patch type that the resource does not take. */
export function patchChange(resource: ServedResource, type: string, patch: unknown): Change {
  let made: JsonObject = {};
  const remember = (object: unknown): JsonObject => {
    if (!isObject(object)) throw badRequest('the patch makes no object');
    made = object;
    return checkKind(resource, object);
  };
  const refusal = patchRefusal(() => sortedJson(made), false);
  switch (type) {
    case 'application/json-patch+json':
      return { apply: (current) => remember(applyJsonPatch(current, patch)), refusal };
    case 'application/merge-patch+json':
      return { apply: (current) => remember(applyMergePatch(current, patch)), refusal };
    case 'application/strategic-merge-patch+json':
      return strategicChange(resource, patch);
    default:
      throw unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: ${wantedTypes}`,
      );
  }
}

interface ApplyWrite {
  readonly resource: ServedResource;
  readonly target: Target;
  readonly subresource: Subresource;
  readonly request: WriteRequest;
}

/** Server-side apply: creates the object if there is none. Throws 409 with the conflicting fields unless forced. */
export async function applyConfiguration(
  objects: Objects,
  write: ApplyWrite,
  body: JsonObject,
  force: boolean,
): Promise<{ readonly object: ApiObject; readonly created: boolean }> {
  const { resource, target, request, subresource } = write;
  const refusal = bodyRefusal(resource);
  const named = { ...objectOr(body.metadata), name: target.name };
  const configuration = { ...body, metadata: named };
  const { schema } = resource;
  const manager = {
    name: request.manager,
    operation: 'Apply' as const,
    apiVersion: resource.apiVersion,
    subresource,
  };
  const merge = (live: ApiObject | null): JsonObject =>
    applyServerSide({ schema, live, applied: configuration, manager, force });
  // Unknown fields are told before anything is merged, as the typed parser of the real server does.
  decodeObject(resource, configuration, request, refusal);
  const quiet: WriteRequest = { ...request, fieldValidation: 'Ignore' };
  if (objects.find(resource, target) === null) {
    const { object, causes } = decodeObject(resource, merge(null), quiet, refusal);
    const created = await objects.createDecoded(
      { resource, namespace: target.namespace, object, request },
      causes,
    );
    return { object: created, created: true };
  }
  const updated = await objects.update(
    { resource, target, subresource, request: quiet },
    { apply: merge, refusal, keepsManagedFields: true },
  );
  return { object: updated, created: false };
}
