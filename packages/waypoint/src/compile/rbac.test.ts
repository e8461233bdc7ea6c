import { RBACSchema } from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { type AuthorizationInput, compileAuthorization } from './rbac.ts';

const input: AuthorizationInput = {
  method: 'GET',
  authority: 'Shop.test',
  path: '/items/1',
  header: (name, passes) => (name === 'x-tenant' ? passes('a') : null),
  query: () => null,
  peerPrincipal: 'spiffe://cluster.local/ns/shop/sa/web',
  sourceIp: '10.0.0.7',
  destinationIp: '10.96.0.1',
  destinationPort: 80,
  verified: null,
};

function filter(action: 'ALLOW' | 'DENY', policy: JsonValue) {
  const rules = fromJson(RBACSchema, { action, policies: { 'ns[a]-policy[b]-rule[0]': policy } });
  return compileAuthorization(rules, 'rules');
}

const anyone = [{ any: true }];
const peer = (regex: string) => [
  { filterState: { key: 'io.istio.peer_principal', stringMatch: { safeRegex: { regex } } } },
];

describe('a request', () => {
  test('with several values of a header is matched by each of them alone', () => {
    const values = ['a', 'evil'];
    const many: AuthorizationInput = { ...input, header: (_name, passes) => values.some(passes) };
    const deny = (header: JsonValue) =>
      filter('DENY', { permissions: [{ header }], principals: anyone })(many);
    expect(deny({ name: 'x', stringMatch: { exact: 'evil' } })).not.toBeNull();
    expect(deny({ name: 'x', stringMatch: { exact: 'a,evil' } })).toBeNull();
  });

  test('that a DENY matches is refused by that policy', () => {
    const deny = filter('DENY', {
      permissions: [{ urlPath: { path: { prefix: '/items' } } }],
      principals: anyone,
    });
    expect(deny(input)).toBe('ns[a]-policy[b]-rule[0]');
    expect(deny({ ...input, path: '/other' })).toBeNull();
  });

  test('that no ALLOW matches is refused by none', () => {
    const allow = filter('ALLOW', {
      permissions: [{ any: true }],
      principals: peer('.*/ns/shop/.*'),
    });
    expect(allow(input)).toBeNull();
    expect(allow({ ...input, peerPrincipal: 'spiffe://cluster.local/ns/far/sa/web' })).toBe('none');
    expect(allow({ ...input, peerPrincipal: '' })).toBe('none');
  });

  test.for<[string, JsonValue, boolean]>([
    ['its method', { header: { name: ':method', stringMatch: { exact: 'GET' } } }, true],
    [
      'its host in any case',
      { header: { name: ':authority', stringMatch: { exact: 'shop.TEST', ignoreCase: true } } },
      true,
    ],
    ['a header', { header: { name: 'x-tenant', stringMatch: { suffix: 'a' } } }, true],
    [
      'the absence of a header',
      { notRule: { header: { name: 'x-other', presentMatch: true } } },
      true,
    ],
    ['the dialled port', { destinationPort: 80 }, true],
    ['another port', { destinationPort: 81 }, false],
    [
      'both of two rules',
      { andRules: { rules: [{ destinationPort: 80 }, { destinationPort: 81 }] } },
      false,
    ],
    [
      'one of two rules',
      { orRules: { rules: [{ destinationPort: 80 }, { destinationPort: 81 }] } },
      true,
    ],
  ])('is matched by %s', ([, permission, expected]) => {
    const allow = filter('ALLOW', { permissions: [permission], principals: anyone });
    expect(allow(input) === null).toBe(expected);
  });

  test('is matched by the address it came from', () => {
    const range = { addressPrefix: '10.0.0.0', prefixLen: 24 };
    const allow = filter('ALLOW', {
      permissions: [{ any: true }],
      principals: [{ directRemoteIp: range }],
    });
    expect(allow(input)).toBeNull();
    expect(allow({ ...input, sourceIp: '10.0.1.7' })).toBe('none');
  });
});

test('a policy that cannot be enforced names the field', () => {
  const metadata = { filter: 'x', path: [{ key: 'k' }], value: { stringMatch: { exact: 'v' } } };
  expect(() =>
    filter('DENY', { permissions: [{ any: true }], principals: [{ metadata }] }),
  ).toThrow(
    'rules.policies[ns[a]-policy[b]-rule[0]].principals[0].metadata.filter: x writes nothing here',
  );
});

describe('of a connection whose requests are not read', () => {
  const seen: AuthorizationInput = {
    ...input,
    method: '',
    authority: '',
    path: '',
    header: () => null,
  };
  const bytes = (action: 'ALLOW' | 'DENY', policy: JsonValue) => {
    const rules = fromJson(RBACSchema, { action, policies: { rule: policy } });
    return compileAuthorization(rules, 'rules', 'bytes')(seen);
  };
  const method: JsonValue = { header: { name: ':method', stringMatch: { exact: 'DELETE' } } };
  const path: JsonValue = { urlPath: { path: { prefix: '/admin' } } };
  const port: JsonValue = { destinationPort: 80 };
  const otherPort: JsonValue = { destinationPort: 81 };
  const header: JsonValue = { header: { name: 'x-tenant', stringMatch: { exact: 'a' } } };
  const and = (...rules: JsonValue[]): JsonValue => ({ andRules: { rules } });
  const not = (notRule: JsonValue): JsonValue => ({ notRule });

  test.for<[string, JsonValue, JsonValue[], boolean]>([
    ['a method', method, anyone, true],
    ['all but a method', not(method), anyone, true],
    ['a path at its port', and(path, port), anyone, true],
    ['a path at another port', and(path, otherPort), anyone, false],
    ['anything but a path at its port', not(and(path, port)), anyone, true],
    ['a header', port, [header], true],
    ['all but a header', port, [{ notId: header }], true],
    [
      'a header of somebody else',
      port,
      [{ andIds: { ids: [header, ...peer('.*/sa/other')] } }],
      false,
    ],
    ['its port', port, anyone, true],
    ['another port', otherPort, anyone, false],
  ])('a DENY of %s denies where it could match', ([, permission, principals, isDenied]) => {
    const policy = { permissions: [permission], principals };
    expect(bytes('DENY', policy) !== null).toBe(isDenied);
  });

  test.for<[string, JsonValue, JsonValue[], boolean]>([
    ['a method', method, anyone, false],
    ['all but a method', not(method), anyone, false],
    ['a method or its port', { orRules: { rules: [method, port] } }, anyone, true],
    ['all but a path at another port', not(and(path, otherPort)), anyone, true],
    ['a header', port, [header], false],
    ['all but a header', port, [{ notId: header }], false],
    ['its port', port, anyone, true],
  ])('an ALLOW of %s allows where it must match', ([, permission, principals, isAllowed]) => {
    const policy = { permissions: [permission], principals };
    expect(bytes('ALLOW', policy) === null).toBe(isAllowed);
  });
});
