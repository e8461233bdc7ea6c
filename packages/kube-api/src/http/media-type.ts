/** In which form an answer goes out: JSON, or protobuf for who asks for that first. */
import { ApiStatusError } from '../api-status-error.ts';
import { hasProtobuf } from '../protobuf/encode.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const JSON_TYPES = new Set(['application/json', 'application/*', '*/*', '']);

/** `json` or `protobuf`: the first of the accepted types that objects of a kind can have. */
export type Form = 'json' | 'protobuf';

function notAcceptable(): ApiStatusError {
  const types = ['application/json', PROTOBUF].join(', ');
  const message = `only the following media types are accepted: ${types}; custom resources have no protobuf form`;
  return new ApiStatusError(406, 'NotAcceptable', message, {});
}

/** Throws 406 for a client that wants nothing but protobuf, of a kind that has none. */
export function formOf(accept: string | undefined, apiVersion: string, kind: string): Form {
  const types = (accept ?? '').split(',').map((entry) => entry.split(';')[0]?.trim() ?? '');
  for (const type of types) {
    if (JSON_TYPES.has(type)) return 'json';
    if (type === PROTOBUF && hasProtobuf(apiVersion, kind)) return 'protobuf';
  }
  // Documents that are no objects, and types that nobody serves, such as text/html of a browser.
  if (types.every((type) => type === PROTOBUF)) throw notAcceptable();
  return 'json';
}
