import { RouteAction_HashPolicySchema as HashPolicySchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { hexOf } from '../clusters/balance/hash64.ts';
import { compileHashPolicies } from './hash-policy.ts';

function hash(policies: readonly JsonObject[], headers: readonly string[] = [], query = '') {
  const compiled = policies.map((json) => fromJson(HashPolicySchema, json));
  const hasher = compileHashPolicies(compiled, 'hash_policy')!;
  return hasher({
    headers,
    query: (name) => new URLSearchParams(query).get(name),
    clientIp: '10.1.0.7',
    connectionText: '10.1.0.7:400010.96.0.10:80',
  });
}

const BY_HEADER = { header: { headerName: 'X-Key' } };
const COOKIE = { name: 'session', path: '/shop', attributes: [{ name: 'SameSite', value: 'Lax' }] };

test('a request without what is hashed has no hash', () => {
  const policies = [
    BY_HEADER,
    { queryParameter: { name: 'key' } },
    { cookie: { name: 'session' } },
    { connectionProperties: {} },
  ];
  expect(hash(policies)).toEqual({ hash: null, setCookie: null });
});

test('equal values of two policies do not cancel each other out', () => {
  const both = [BY_HEADER, { queryParameter: { name: 'key' } }];
  const { hash: found } = hash(both, ['x-key', 'asdf'], 'key=asdf');
  expect(hexOf(found!)).not.toBe('0000000000000000');
});

test('a terminal policy that finds something is the last', () => {
  const terminal = [{ ...BY_HEADER, terminal: true }, { connectionProperties: { sourceIp: true } }];
  expect(hexOf(hash(terminal, ['x-key', 'asdf']).hash!)).toBe('415872f599cea71e');
  expect(hash(terminal)).toEqual(hash(terminal.slice(1)));
});

test.for([
  { ttl: '60s', attributes: '; Max-Age=60; Path=/shop; SameSite=Lax; HttpOnly' },
  { ttl: '0s', attributes: '; Path=/shop; SameSite=Lax; HttpOnly' },
])(
  'a client without the cookie is given one for $ttl, and comes back with it',
  ({ ttl, attributes }) => {
    const policy = { cookie: { ...COOKIE, ttl } };
    const first = hash([policy]);
    const [, value = ''] = /^session="([0-9a-f]{16})"/.exec(first.setCookie ?? '') ?? [];
    expect(first.setCookie).toBe(`session="${value}"${attributes}`);
    const next = hash([policy], ['cookie', `other=1; session="${value}"`]);
    expect(next).toEqual({ hash: first.hash, setCookie: null });
  },
);

test.for<readonly [string, JsonObject]>([
  ['hash_policy[0].filter_state', { filterState: { key: 'x' } }],
  [
    'hash_policy[0].cookie.attributes[0]',
    { cookie: { name: 'x', attributes: [{ name: 'a\r\n' }] } },
  ],
  ['hash_policy[0]', {}],
])('%s is refused', ([path, json]) => {
  expect(() => hash([json])).toThrow(`${path}: `);
});
