// hot path: every head
import type { AnswerHead, BodyLength, RequestHead } from '../exchange.ts';
import { getHeader, type HeaderList, joinHeader, removeHeader, setHeader } from '../headers.ts';
import { requestHeadText, responseHeadText } from './message-writer.ts';
import type { BodyFraming, RawRequestHead } from './parse.ts';
import { reasonOf } from './reasons.ts';

const NO_BODY: BodyFraming = { kind: 'none' };
const CHUNKED: BodyFraming = { kind: 'chunked' };
const UNTIL_CLOSE: BodyFraming = { kind: 'until-close' };

const ABSOLUTE_FORM = /^(https?):\/\/(?:[^/?#]*@)?([^/?#]*)(.*)$/i;

/** What a request asks, whatever the form of its target (RFC 9112 section 3.2). Takes `host` out of its fields. */
export function requestHead({ method, target, headers }: RawRequestHead): RequestHead {
  const host = takeHost(headers);
  if (target.startsWith('/'))
    return { method, scheme: null, authority: host, path: target, headers };
  if (method === 'CONNECT') return { method, scheme: null, authority: target, path: '', headers };
  const [, scheme, authority, rest] = ABSOLUTE_FORM.exec(target) ?? [];
  if (scheme === undefined) return { method, scheme: null, authority: host, path: target, headers };
  const path = rest === '' ? '/' : rest!;
  return { method, scheme: scheme.toLowerCase(), authority: authority!, path, headers };
}

/** There is one at most. Who names it in `connection` takes it away from those behind (RFC 9110 section 7.6.1). */
function takeHost(headers: HeaderList): string | null {
  let hostAt = -1;
  let connection: string | null = null;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    if (name === 'host') hostAt = i;
    else if (name === 'connection') connection = headers[i + 1]!;
  }
  if (hostAt < 0) return null;
  const host = headers[hostAt + 1]!;
  // Several times faster than `splice` and `copyWithin`.
  for (let i = hostAt + 2; i < headers.length; i++) headers[i - 2] = headers[i]!;
  headers.length -= 2;
  if (connection === null || connection === 'keep-alive' || connection === 'close') return host;
  return /(^|,)\s*host\s*(,|$)/i.test(joinHeader(headers, 'connection')!) ? null : host;
}

/** Bytes of a body that is framed like this. */
export function bodyLength(framing: BodyFraming): BodyLength {
  if (framing.kind === 'length') return framing.bytes;
  return framing.kind === 'none' ? 0 : null;
}

/** Requests with them have no body unless they say so. */
const WITHOUT_BODY = ['GET', 'HEAD', 'DELETE', 'TRACE', 'CONNECT'];

/** Says in the fields how long the body is, and how it is framed then. */
export function frameRequest(
  { method, headers }: RequestHead,
  body: BodyLength,
  isUpgrade: boolean,
): BodyFraming {
  removeHeader(headers, 'transfer-encoding');
  if (body === null && !isUpgrade) {
    removeHeader(headers, 'content-length');
    headers.push('transfer-encoding', 'chunked');
    return CHUNKED;
  }
  if (body !== null && body > 0) setHeader(headers, 'content-length', String(body));
  else if (!WITHOUT_BODY.includes(method)) setHeader(headers, 'content-length', '0');
  if (isUpgrade) return UNTIL_CLOSE;
  return body === 0 ? NO_BODY : { kind: 'length', bytes: body! };
}

/** As `frameRequest`. A body without a length is chunked, also where only a HEAD asks about it. */
export function frameAnswer(
  { status, headers }: AnswerHead,
  body: BodyLength,
  method: string,
): BodyFraming {
  removeHeader(headers, 'transfer-encoding');
  if (status === 101) return UNTIL_CLOSE;
  if (status === 304) return NO_BODY;
  if (status === 204) {
    removeHeader(headers, 'content-length');
    return NO_BODY;
  }
  if (body === 0 && method !== 'HEAD' && status >= 200) {
    if (getHeader(headers, 'content-length') === null) headers.push('content-length', '0');
    return NO_BODY;
  }
  if (body !== null && getHeader(headers, 'content-length') !== null) {
    return body === 0 ? NO_BODY : { kind: 'length', bytes: body };
  }
  headers.push('transfer-encoding', 'chunked');
  return method === 'HEAD' ? NO_BODY : CHUNKED;
}

export function requestText({ method, authority, path, headers }: RequestHead): string {
  const target = method === 'CONNECT' ? (authority ?? '') : path;
  return requestHeadText({ method, target, authority, headers });
}

export function answerText({ status, headers }: AnswerHead): string {
  return responseHeadText({ status, reason: reasonOf(status), headers });
}
