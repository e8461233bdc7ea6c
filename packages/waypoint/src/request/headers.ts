// hot path: rewritten for every request and response
import { randomUUID } from 'node:crypto';
import { getHeader, type HeaderList, joinHeader, removeHeader, setHeader } from '@aquifer/http';
import type { HeaderMutation } from '../compile/route.ts';

/** Fields that belong to one connection (RFC 9110 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const HOP_BY_HOP_LENGTHS = [...new Set([...HOP_BY_HOP].map(({ length }) => length))];

/** A copy without the fields of this hop, nor those that `connection` names; `te: trailers` stays. */
export function endToEnd(headers: readonly string[]): HeaderList {
  const alsoDropped = fieldsNamedBy(joinHeader(headers, 'connection'));
  const kept: HeaderList = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    const value = headers[i + 1]!;
    if (isHopByHop(name) && !(name === 'te' && value.toLowerCase() === 'trailers')) continue;
    if (alsoDropped?.has(name)) continue;
    kept.push(name, value);
  }
  return kept;
}

/** Null for what most connections say, which names no field. */
function fieldsNamedBy(connection: string | null): ReadonlySet<string> | null {
  if (connection === null || connection === 'keep-alive' || connection === 'close') return null;
  return new Set(connection.toLowerCase().split(/\s*,\s*/));
}

/** Looks at the length first: to be found in a set, a name that was just read must be hashed. */
function isHopByHop(name: string): boolean {
  return HOP_BY_HOP_LENGTHS.includes(name.length) && HOP_BY_HOP.has(name);
}

/** What every forwarded request carries (spec l7 3.7). */
export function addRequestHeaders(headers: HeaderList): void {
  if (getHeader(headers, 'x-request-id') === null) headers.push('x-request-id', randomUUID());
  if (getHeader(headers, 'x-forwarded-proto') === null) headers.push('x-forwarded-proto', 'http');
}

export function mutate(headers: HeaderList, mutation: HeaderMutation | null): void {
  if (mutation === null) return;
  for (const name of mutation.remove) removeHeader(headers, name);
  for (const [name, value] of mutation.set) setHeader(headers, name, value);
  for (const [name, value] of mutation.append) headers.push(name, value);
}
