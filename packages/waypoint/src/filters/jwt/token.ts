/** A JWT as it is read before anybody knows whether it is genuine (RFC 7519; texts as Envoy answers them). */

/** Why a token does not let its request pass: what the client is told. */
export interface TokenFailure {
  readonly status: 401 | 403;
  readonly text: string;
}

/** Of a JSON object in a token. */
export type Claims = Readonly<Record<string, unknown>>;

export interface Token {
  readonly text: string;
  readonly alg: string;
  /** Empty if it names no key. */
  readonly kid: string;
  /** Base64url, as it was sent. */
  readonly payload: string;
  readonly claims: Claims;
  /** Empty if it names none. */
  readonly issuer: string;
  readonly audiences: readonly string[];
}

export const MISSED: TokenFailure = failure('Jwt is missing');
export const UNKNOWN_ISSUER: TokenFailure = failure('Jwt issuer is not configured');
export const WRONG_AUDIENCE: TokenFailure = {
  status: 403,
  text: 'Audiences in Jwt are not allowed',
};
const EXPIRED: TokenFailure = failure('Jwt is expired');
const NOT_YET: TokenFailure = failure('Jwt not yet valid');
export const NO_KEY: TokenFailure = failure("Jwks doesn't have key to match kid or alg from Jwt");
export const NOT_GENUINE: TokenFailure = failure('Jwt verification fails');

const ALGORITHMS: ReadonlySet<string> = new Set(
  ['ES', 'HS', 'PS', 'RS']
    .flatMap((kind) => [256, 384, 512].map((bits) => kind + bits))
    .concat('EdDSA'),
);

const BASE64URL = /^[\w-]*$/;

/** Nothing in it is to be trusted yet. */
export function parseToken(text: string): Token | TokenFailure {
  const [header = '', payload = '', signature = '', ...others] = text.split('.');
  if (others.length > 0 || header === '' || payload === '' || signature === '') {
    return failure(
      'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
    );
  }
  const named = parseHeader(header);
  if ('status' in named) return named;
  const read = parsePayload(payload);
  if ('status' in read) return read;
  if (!BASE64URL.test(signature)) return failure('Jwt signature is an invalid Base64url encoded');
  return { text, payload, ...named, ...read };
}

function parseHeader(header: string): Pick<Token, 'alg' | 'kid'> | TokenFailure {
  if (!BASE64URL.test(header)) return failure('Jwt header is an invalid Base64url encoded');
  const fields = parseObject(header);
  if (fields === null) return failure('Jwt header is an invalid JSON');
  const { alg, kid = '' } = fields;
  if (typeof alg !== 'string') {
    return failure('Jwt header [alg] field is required and must be a string');
  }
  if (!ALGORITHMS.has(alg)) return failure('Jwt header [alg] is not supported');
  return typeof kid === 'string' ? { alg, kid } : failure('Jwt header [kid] field is not a string');
}

function parsePayload(
  payload: string,
): Pick<Token, 'claims' | 'issuer' | 'audiences'> | TokenFailure {
  if (!BASE64URL.test(payload)) return failure('Jwt payload is an invalid Base64url encoded');
  const claims = parseObject(payload);
  if (claims === null) return failure('Jwt payload is an invalid JSON');
  const problem = problemOfTexts(claims) ?? problemOfNumbers(claims) ?? problemOfAudience(claims);
  if (problem !== null) return problem;
  const { iss: issuer = '', aud = [] } = claims as { iss?: string; aud?: string | string[] };
  return { claims, issuer, audiences: typeof aud === 'string' ? [aud] : aud };
}

/** Seconds by which clocks may differ (spec l7 6.3). */
const SKEW_SECONDS = 60;

/** Null while the token is valid. */
export function problemOfTime(claims: Claims, nowSeconds: number): TokenFailure | null {
  const { nbf = 0, exp = 0 } = claims as { nbf?: number; exp?: number };
  if (nbf > nowSeconds + SKEW_SECONDS) return NOT_YET;
  return exp > 0 && nowSeconds > exp + SKEW_SECONDS ? EXPIRED : null;
}

const TEXTS = ['iss', 'sub', 'jti'] as const;
const TIMES = ['iat', 'nbf', 'exp'] as const;

function problemOfTexts(claims: Claims): TokenFailure | null {
  const wrong = TEXTS.find(
    (name) => !['string', 'undefined'].includes(typeof ownClaim(claims, name)),
  );
  return wrong === undefined ? null : failure(`Jwt payload [${wrong}] field is not a string`);
}

function problemOfNumbers(claims: Claims): TokenFailure | null {
  for (const name of TIMES) {
    const value = ownClaim(claims, name);
    if (value === undefined) continue;
    if (typeof value !== 'number') return failure(`Jwt payload [${name}] field is not an integer`);
    if (!(value >= 0 && value < 2 ** 63)) {
      return failure(`Jwt payload [${name}] field is not a positive 64 bit integer`);
    }
  }
  return null;
}

function problemOfAudience(claims: Claims): TokenFailure | null {
  const aud = ownClaim(claims, 'aud');
  const isList = Array.isArray(aud) && aud.every((one) => typeof one === 'string');
  if (aud === undefined || typeof aud === 'string' || isList) return null;
  return failure('Jwt payload [aud] field is not a string or string list');
}

/** What the token itself says: nothing that every object has. */
export function ownClaim(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function parseObject(base64url: string): Claims | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64url, 'base64url').toString());
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Claims) : null;
  } catch {
    return null;
  }
}

function failure(text: string): TokenFailure {
  return { status: 401, text };
}
