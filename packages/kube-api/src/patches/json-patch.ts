import jsonPatch, { type Operation } from 'fast-json-patch';
import { ApiStatusError } from '../api-status-error.ts';
import { isObject, type JsonObject } from '../json.ts';
import { checkShape } from '../shape.ts';
import { badRequest } from '../status.ts';

/** As in kube-apiserver. */
const MAX_OPERATIONS = 10_000;
/** What all `copy` of a patch may add: each can double what there is. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

function tooLarge(what: string): ApiStatusError {
  const message = `Request entity too large: ${what}`;
  return new ApiStatusError(413, 'RequestEntityTooLarge', message);
}

function notApplicable(): ApiStatusError {
  const message = 'the server rejected our request due to an error in our request';
  return new ApiStatusError(422, 'Invalid', message, {});
}

function copiedBytes(document: unknown, operation: unknown): number {
  if (!isObject(operation) || operation.op !== 'copy') return 0;
  const copied: unknown = jsonPatch.getValueByPointer(document, String(operation.from));
  return JSON.stringify(copied)?.length ?? 0;
}

/**
 * JSON patch (RFC 6902). Throws 400 if it is no list of operations or makes no object, 413 if it does too much, 422 if one
 * of the operations does not apply, without saying which: kube-apiserver answers the same.
 */
export function applyJsonPatch(target: JsonObject, operations: unknown): JsonObject {
  if (!Array.isArray(operations))
    throw badRequest('error decoding patch: not a list of operations');
  if (operations.length > MAX_OPERATIONS) {
    throw tooLarge(
      `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${operations.length}`,
    );
  }
  let document: unknown = structuredClone(target);
  let copied = 0;
  // Operations change what an earlier one has put in, and a patch may be applied again.
  for (const operation of structuredClone(operations) as Operation[]) {
    try {
      copied += copiedBytes(document, operation);
      document = jsonPatch.applyOperation(document, operation, true, true).newDocument;
    } catch {
      throw notApplicable();
    }
    if (copied > MAX_COPIED_BYTES) {
      throw tooLarge(`a JSON patch may copy ${MAX_COPIED_BYTES} bytes`);
    }
  }
  if (!isObject(document)) throw badRequest('the patch makes no object');
  checkShape(document);
  return document;
}
