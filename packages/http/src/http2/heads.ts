// hot path: every head
import type { AnswerHead, RequestHead } from '../exchange.ts';
import type { HeaderList } from '../headers.ts';
import { isBlank, trimmed } from '../http1/characters.ts';
import { isConnectionSpecific } from './message-rules.ts';

/** The list that asks for this. Fields of one HTTP/1.1 hop are left out (RFC 9113 section 8.2.2). */
export function requestList(head: RequestHead): HeaderList {
  const { method, scheme, authority, path, protocol, headers } = head;
  const list = [':method', method];
  const hasTarget = method !== 'CONNECT' || protocol !== undefined;
  if (protocol !== undefined) list.push(':protocol', protocol);
  if (hasTarget) list.push(':scheme', scheme ?? 'http');
  if (authority !== null) list.push(':authority', authority);
  if (hasTarget) list.push(':path', path);
  return addFields(list, headers);
}

export function answerList({ status, headers }: AnswerHead): HeaderList {
  return addFields([':status', String(status)], headers);
}

function addFields(list: HeaderList, headers: readonly string[]): HeaderList {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    if (!isConnectionSpecific(name)) list.push(name, headers[i + 1]!);
  }
  return list;
}

type HeadInMaking = { -readonly [Key in keyof RequestHead]: RequestHead[Key] };

/** A request as it arrived. `:authority` wins over `host`, and crumbs of a cookie are one again (RFC 9113 section 8.2.3). */
export function requestHead(list: readonly string[]): RequestHead {
  const head: HeadInMaking = {
    method: '',
    scheme: null,
    authority: null,
    path: '',
    headers: [],
  };
  let at = 0;
  for (; at < list.length && list[at]!.startsWith(':'); at += 2) {
    takePseudo(head, list[at]!, list[at + 1]!);
  }
  let host: string | null = null;
  let cookieAt = -1;
  const { headers } = head;
  for (; at < list.length; at += 2) {
    const name = list[at]!;
    const value = withoutBlanks(list[at + 1]!);
    if (name === 'host') host ??= value;
    else if (name === 'cookie' && cookieAt >= 0) headers[cookieAt] += `; ${value}`;
    else {
      if (name === 'cookie') cookieAt = headers.length + 1;
      headers.push(name, value);
    }
  }
  head.authority ??= host;
  return head;
}

/** Blanks around a value are no part of it to a reader of HTTP/1.1: policies must not see another one. */
function withoutBlanks(value: string): string {
  return isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1))
    ? trimmed(value, 0, value.length)
    : value;
}

function takePseudo(head: HeadInMaking, name: string, value: string): void {
  if (name === ':method') head.method = value;
  else if (name === ':scheme') head.scheme = value;
  else if (name === ':authority') head.authority = value;
  else if (name === ':path') head.path = value;
  else head.protocol = value;
}

/** An answer as it arrived. */
export function answerHead(list: readonly string[]): AnswerHead {
  return { status: Number(list[1]), headers: list.slice(2) };
}
