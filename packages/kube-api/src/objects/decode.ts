/** From what a client sent to an object the server may store: known fields only, right types, defaults. */
import type { ApiStatusError } from '../api-status-error.ts';
import { isObject, type JsonObject, objectOr, stringOr } from '../json.ts';
import { kindDefaults } from '../kinds/built-in.ts';
import type { ServedResource } from '../resource-registry.ts';
import { applySchemaDefaults } from '../schema/defaults.ts';
import { decodeStructure, goTypeMistake, type TypeMistake } from '../schema/structure.ts';
import { badRequest, type Cause } from '../status.ts';
import type { WriteRequest } from './write-request.ts';

/** How a body that does not decode is refused; patches word it differently from whole objects. */
export interface Refusal {
  typeMistake(problem: string, mistake: TypeMistake): ApiStatusError;
  unknownField(problem: string): ApiStatusError;
}

/** The refusal of a whole object that was posted or put. */
export function bodyRefusal(resource: ServedResource): Refusal {
  const prefix = `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: `;
  const refuse = (problem: string): ApiStatusError => badRequest(prefix + problem);
  return { typeMistake: refuse, unknownField: refuse };
}

function typeCause(mistake: TypeMistake): Cause {
  return {
    reason: 'FieldValueTypeInvalid',
    message: `Invalid value: "${mistake.found}": ${mistake.path} in body must be of type ${mistake.expected}: "${mistake.found}"`,
    field: mistake.path,
  };
}

/** Throws 400 if the body is of another kind or version than the path. */
export function checkKind(resource: ServedResource, body: JsonObject): JsonObject {
  const apiVersion = stringOr(body.apiVersion) ?? resource.apiVersion;
  const kind = stringOr(body.kind) ?? resource.kind;
  if (kind !== resource.kind || apiVersion !== resource.apiVersion) {
    throw badRequest(
      `the API version in the data (${apiVersion}, Kind=${kind}) does not match the expected API version (${resource.apiVersion}, Kind=${resource.kind})`,
    );
  }
  return { ...body, apiVersion, kind };
}

/** What became of a body. */
export interface DecodedObject {
  readonly object: JsonObject;
  /** Type mistakes of a custom resource, which are reported together with its other mistakes. */
  readonly causes: readonly Cause[];
}

function reportUnknown(unknown: readonly string[], request: WriteRequest, refusal: Refusal): void {
  if (unknown.length === 0 || request.fieldValidation === 'Ignore') return;
  const problems = unknown.map((path) => `unknown field "${path}"`);
  if (request.fieldValidation === 'Strict') {
    throw refusal.unknownField(`strict decoding error: ${problems.join(', ')}`);
  }
  for (const problem of problems) request.warn(problem);
}

/** Fields that Go's types leave out when they are empty. */
const omittedWhenEmpty = [
  'labels',
  'annotations',
  'finalizers',
  'ownerReferences',
  'managedFields',
];

function tidyMetadata(object: JsonObject): void {
  const metadata = { ...objectOr(object.metadata) };
  for (const field of omittedWhenEmpty) {
    const value = metadata[field];
    const size = Array.isArray(value)
      ? value.length
      : isObject(value)
        ? Object.keys(value).length
        : 1;
    if (size === 0 || value === null) delete metadata[field];
  }
  for (const field of [
    'generateName',
    'namespace',
    'selfLink',
    'uid',
    'resourceVersion',
    'creationTimestamp',
  ]) {
    if (metadata[field] === '' || metadata[field] === null) delete metadata[field];
  }
  object.metadata = metadata;
}

/**
 * Throws by `refusal` if the body has a wrong type (built-in kinds) or, under Strict, an unknown field. The result is a
 * fresh copy with the defaults filled in.
 */
export function decodeObject(
  resource: ServedResource,
  body: JsonObject,
  request: WriteRequest,
  refusal: Refusal,
): DecodedObject {
  const { value, unknown, mistakes } = decodeStructure(resource.schema, body, resource.custom);
  const [mistake] = mistakes;
  if (mistake !== undefined && !resource.custom) {
    throw refusal.typeMistake(goTypeMistake(resource.kind, mistake), mistake);
  }
  reportUnknown(unknown, request, refusal);
  const object = structuredClone(value);
  tidyMetadata(object);
  object.apiVersion = resource.apiVersion;
  object.kind = resource.kind;
  if (mistakes.length === 0) fillDefaults(resource, object);
  return { object, causes: mistakes.map(typeCause) };
}

/** Fills the defaults in place, of the schema and of the kind. */
export function fillDefaults(resource: ServedResource, object: JsonObject): void {
  if (resource.custom) applySchemaDefaults(resource.schema, object);
  else kindDefaults[resource.collection]?.(object);
}
