import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { removeHeader, setHeader } from '@aquifer/http';
import type { JwtProvider } from '@aquifer/wire/gen/envoy/extensions/filters/http/jwt_authn/v3_pb';
import type { JWK } from 'jose';
import { compactVerify } from 'jose/jws/compact/verify';
import { ConfigProblem } from '../../compile/problem.ts';
import type { FilteredRequest } from '../filtered-request.ts';
import {
  type Claims,
  MISSED,
  NO_KEY,
  NOT_GENUINE,
  ownClaim,
  parseToken,
  problemOfTime,
  type Token,
  type TokenFailure,
  UNKNOWN_ISSUER,
  WRONG_AUDIENCE,
} from './token.ts';
import { compilePlaces, type PresentedToken, type TokenPlaces } from './token-places.ts';

interface Key {
  /** Empty if it has no name. */
  readonly kid: string;
  /** The only one that it is for; empty for all of its kind. */
  readonly alg: string;
  readonly fits: RegExp;
  readonly key: KeyObject;
}

/** Whoever issues tokens, and what becomes of theirs (spec l7 6.2). */
export class Provider {
  readonly #config: JwtProvider;
  readonly #places: TokenPlaces;
  readonly #audiences: ReadonlySet<string>;
  readonly #keys: readonly Key[];

  /** Throws `ConfigProblem` for keys that are none. */
  constructor(config: JwtProvider, path: string) {
    this.#config = config;
    this.#places = compilePlaces(config);
    this.#audiences = new Set(config.audiences.map(plainAudience));
    this.#keys = readKeys(config, `${path}.local_jwks`);
  }

  /** Null if every token that is presented to it, one at least, is valid. What follows from them is done to the request. */
  async verify(request: FilteredRequest): Promise<TokenFailure | null> {
    const { headers } = request.exchange.head;
    const { forwardPayloadHeader, claimToHeaders } = this.#config;
    const presented = this.#places.find(request);
    // Of a client they would say what nobody has verified.
    if (forwardPayloadHeader !== '') removeHeader(headers, forwardPayloadHeader.toLowerCase());
    for (const { headerName } of claimToHeaders) removeHeader(headers, headerName.toLowerCase());
    if (presented.length === 0) return MISSED;
    for (const token of presented) {
      const failure = await this.#verifyToken(request, token);
      if (failure !== null) return failure;
    }
    return null;
  }

  async #verifyToken(
    request: FilteredRequest,
    presented: PresentedToken,
  ): Promise<TokenFailure | null> {
    const token = parseToken(presented.text);
    if (!('claims' in token)) return token;
    const failure = this.#problemOf(token) ?? (await this.#problemOfSignature(token));
    if (failure === null) this.#accept(request, token, presented);
    return failure;
  }

  #problemOf({ issuer, audiences, claims }: Token): TokenFailure | null {
    const { issuer: expected } = this.#config;
    if (expected !== '' && issuer !== expected) return UNKNOWN_ISSUER;
    const untimely = problemOfTime(claims, Date.now() / 1000);
    if (untimely !== null) return untimely;
    if (this.#audiences.size === 0) return null;
    return audiences.some((one) => this.#audiences.has(plainAudience(one))) ? null : WRONG_AUDIENCE;
  }

  async #problemOfSignature({ alg, kid, text }: Token): Promise<TokenFailure | null> {
    const named = this.#keys.filter(
      (key) =>
        (key.alg === '' || key.alg === alg) && (kid === '' || key.kid === '' || key.kid === kid),
    );
    if (named.length === 0) return NO_KEY;
    for (const { key } of named.filter(({ fits }) => fits.test(alg))) {
      const isGenuine = await compactVerify(text, key, { algorithms: [alg] }).then(
        () => true,
        () => false,
      );
      if (isGenuine) return null;
    }
    return NOT_GENUINE;
  }

  #accept(request: FilteredRequest, { claims, payload }: Token, presented: PresentedToken): void {
    const { headers } = request.exchange.head;
    const { forward, forwardPayloadHeader, claimToHeaders, payloadInMetadata } = this.#config;
    if (forwardPayloadHeader !== '') {
      setHeader(headers, forwardPayloadHeader.toLowerCase(), payload);
    }
    for (const { headerName, claimName } of claimToHeaders) {
      const value = claimText(claims, claimName);
      if (value !== null) setHeader(headers, headerName.toLowerCase(), value);
    }
    if (payloadInMetadata !== '') {
      const separated = this.#config.normalizePayloadInMetadata?.spaceDelimitedClaims ?? [];
      request.verified = {
        ...request.verified,
        [payloadInMetadata]: withLists(claims, separated),
      };
    }
    if (!forward) presented.takeAway();
  }
}

/** Scheme and trailing slash make no other audience. */
function plainAudience(audience: string): string {
  return audience.replace(/^https?:\/\//, '').replace(/\/$/, '');
}

/** Of a claim such as `org.name`; null for none, and for what no header can hold. */
function claimText(claims: Claims, name: string): string | null {
  let value: unknown = claims;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    value = ownClaim(value as Claims, part);
  }
  const text = valueText(value);
  return text === '' || /[\0\r\n]/.test(text) ? null : Buffer.from(text).toString('latin1');
}

/** As Envoy writes them; what has parts, in base64. */
function valueText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'boolean':
      return String(value);
    case 'number':
      return Number.isInteger(value) ? String(value) : value.toFixed(6);
    default:
      return value ? Buffer.from(JSON.stringify(value)).toString('base64') : '';
  }
}

/** Claims such as `scope` are lists in one text (RFC 8693 section 4.2). */
function withLists(claims: Claims, separated: readonly string[]): Claims {
  const lists = separated.flatMap((name) => {
    const value = ownClaim(claims, name);
    return typeof value === 'string' ? [[name, value.split(' ').filter(Boolean)]] : [];
  });
  return { ...claims, ...Object.fromEntries(lists) };
}

function readKeys(config: JwtProvider, path: string): readonly Key[] {
  const source = config.jwksSourceSpecifier;
  const { specifier } = source.value ?? {};
  if (specifier?.case !== 'inlineString') throw new ConfigProblem(path, 'has no inline_string');
  const keys = parseJwks(specifier.value);
  if (keys === null) throw new ConfigProblem(path, 'is no JSON Web Key Set');
  const read = keys.map(readKey).filter((key) => key !== null);
  if (read.length === 0) throw new ConfigProblem(path, 'has no key that tokens are signed with');
  return read;
}

function parseJwks(text: string): readonly (JWK | null)[] | null {
  try {
    const { keys } = JSON.parse(text) as { keys?: unknown };
    return Array.isArray(keys) ? (keys as (JWK | null)[]) : null;
  } catch {
    return null;
  }
}

/** Null for what is no key, and for keys of kinds that no token is signed with. */
function readKey(jwk: JWK | null): Key | null {
  if (jwk === null) return null;
  const { kid, alg, kty, k } = jwk;
  const kind = Object.hasOwn(KINDS, kty ?? '') ? KINDS[kty ?? ''] : undefined;
  if (kind === undefined) return null;
  const fits = kind(jwk);
  try {
    const key =
      kty === 'oct'
        ? createSecretKey(Buffer.from(k ?? '', 'base64url'))
        : createPublicKey({ key: jwk, format: 'jwk' });
    return {
      kid: typeof kid === 'string' ? kid : '',
      alg: typeof alg === 'string' ? alg : '',
      fits,
      key,
    };
  } catch {
    return null;
  }
}

const CURVES: Readonly<Record<string, RegExp>> = {
  'P-256': /^ES256$/,
  'P-384': /^ES384$/,
  'P-521': /^ES512$/,
};
const NONE = /(?!)/;

/** By the kind of a key, the algorithms that it is for (RFC 7518 section 3.1). */
const KINDS: Readonly<Record<string, (jwk: JWK) => RegExp>> = {
  EC: ({ crv }) => (crv !== undefined && Object.hasOwn(CURVES, crv) ? CURVES[crv]! : NONE),
  RSA: () => /^[RP]S/,
  oct: () => /^HS/,
  OKP: ({ crv }) => (crv === 'Ed25519' ? /^EdDSA$/ : NONE),
};
