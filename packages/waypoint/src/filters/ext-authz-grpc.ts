/** Questions and answers of envoy.service.auth.v3.Authorization (spec l7 5.5). */
import { getHeader, joinHeader, type RequestHead } from '@aquifer/http';
import type { HeaderValueOption } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
  type OkHttpResponse,
  OkHttpResponseSchema,
} from '@aquifer/wire/gen/envoy/service/auth/v3_pb';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import type { TextMatch } from '../compile/string-match.ts';
import type { AskedRequest, HeaderEdit, Provider, Verdict } from './ext-authz.ts';

const PATH = '/envoy.service.auth.v3.Authorization/Check';
const PREFIX_BYTES = 5;

/** `hears` says of which headers it is told. */
export function grpcProvider(authority: string, hears: TextMatch): Provider {
  return {
    questionOf: (request) => {
      const message = toBinary(CheckRequestSchema, checkRequest(request, hears));
      const body = Buffer.alloc(PREFIX_BYTES + message.length);
      body.writeUInt32BE(message.length, 1);
      body.set(message, PREFIX_BYTES);
      const headers = ['content-type', 'application/grpc', 'te', 'trailers'];
      const head: RequestHead = { method: 'POST', scheme: 'http', authority, path: PATH, headers };
      return { version: 'HTTP/2', head, body };
    },
    verdictOf: ({ status, headers, trailers, body }) => {
      const grpcStatus = getHeader(trailers, 'grpc-status') ?? getHeader(headers, 'grpc-status');
      // One message, as it is.
      if (status !== 200 || grpcStatus !== '0' || body.length < PREFIX_BYTES || body[0] !== 0) {
        return null;
      }
      if (body.readUInt32BE(1) !== body.length - PREFIX_BYTES) return null;
      try {
        return verdict(fromBinary(CheckResponseSchema, body.subarray(PREFIX_BYTES)));
      } catch {
        return null;
      }
    },
  };
}

function checkRequest(request: AskedRequest, hears: TextMatch) {
  const { method, authority, target, scheme, version, client, destination, body } = request;
  const names = new Set(request.headers.filter((_, i) => i % 2 === 0));
  const headers: Record<string, string> = {
    ':method': method,
    ':path': target,
    ':authority': authority,
    ':scheme': scheme,
  };
  for (const name of names) {
    if (hears(name)) headers[name] = textOf(joinHeader(request.headers, name) ?? '');
  }
  if (body !== null) headers['x-envoy-auth-partial-body'] = String(body.isPartial);
  return create(CheckRequestSchema, {
    attributes: {
      source: { address: address(client), principal: request.peerPrincipal },
      destination: { address: address(destination) },
      request: {
        time: timestampNow(),
        http: {
          id: getHeader(request.headers, 'x-request-id') ?? '',
          method,
          headers,
          path: target,
          host: authority,
          scheme,
          protocol: version === 'HTTP/2' ? 'HTTP/2' : 'HTTP/1.1',
          size: BigInt(getHeader(request.headers, 'content-length') ?? -1),
          body: body?.bytes.toString('utf8') ?? '',
        },
      },
    },
  });
}

function address({ ip, port }: AskedRequest['client']) {
  const portSpecifier = { case: 'portValue' as const, value: port };
  return { address: { case: 'socketAddress' as const, value: { address: ip, portSpecifier } } };
}

/** Null where an allowed request would need fields that no message can have: it might go on with those of its client. */
function verdict({ status, httpResponse }: CheckResponse): Verdict | null {
  const { case: kind, value } = httpResponse;
  if ((status?.code ?? 0) === 0) return allowed(kind === 'okResponse' ? value : NO_CHANGES);
  if (kind !== 'deniedResponse') return { kind: 'deny', status: FORBIDDEN, headers: [], body: '' };
  return {
    kind: 'deny',
    status: finalStatus(value.status?.code ?? 0),
    headers: value.headers.map(headerEdit).filter(isField),
    body: value.body,
  };
}

const FORBIDDEN = 403;
const NO_CHANGES = create(OkHttpResponseSchema);

/** Behind another one the client would wait for the answer, or take what follows for another protocol. */
function finalStatus(code: number): number {
  return code >= 200 && code <= 599 ? code : FORBIDDEN;
}

function allowed(answer: OkHttpResponse): Verdict | null {
  const request = answer.headers.map(headerEdit);
  const response = answer.responseHeadersToAdd.map(headerEdit);
  if (!request.every(isField) || !response.every(isField)) return null;
  const removed = answer.headersToRemove.map((name) => name.toLowerCase());
  return { kind: 'allow', request, removed, response };
}

/** As in Envoy, what says nothing replaces. */
function headerEdit({ header, append }: HeaderValueOption): HeaderEdit {
  const value = Buffer.from(header?.value ?? '').toString('latin1');
  return [header?.key.toLowerCase() ?? '', value, append === true ? 'append' : 'set'];
}

/** Protobuf carries any text, a line break among them (RFC 9110 sections 5.1 and 5.5). */
function isField([name, value]: HeaderEdit): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

/** What a header's bytes say. */
function textOf(value: string): string {
  return Buffer.from(value, 'latin1').toString();
}
