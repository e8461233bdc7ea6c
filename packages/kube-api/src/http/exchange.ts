/** One HTTP request and its answer, as the handlers see them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiStatusError } from '../api-status-error.ts';
import { isObject, type JsonObject } from '../json.ts';
import type { FieldValidation, UserInfo, WriteRequest } from '../objects/write-request.ts';
import { encodeProtobuf } from '../protobuf/encode.ts';
import { badRequest, statusObject, unsupportedMediaType } from '../status.ts';
import { parseBody, readBody } from './body.ts';
import { formOf, PROTOBUF } from './media-type.ts';
import type { RequestInfo } from './request-info.ts';

/** A request that was authenticated and parsed. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly info: RequestInfo;
  readonly user: UserInfo;
}

/** The media type without parameters; empty when there is none. */
export function contentType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
}

const readable = new Set([
  '',
  'application/json',
  'application/yaml',
  PROTOBUF,
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]);

/** The decoded body; undefined when there is none. Throws 400, 413 or 415. */
export async function bodyOf({ request }: Exchange): Promise<unknown> {
  const type = contentType(request);
  const body = await readBody(request);
  if (body.length === 0) return undefined;
  if (!readable.has(type)) {
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
    );
  }
  return parseBody(type, body);
}

/** The body as an object. Throws 400 for anything else. */
export async function objectBody(exchange: Exchange): Promise<JsonObject> {
  const body = await bodyOf(exchange);
  if (!isObject(body)) throw badRequest('the body of the request is no object');
  return body;
}

/** Whether a person reads the answer: a browser or a command, or who asks with `pretty` (apiserver `isPrettyPrint`). */
function isForPeople({ headers, url }: IncomingMessage): boolean {
  const asked = /[?&]pretty=(1|true)\b/.test(url ?? '');
  return asked || /^(curl|Wget|Mozilla\/5\.0)/.test(headers['user-agent'] ?? '');
}

function send(response: ServerResponse, status: number, type: string, body: Buffer): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length });
  response.end(body);
}

/** Answers with JSON and its length, indented for people. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = isForPeople(response.req)
    ? JSON.stringify(body, null, 2)
    : `${JSON.stringify(body)}\n`;
  send(response, status, 'application/json', Buffer.from(text));
}

/** Answers with an object or a list of objects, in protobuf if the client prefers that. Throws 406. */
export function sendKind(response: ServerResponse, status: number, object: JsonObject): void {
  const { accept } = response.req.headers;
  const form = formOf(accept, String(object.apiVersion), String(object.kind));
  if (form === 'json') sendJson(response, status, object);
  else send(response, status, PROTOBUF, encodeProtobuf(object));
}

/** Answers with the Status of an error; breaks off an answer that has begun. */
export function sendError(response: ServerResponse, error: ApiStatusError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  sendKind(response, error.code, statusObject(error));
}

function fieldValidation(query: URLSearchParams): FieldValidation {
  const asked = query.get('fieldValidation') ?? '';
  if (asked === '' || asked === 'Warn') return 'Warn';
  if (asked === 'Strict' || asked === 'Ignore') return asked;
  throw badRequest(
    `fieldValidation: Unsupported value: "${asked}": supported values: "", "Ignore", "Warn", "Strict"`,
  );
}

/** The name before the first slash of the User-Agent manages the fields of who names no manager. */
function agentName(request: IncomingMessage): string {
  return (request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown';
}

/** What all warnings of one answer may have: clients refuse longer heads (apiserver `truncateAtTotalRunes`). */
const MAX_WARNINGS = 4096;

/** A `Warning` header, which kubectl prints (RFC 7234 5.5, code 299). What there is no room for is left out. */
export function warn(response: ServerResponse, message: string): void {
  const before = [response.getHeader('Warning') ?? []].flat().join('').length;
  const warning = `299 - ${JSON.stringify(printable(message))}`;
  if (before + warning.length <= MAX_WARNINGS) response.appendHeader('Warning', warning);
}

/** Names that clients chose are in it; a header holds ASCII. */
function printable(message: string): string {
  return message.replaceAll(/[^ -~]/g, '?');
}

/** How this request writes. Warnings become `Warning` headers of the answer. */
export function writeRequestOf({ request, response, info, user }: Exchange): WriteRequest {
  return {
    user,
    manager: info.query.get('fieldManager') ?? agentName(request),
    fieldValidation: fieldValidation(info.query),
    dryRun: info.query.getAll('dryRun').includes('All'),
    warn: (message) => warn(response, message),
  };
}
