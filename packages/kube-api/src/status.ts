/** The failures of the API as `ApiStatusError`s, worded as kube-apiserver words them. */
import { ApiStatusError } from './api-status-error.ts';
import type { JsonObject } from './json.ts';

/** One mistake, as `details.causes` of a Status lists it. */
export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** A kind as messages name it. */
export interface NamedKind {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

function qualified(resource: NamedKind): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

function details(resource: NamedKind, name: string, kind = resource.plural): JsonObject {
  return { name, ...(resource.group === '' ? {} : { group: resource.group }), kind };
}

/** 404 for an object. */
export function notFound(resource: NamedKind, name: string): ApiStatusError {
  const message = `${qualified(resource)} "${name}" not found`;
  return new ApiStatusError(404, 'NotFound', message, details(resource, name));
}

/** A path that no resource answers to. */
export function noSuchResource(): ApiStatusError {
  return new ApiStatusError(
    404,
    'NotFound',
    'the server could not find the requested resource',
    {},
  );
}

/** 409 for a name that is taken. */
export function alreadyExists(resource: NamedKind, name: string): ApiStatusError {
  const message = `${qualified(resource)} "${name}" already exists`;
  return new ApiStatusError(409, 'AlreadyExists', message, details(resource, name));
}

/** 409 with the given explanation. */
export function conflict(resource: NamedKind, name: string, why: string): ApiStatusError {
  const message = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`;
  return new ApiStatusError(409, 'Conflict', message, details(resource, name));
}

/** 409 for a resourceVersion that is no longer the latest. */
export function staleVersion(resource: NamedKind, name: string): ApiStatusError {
  return conflict(
    resource,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

/** 400. */
export function badRequest(message: string): ApiStatusError {
  return new ApiStatusError(400, 'BadRequest', message);
}

/** 405. */
export function methodNotAllowed(message: string): ApiStatusError {
  return new ApiStatusError(405, 'MethodNotAllowed', message, {});
}

/** 415. */
export function unsupportedMediaType(message: string): ApiStatusError {
  return new ApiStatusError(415, 'UnsupportedMediaType', message);
}

/** 410: the revision is older than the history that is kept; the client lists again. */
export function expired(message: string): ApiStatusError {
  return new ApiStatusError(410, 'Expired', message);
}

/** 422 with every mistake; `kind` empty names no object (as for a patch that does not decode). */
export function invalid(
  resource: { readonly group: string; readonly kind: string },
  name: string,
  causes: readonly Cause[],
): ApiStatusError {
  const listed = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const what = listed.length === 1 ? listed[0] : `[${listed.join(', ')}]`;
  const kind = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`;
  return new ApiStatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${what}`, {
    ...(name === '' ? {} : { name }),
    ...(resource.group === '' ? {} : { group: resource.group }),
    ...(resource.kind === '' ? {} : { kind: resource.kind }),
    causes,
  });
}

/** A value that breaks a rule. */
export function invalidValue(field: string, value: unknown, why: string): Cause {
  return {
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
    field,
  };
}

/** A field that is missing. */
export function requiredValue(field: string, why = ''): Cause {
  return {
    reason: 'FieldValueRequired',
    message: `Required value${why === '' ? '' : `: ${why}`}`,
    field,
  };
}

/** A value outside an enumeration. */
export function unsupportedValue(
  field: string,
  value: unknown,
  supported: readonly unknown[],
): Cause {
  const listed = supported.map((item) => JSON.stringify(item)).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${listed}`,
    field,
  };
}

/** A value that may not be there, or not change. */
export function forbiddenValue(field: string, why: string): Cause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field };
}

/** A value that occurs before in its list. */
export function duplicateValue(field: string, value: unknown): Cause {
  const message = `Duplicate value: ${JSON.stringify(value)}`;
  return { reason: 'FieldValueDuplicate', message, field };
}

/** A name that refers to nothing. */
export function notFoundValue(field: string, value: unknown): Cause {
  return { reason: 'FieldValueNotFound', message: `Not found: ${JSON.stringify(value)}`, field };
}

/** The `Status` object that answers a failed request. */
export function statusObject(error: ApiStatusError): JsonObject {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    ...(error.reason === '' ? {} : { reason: error.reason }),
    ...(error.details === null ? {} : { details: error.details }),
    code: error.code,
  };
}

/** Told what was thrown that is no answer of an API: a fault of this program. */
export type OnFault = (error: Error) => void;

/** Any thrown value as an API failure: what is not one already is an internal error, and told. */
export function toApiStatusError(cause: unknown, onFault: OnFault): ApiStatusError {
  if (cause instanceof ApiStatusError) return cause;
  onFault(cause instanceof Error ? cause : new Error(String(cause)));
  const message = cause instanceof Error ? cause.message : String(cause);
  return new ApiStatusError(500, 'InternalError', `Internal error occurred: ${message}`);
}
