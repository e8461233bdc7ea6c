// hot path: every message head

import { type HeaderList, joinHeader } from '../headers.ts';
import { badRequest, type HttpProblem } from '../problem.ts';
import { endOfName, endOfTarget, endOfValue, trimmed } from './characters.ts';
import { fieldName } from './field-names.ts';

/** Start line and fields of a request. */
export interface RawRequestHead {
  readonly method: string;
  /** As sent: origin form (`/path?query`), absolute form, authority form (CONNECT) or `*`. */
  readonly target: string;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly minorVersion: 0 | 1;
  readonly headers: HeaderList;
}

/** Status line and fields of a response. */
export interface RawResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly minorVersion: 0 | 1;
  readonly headers: HeaderList;
}

/** How the end of a body is found (RFC 9112 6.3). */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: HttpProblem };

/** Bytes of a head, its final empty line included (spec l7 3.10). */
export const MAX_HEAD_BYTES: number = 60 * 1024;
const MAX_HEADERS = 100;

/** Those that Envoy's parser knows; of another nobody here could say whether it has a body. */
const METHODS = new Set(
  (
    'GET POST PUT DELETE HEAD OPTIONS PATCH CONNECT TRACE ACL BIND CHECKOUT COPY LINK LOCK MERGE MKACTIVITY ' +
    'MKCALENDAR MKCOL MOVE MSEARCH NOTIFY PROPFIND PROPPATCH PURGE REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND ' +
    'UNLINK UNLOCK UNSUBSCRIBE'
  ).split(' '),
);
/** `HTTP/1.1`. */
const VERSION_LENGTH = 8;
/** Behind `HTTP/1.1 200 `. */
const REASON_START = 13;
const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;
const COLON = 0x3a;
const DIGITS = /^\d{1,15}$/;

const NO_BODY: BodyFraming = { kind: 'none' };
const CHUNKED: BodyFraming = { kind: 'chunked' };
const UNTIL_CLOSE: BodyFraming = { kind: 'until-close' };

/** `text` is the head in latin1 without its final empty line. */
export function parseRequestHead(text: string): Parsed<RawRequestHead> {
  const methodEnd = text.indexOf(' ');
  const targetEnd = endOfTarget(text, methodEnd + 1);
  const lineEnd = endOfValue(text, targetEnd);
  if (!isLineEnd(text, lineEnd)) return wrongCharacter(text, lineEnd, 'malformed request line');
  if (methodEnd <= 0) return fail('malformed request line');
  const method = text.slice(0, methodEnd);
  if (!METHODS.has(method)) return fail('invalid method');
  const target = text.slice(methodEnd + 1, targetEnd);
  const problem = target.startsWith('/') ? null : checkTarget(method, target);
  if (problem !== null) return { ok: false, error: problem };
  const version = text.slice(targetEnd + 1, lineEnd);
  const minorVersion = text[targetEnd] === ' ' ? parseVersion(version) : null;
  if (minorVersion === null) return unsupportedVersion(version);
  const headers = parseFields(text, lineEnd + 2);
  if (!headers.ok) return headers;
  return { ok: true, value: { method, target, minorVersion, headers: headers.value } };
}

/** As Envoy: for some readers another character, such as a backslash, would end the authority. */
const ABSOLUTE_FORM = /^https?:\/\/(?:[\w\-.!~*'()%;:&=+$,]*@)?[\w\-.:[\]]+(?:[/?#]|$)/i;

/** Targets that are no path: absolute form, the authority of a CONNECT, or the `*` of OPTIONS (RFC 9112 3.2). */
function checkTarget(method: string, target: string): HttpProblem | null {
  const isAuthority = method === 'CONNECT' && /^[^/?#]+$/.test(target);
  const isWhole = method === 'OPTIONS' && target === '*';
  if (isAuthority || isWhole || ABSOLUTE_FORM.test(target)) return null;
  if (target === '*') return badRequest('invalid request target', 'http1.invalid_url');
  const isOtherScheme = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\//i.test(target);
  return badRequest('invalid request target', isOtherScheme ? 'http1.invalid_scheme' : undefined);
}

/**
 * At most one Host, with a value that cannot be mistaken for something else (RFC 9112 3.2). That there is none is for
 * who answers to say, since a target may name the authority too.
 */
export function checkHost(head: RawRequestHead): HttpProblem | null {
  if (head.method === 'CONNECT' && head.target.startsWith('/')) {
    return badRequest('CONNECT to a path', 'http1.invalid_url');
  }
  let seen = 0;
  for (let i = 0; i < head.headers.length; i += 2) {
    if (head.headers[i] !== 'host') continue;
    seen += 1;
    if (/[\s,/@]/.test(head.headers[i + 1]!)) {
      return badRequest('invalid Host', 'http.invalid_authority');
    }
  }
  return seen <= 1 ? null : badRequest('more than one Host');
}

export function parseResponseHead(text: string): Parsed<RawResponseHead> {
  const lineEnd = endOfValue(text, 0);
  const minorVersion = parseVersion(text.slice(0, VERSION_LENGTH));
  const status = parseStatus(text);
  const isCut = lineEnd >= REASON_START && text[REASON_START - 1] !== ' ';
  if (minorVersion === null || status === null || isCut || !isLineEnd(text, lineEnd)) {
    return fail('malformed status line');
  }
  const headers = parseFields(text, lineEnd + 2);
  if (!headers.ok) return headers;
  const reason = text.slice(REASON_START, lineEnd);
  return { ok: true, value: { status, reason, minorVersion, headers: headers.value } };
}

/** The three digits between version and reason; null if they are not that. */
function parseStatus(text: string): number | null {
  if (text[VERSION_LENGTH] !== ' ') return null;
  let status = 0;
  for (let at = VERSION_LENGTH + 1; at < REASON_START - 1; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return null;
    status = 10 * status + digit;
  }
  return status >= 100 ? status : null;
}

/** Header or trailer fields from `start` to the end of the text. */
export function parseFields(text: string, start: number): Parsed<HeaderList> {
  const headers: HeaderList = [];
  for (let at = start; at < text.length; ) {
    // A name with blanks behind it, or a line that continues the one before it, fails here too.
    const colon = endOfName(text, at);
    if (colon === at || text.charCodeAt(colon) !== COLON) return fail('invalid header name');
    const end = endOfValue(text, colon + 1);
    const name = fieldName(text, at, colon);
    if (!isLineEnd(text, end)) return wrongCharacter(text, end, `invalid value of header ${name}`);
    headers.push(name, trimmed(text, colon + 1, end));
    if (headers.length > 2 * MAX_HEADERS) return tooManyHeaders();
    at = end + 2;
  }
  return { ok: true, value: headers };
}

/** How a request's body ends; anything ambiguous is refused, because two readers could disagree (RFC 9112 6.3). */
export function requestFraming(head: RawRequestHead): Parsed<BodyFraming> {
  const framing = declaredFraming(head.headers, head.minorVersion);
  if (!framing.ok || framing.value !== null) return framing as Parsed<BodyFraming>;
  return { ok: true, value: NO_BODY };
}

/** How a response's body ends, given the method that it answers. */
export function responseFraming(head: RawResponseHead, method: string): Parsed<BodyFraming> {
  const { status } = head;
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  const framing = declaredFraming(head.headers, head.minorVersion);
  if (!framing.ok) return framing;
  if (bodiless || (method === 'CONNECT' && status < 300)) return { ok: true, value: NO_BODY };
  return { ok: true, value: framing.value ?? UNTIL_CLOSE };
}

function declaredFraming(
  headers: readonly string[],
  minorVersion: 0 | 1,
): Parsed<BodyFraming | null> {
  let length: string | null = null;
  let coding: string | null = null;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i];
    const value = headers[i + 1]!;
    if (name === 'content-length') {
      if (length !== null) return fail('more than one Content-Length');
      length = value;
    } else if (name === 'transfer-encoding') {
      coding = coding === null ? value : `${coding},${value}`;
    }
  }
  if (coding !== null) return transferCoding(coding, { hasLength: length !== null, minorVersion });
  if (length === null) return { ok: true, value: null };
  if (!DIGITS.test(length)) return fail('invalid Content-Length');
  const bytes = Number(length);
  return { ok: true, value: bytes === 0 ? NO_BODY : { kind: 'length', bytes } };
}

function transferCoding(
  coding: string,
  { hasLength, minorVersion }: { readonly hasLength: boolean; readonly minorVersion: 0 | 1 },
): Parsed<BodyFraming> {
  if (hasLength) {
    const details = 'http1.content_length_and_chunked_not_allowed';
    return {
      ok: false,
      error: badRequest('both Content-Length and Transfer-Encoding', details),
    };
  }
  if (minorVersion === 0) return fail('Transfer-Encoding in HTTP/1.0');
  if (coding.toLowerCase() !== 'chunked') {
    return {
      ok: false,
      error: {
        status: 501,
        details: 'http1.invalid_transfer_encoding',
        message: 'unsupported Transfer-Encoding',
      },
    };
  }
  return { ok: true, value: CHUNKED };
}

/** Whether the connection may carry another message after this one (RFC 9112 9.3). */
export function keepsAlive(head: RawRequestHead | RawResponseHead): boolean {
  const connection = joinHeader(head.headers, 'connection');
  if (connection === null) return head.minorVersion === 1;
  if (connection === 'keep-alive') return true;
  const options = connection.split(',').map((option) => option.trim().toLowerCase());
  if (options.includes('close')) return false;
  return head.minorVersion === 1 || options.includes('keep-alive');
}

function isLineEnd(text: string, at: number): boolean {
  return at === text.length || (text.charCodeAt(at) === CR && text.charCodeAt(at + 1) === LF);
}

function parseVersion(text: string): 0 | 1 | null {
  if (text === 'HTTP/1.1') return 1;
  return text === 'HTTP/1.0' ? 0 : null;
}

function unsupportedVersion(text: string): Parsed<never> {
  if (!/^HTTP\/\d\.\d$/.test(text)) return fail('malformed request line');
  const message = `${text} is not accepted`;
  return { ok: false, error: { status: 426, details: 'low_version', message } };
}

function wrongCharacter(text: string, at: number, message: string): Parsed<never> {
  const isLineBreak = text.charCodeAt(at) === LF || text.charCodeAt(at) === CR;
  return {
    ok: false,
    error: badRequest(message, isLineBreak ? undefined : 'http1.invalid_characters'),
  };
}

function tooManyHeaders(): Parsed<never> {
  return {
    ok: false,
    error: {
      status: 431,
      details: 'http1.too_many_headers',
      message: `more than ${MAX_HEADERS} headers`,
    },
  };
}

function fail(message: string): Parsed<never> {
  return { ok: false, error: badRequest(message) };
}
