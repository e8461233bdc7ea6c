// hot path: every head
import type { AnswerHead, RequestHead } from '../exchange.ts';
import type { HeaderList } from '../headers.ts';
import { isConnectionSpecific } from './message-rules.ts';

/** The list that asks for this. Fields of one HTTP/1.1 hop are left out (RFC 9113 section 8.2.2). */
export function requestList({ method, scheme, authority, path, headers }: RequestHead): HeaderList {
  const list = [':method', method];
  if (method !== 'CONNECT') list.push(':scheme', scheme ?? 'http');
  if (authority !== null) list.push(':authority', authority);
  if (method !== 'CONNECT') list.push(':path', path);
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

/** A request as it arrived. `:authority` wins over `host`, and crumbs of a cookie are one again (RFC 9113 section 8.2.3). */
export function requestHead(list: readonly string[]): RequestHead {
  let method = '';
  let scheme: string | null = null;
  let authority: string | null = null;
  let path = '';
  let host: string | null = null;
  let cookieAt = -1;
  const headers: HeaderList = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!;
    const value = list[i + 1]!;
    if (name === ':method') method = value;
    else if (name === ':scheme') scheme = value;
    else if (name === ':authority') authority = value;
    else if (name === ':path') path = value;
    else if (name === 'host') host ??= value;
    else if (name === 'cookie' && cookieAt >= 0) headers[cookieAt] += `; ${value}`;
    else {
      if (name === 'cookie') cookieAt = headers.length + 1;
      headers.push(name, value);
    }
  }
  return { method, scheme, authority: authority ?? host, path, headers };
}

/** An answer as it arrived. */
export function answerHead(list: readonly string[]): AnswerHead {
  return { status: Number(list[1]), headers: list.slice(2) };
}
