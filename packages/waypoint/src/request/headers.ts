// hot path: rewritten for every request and response
import { randomUUID } from 'node:crypto';
import { getHeader, type HeaderList, joinHeader, removeHeader, setHeader } from '@aquifer/http';
import { HOP_BY_HOP } from '@aquifer/wire';
import type { HeaderMutation } from '../compile/header-mutation.ts';

const HOP_BY_HOP_LENGTHS = [...new Set([...HOP_BY_HOP].map(({ length }) => length))];

/**
 * A copy without the fields of this hop, nor those that `connection` names; `te: trailers` stays, and so does `trailer`
 * (RFC 9110 section 6.6.2).
 */
export function endToEnd(headers: readonly string[]): HeaderList {
  const alsoDropped = fieldsNamedBy(joinHeader(headers, 'connection'));
  const kept: HeaderList = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!;
    const value = headers[i + 1]!;
    if (isHopByHop(name)) {
      if (name === 'te' && TRAILERS.test(value)) kept.push(name, 'trailers');
      else if (name === 'trailer') kept.push(name, value);
    } else if (!alsoDropped?.has(name)) kept.push(name, value);
  }
  return kept;
}

const TRAILERS = /(^|,)[ \t]*trailers[ \t]*(,|$)/i;

/** Null for what most connections say, which names no field. */
function fieldsNamedBy(connection: string | null): ReadonlySet<string> | null {
  if (connection === null || connection === 'keep-alive' || connection === 'close') return null;
  // One pattern for a comma and the blanks around it would look through each run of blanks once per blank.
  const options = connection.toLowerCase().split(',');
  const named = new Set(options.map((option) => option.trim()));
  // The message itself is read by it; it may not be taken away from the next reader.
  named.delete('content-length');
  return named;
}

/** What the request asks to upgrade to: only if `connection` says so too (RFC 9110 7.8). */
export function upgradeOf(headers: readonly string[]): string | null {
  const upgrade = getHeader(headers, 'upgrade');
  if (upgrade === null) return null;
  return /(^|,)\s*upgrade\s*(,|$)/i.test(joinHeader(headers, 'connection') ?? '') ? upgrade : null;
}

/** Looks at the length first: to be found in a set, a name that was just read must be hashed. */
function isHopByHop(name: string): boolean {
  return HOP_BY_HOP_LENGTHS.includes(name.length) && HOP_BY_HOP.has(name);
}

/** Orders to the proxy, and a client certificate that it did not see: not for a client to give (spec l7 3.3, 3.7). */
const NOT_FROM_CLIENTS = new Set([
  'x-forwarded-client-cert',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-force-trace',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-internal',
  'x-envoy-ip-tags',
  'x-envoy-max-retries',
  'x-envoy-retriable-header-names',
  'x-envoy-retriable-status-codes',
  'x-envoy-retry-grpc-on',
  'x-envoy-retry-on',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-upstream-rq-timeout-ms',
]);

/** What policies, routes and the upstream see of a request's headers. */
export function prepareRequestHeaders(headers: HeaderList): void {
  const ofThisHop = fieldsNamedBy(joinHeader(headers, 'connection'));
  if (ofThisHop !== null) dropNamed(headers, ofThisHop);
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const name = headers[i]!;
    if (name.startsWith('x-') && NOT_FROM_CLIENTS.has(name)) headers.splice(i, 2);
  }
  if (!getHeader(headers, 'x-request-id')) setHeader(headers, 'x-request-id', randomUUID());
  if (getHeader(headers, 'x-forwarded-proto') === null) headers.push('x-forwarded-proto', 'http');
}

/** What of hop-by-hop fields is to be passed on is decided when it is. */
function dropNamed(headers: HeaderList, names: ReadonlySet<string>): void {
  for (const name of names) if (!HOP_BY_HOP.has(name)) removeHeader(headers, name);
}

export function mutate(headers: HeaderList, mutation: HeaderMutation | null): void {
  if (mutation === null) return;
  for (const name of mutation.remove) removeHeader(headers, name);
  for (const [name, value] of mutation.set) setHeader(headers, name, value);
  for (const [name, value] of mutation.append) headers.push(name, value);
}
