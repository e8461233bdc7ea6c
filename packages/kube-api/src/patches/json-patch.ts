import jsonPatch, { type Operation } from 'fast-json-patch';
import { ApiStatusError } from '../api-status-error.ts';
import type { JsonObject } from '../json.ts';
import { badRequest } from '../status.ts';

/**
 * JSON patch (RFC 6902). Throws 400 if it is no list of operations, 422 if one of them does not apply, without saying
 * which: kube-apiserver answers the same.
 */
export function applyJsonPatch(target: JsonObject, operations: unknown): JsonObject {
  if (!Array.isArray(operations))
    throw badRequest('error decoding patch: not a list of operations');
  try {
    return jsonPatch.applyPatch(structuredClone(target), operations as Operation[], true, false)
      .newDocument;
  } catch {
    const message = 'the server rejected our request due to an error in our request';
    throw new ApiStatusError(422, 'Invalid', message, {});
  }
}
