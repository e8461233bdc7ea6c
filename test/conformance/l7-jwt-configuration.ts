import { CompactSign, type CryptoKey, exportJWK, generateKeyPair } from 'jose';

/** Tokens, and HTTP filters that verify them, for a real Envoy and for our engine. */

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
export const NOW: number = Math.floor(Date.now() / 1000);

const ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS512', 'EdDSA'] as const;
type Algorithm = (typeof ALGORITHMS)[number];
const SECRET = Buffer.from('a secret of thirty-two bytes, or more than that');

const keys = new Map<string, CryptoKey | Buffer>();
const jwks: object[] = [];
for (const alg of ALGORITHMS) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  keys.set(alg, privateKey);
  jwks.push({ ...(await exportJWK(publicKey)), kid: alg.toLowerCase() });
}
keys.set('HS256', SECRET);
jwks.push({ kty: 'oct', alg: 'HS256', kid: 'hs256', k: SECRET.toString('base64url') });
jwks.push({ kty: 'EC', crv: 'P-256', kid: 'broken', x: 'AA', y: 'AA' });

export interface TokenOptions {
  readonly header?: object;
  readonly alg?: Algorithm | 'HS256';
  /** Instead of the key that the name of the algorithm stands for. */
  readonly key?: CryptoKey;
}

export function sign(payload: object | string, options: TokenOptions = {}): Promise<string> {
  const { alg = 'ES256', header = { kid: alg.toLowerCase() }, key } = options;
  const bytes = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
  const protectedHeader = { alg, ...header };
  return new CompactSign(bytes).setProtectedHeader(protectedHeader).sign(key ?? keys.get(alg)!);
}

/** Of these parts, which nobody has signed. */
export function made(
  header: object | string,
  payload: object | string,
  signature = 'AAAA',
): string {
  const part = (value: object | string) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(payload)}.${signature}`;
}

const inline = { inline_string: JSON.stringify({ keys: jwks }) };
export const ONE = 'https://one.test';
export const TWO = 'two@test';

const PROVIDERS = {
  one: {
    issuer: ONE,
    local_jwks: inline,
    forward: true,
    forward_payload_header: 'x-payload',
    claim_to_headers: [
      { header_name: 'x-sub', claim_name: 'sub' },
      { header_name: 'x-org', claim_name: 'org.name' },
      { header_name: 'x-number', claim_name: 'number' },
      { header_name: 'x-true', claim_name: 'true' },
    ],
    payload_in_metadata: 'payload',
    normalize_payload_in_metadata: { space_delimited_claims: ['scope', 'permission'] },
  },
  two: {
    issuer: TWO,
    local_jwks: inline,
    from_headers: [{ name: 'x-token', value_prefix: 'Token ' }, { name: 'x-plain' }],
    from_params: ['t', 'u'],
    from_cookies: ['tok'],
    payload_in_metadata: 'payload',
  },
  audience: { issuer: ONE, local_jwks: inline, audiences: ['shop', 'https://pay.test/'] },
};

const provider = (provider_name: string) => ({ provider_name });
const any = (...requirements: object[]) => ({ requires_any: { requirements } });
const all = (...requirements: object[]) => ({ requires_all: { requirements } });
const missing = { allow_missing: {} };

/** As Istio has it for two issuers. */
const MESH = any(
  provider('one'),
  provider('two'),
  all(any(provider('one'), missing), any(provider('two'), missing)),
);

const REQUIREMENTS: Readonly<Record<string, object>> = {
  '/one': any(provider('one'), missing),
  '/two': any(provider('two'), missing),
  '/strict': provider('one'),
  '/both': all(provider('one'), provider('two')),
  '/audience': any(provider('audience'), missing),
  '/mesh': MESH,
  '/any': any(provider('one'), provider('two')),
};

const claim = (path: readonly string[], value: object) => ({
  metadata: {
    filter: 'envoy.filters.http.jwt_authn',
    path: ['payload', ...path].map((key) => ({ key })),
    value,
  },
});
const oneOf = (string_match: object) => ({
  or_match: { value_matchers: [{ list_match: { one_of: { string_match } } }, { string_match }] },
});
/** Below `/one/claims/`, by the next segment. */
export const CLAIMS: Readonly<Record<string, object>> = {
  anybody: claim(['iss'], { string_match: { safe_regex: { regex: '.+' } } }),
  group: claim(['groups'], oneOf({ exact: 'g1' })),
  prefix: claim(['groups'], oneOf({ prefix: 'g' })),
  nested: claim(['org', 'id'], oneOf({ exact: '7' })),
  scope: claim(['scope'], oneOf({ exact: 'write' })),
  utf8: claim(['name'], oneOf({ exact: 'Žofie' })),
  proto: claim(['__proto__', 'x'], oneOf({ safe_regex: { regex: '.*' } })),
};

export const JWT_FILTERS: readonly object[] = [
  {
    name: 'envoy.filters.http.jwt_authn',
    typed_config: {
      '@type': `${FILTERS}.jwt_authn.v3.JwtAuthentication`,
      providers: PROVIDERS,
      bypass_cors_preflight: true,
      rules: Object.entries(REQUIREMENTS).map(([prefix, requires]) => ({
        match: { prefix },
        requires,
      })),
    },
  },
  {
    name: 'envoy.filters.http.rbac',
    typed_config: {
      '@type': `${FILTERS}.rbac.v3.RBAC`,
      rules: {
        action: 'DENY',
        policies: Object.fromEntries(
          Object.entries(CLAIMS).map(([name, principal]) => [
            name,
            {
              permissions: [{ url_path: { path: { prefix: `/one/claims/${name}` } } }],
              principals: [{ not_id: principal }],
            },
          ]),
        ),
      },
    },
  },
  { name: 'envoy.filters.http.router', typed_config: { '@type': `${FILTERS}.router.v3.Router` } },
];
