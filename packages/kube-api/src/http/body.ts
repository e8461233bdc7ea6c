/** Bodies of requests as values. */
import type { IncomingMessage } from 'node:http';
import { CORE_SCHEMA, load } from 'js-yaml';
import { ApiStatusError } from '../api-status-error.ts';
import { decodeProtobuf } from '../protobuf/decode.ts';
import { checkShape } from '../shape.ts';
import { badRequest } from '../status.ts';
import { PROTOBUF } from './media-type.ts';

/** etcd's limit on one object is 1.5 MiB; kube-apiserver reads 3 MiB. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

function tooLarge(): ApiStatusError {
  const message = `Request entity too large: limit is ${MAX_BODY_BYTES}`;
  return new ApiStatusError(413, 'RequestEntityTooLarge', message);
}

/** The bytes. Throws 413. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // A body that is not read to its end must not end, or block, the connection: the rest is thrown away with the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** JSON is YAML, and what most clients send as such; it is read much faster. */
function parseYaml(text: string): unknown {
  if (/^\s*\{/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // YAML that begins as JSON does.
    }
  }
  return load(text, { schema: CORE_SCHEMA });
}

function parse(type: string, body: Buffer): unknown {
  if (type.endsWith('yaml')) return parseYaml(body.toString());
  if (type === PROTOBUF) return decodeProtobuf(body);
  return JSON.parse(body.toString());
}

/** The value of a body of one of the media types that are read. Throws 400 or 415. */
export function parseBody(type: string, body: Buffer): unknown {
  try {
    const value = parse(type, body);
    checkShape(value);
    return value;
  } catch (cause) {
    if (cause instanceof ApiStatusError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw badRequest(`error decoding the request body: ${why}`);
  }
}
