import { getHeader } from '@aquifer/http';
import type {
  RouteAction_HashPolicy as HashPolicy,
  RouteAction_HashPolicy_Cookie as PbCookie,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import type { HashPolicy as TcpHashPolicy } from '@aquifer/wire/gen/envoy/type/v3_pb';
import { combine, type Hash64, hexOf } from '../clusters/balance/hash64.ts';
import { xxHash64 } from '../clusters/balance/xx-hash64.ts';
import { ConfigProblem } from './problem.ts';
import { bytesText, headerText } from './wire-text.ts';

/** What a request is hashed by, as it is sent upstream. */
interface HashInput {
  /** Names and values in turn; names in lower case. */
  readonly headers: readonly string[];
  query(name: string): string | null;
  readonly clientIp: string;
  /** The same for all requests of a connection, and for no other connection that is open. */
  readonly connectionText: string;
}

export interface RequestHash {
  /** Null if the request has nothing that is hashed. */
  readonly hash: Hash64 | null;
  /** A cookie for the client to send from now on. */
  readonly setCookie: string | null;
}

/** Hashes a request for a cluster that balances by it (spec l7 2.2). */
export type RequestHasher = (input: HashInput) => RequestHash;

interface Method {
  readonly isLast: boolean;
  readonly hash: RequestHasher;
}

const NOTHING: RequestHash = { hash: null, setCookie: null };

/** Null for a route without hash policies. Hashes of several are combined, up to a terminal one that has any. */
export function compileHashPolicies(
  policies: readonly HashPolicy[],
  path: string,
): RequestHasher | null {
  const methods = policies.map((policy, i) => compileMethod(policy, `${path}[${i}]`));
  if (methods.length === 0) return null;
  return (input) => {
    let hash: Hash64 | null = null;
    let setCookie: string | null = null;
    for (const method of methods) {
      const found = method.hash(input);
      setCookie ??= found.setCookie;
      if (found.hash !== null) hash = combine(hash, found.hash);
      if (method.isLast && hash !== null) break;
    }
    return { hash, setCookie };
  };
}

/** What a connection is hashed by whose bytes are passed on. */
export type ConnectionHash = 'nothing' | 'source-ip';

/** Of a TCP proxy, which has one at most. */
export function compileConnectionHash(
  policies: readonly TcpHashPolicy[],
  path: string,
): ConnectionHash {
  if (policies.length === 0) return 'nothing';
  if (policies.length > 1 || policies[0]!.policySpecifier.case !== 'sourceIp')
    throw new ConfigProblem(path, 'only one is supported, by source_ip');
  return 'source-ip';
}

function compileMethod(policy: HashPolicy, path: string): Method {
  return { isLast: policy.terminal, hash: compileHasher(policy, path) };
}

function compileHasher({ policySpecifier: by }: HashPolicy, path: string): RequestHasher {
  switch (by.case) {
    case 'header': {
      const name = by.value.headerName.toLowerCase();
      return ({ headers }) => hashedHeader(headers, name);
    }
    case 'cookie':
      return compileCookie(by.value, `${path}.cookie`);
    case 'connectionProperties':
      return by.value.sourceIp ? ({ clientIp }) => hashed(clientIp || null) : () => NOTHING;
    case 'queryParameter': {
      const name = bytesText(by.value.name);
      return (input) => hashed(input.query(name));
    }
    case 'filterState':
      throw new ConfigProblem(`${path}.filter_state`, 'is not supported');
    case undefined:
      throw new ConfigProblem(path, 'says nothing to hash');
  }
}

function hashed(text: string | null): RequestHash {
  return text === null ? NOTHING : { hash: xxHash64(text), setCookie: null };
}

/** All values, whatever their order: the hash of each is the seed of the next. */
function hashedHeader(headers: readonly string[], name: string): RequestHash {
  const first = getHeader(headers, name);
  if (first === null) return NOTHING;
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) values.push(headers[i + 1]!);
  if (values.length === 1) return hashed(first);
  let hash: Hash64 = { high: 0, low: 0 };
  for (const value of values.sort()) hash = xxHash64(value, hash);
  return { hash, setCookie: null };
}

/** With a time to live, a client without the cookie is given one that leads to the same host as this connection. */
function compileCookie(cookie: PbCookie, path: string): RequestHasher {
  const name = headerText(cookie.name, `${path}.name`);
  const attributes = cookieAttributes(cookie, path);
  return ({ headers, connectionText }) => {
    const value = cookieValue(headers, name);
    if (value !== '') return hashed(value);
    if (cookie.ttl === undefined) return NOTHING;
    const made = hexOf(xxHash64(connectionText));
    return { hash: xxHash64(made), setCookie: `${name}="${made}"${attributes}` };
  };
}

function cookieAttributes({ ttl, path: cookiePath, attributes }: PbCookie, path: string): string {
  const parts: string[] = [];
  const maxAgeS = Number(ttl?.seconds ?? 0);
  if (maxAgeS > 0) parts.push(`Max-Age=${maxAgeS}`);
  if (cookiePath !== '') parts.push(`Path=${headerText(cookiePath, `${path}.path`)}`);
  for (const [i, { name, value }] of attributes.entries()) {
    const text = value === '' ? name : `${name}=${value}`;
    parts.push(headerText(text, `${path}.attributes[${i}]`));
  }
  parts.push('HttpOnly');
  return parts.map((part) => `; ${part}`).join('');
}

/** Of the first cookie of that name, without quotes; empty without any. */
function cookieValue(headers: readonly string[], name: string): string {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue;
    for (const pair of headers[i + 1]!.split(';')) {
      const equals = pair.indexOf('=');
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
      return isQuoted ? value.slice(1, -1) : value;
    }
  }
  return '';
}
