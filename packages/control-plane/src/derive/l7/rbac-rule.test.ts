import type { AuthorizationRule } from '@aquifer/model/resources';
import { PolicySchema } from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import { create, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { type RuleContext, rbacPolicy } from './rbac-rule.ts';

const ANY = { andRules: { rules: [{ any: true }] } };
const ANYONE = { andIds: { ids: [{ any: true }] } };
const NEVER = { notId: { any: true } };

function convert(
  rule: AuthorizationRule,
  protocol: RuleContext['protocol'],
  action: RuleContext['action'],
): unknown {
  const policy = rbacPolicy(rule, { namespace: 'shop', protocol, action });
  return policy === null ? null : toJson(PolicySchema, create(PolicySchema, policy));
}

const GET: AuthorizationRule = { to: [{ operation: { methods: ['GET'] } }] };

test('on a TCP chain an ALLOW rule on HTTP never holds, and a DENY rule holds without it', () => {
  expect(convert(GET, 'tcp', 'ALLOW')).toBeNull();
  expect(convert(GET, 'tcp', 'DENY')).toEqual({ permissions: [ANY], principals: [ANYONE] });
});

test('a bad template makes an ALLOW rule useless, and a DENY rule wider', () => {
  const rule = { to: [{ operation: { paths: ['/a', '/{**}/{*}'] } }] };
  expect(convert(rule, 'http', 'ALLOW')).toBeNull();
  expect(convert(rule, 'http', 'DENY')).toEqual({ permissions: [ANY], principals: [ANYONE] });
});

test.for(['no.such.key', 'constructor'])(
  'the unknown key %s makes an ALLOW rule useless, and a DENY rule wider',
  (key) => {
    const rule = { ...GET, when: [{ key, values: ['x'] }] };
    expect(convert(rule, 'http', 'ALLOW')).toBeNull();
    expect(convert(rule, 'http', 'DENY')).toEqual(convert(GET, 'http', 'DENY'));
  },
);

test('a value that cannot be read makes an ALLOW rule useless, and a DENY rule wider', () => {
  const ranges = { from: [{ source: { ipBlocks: ['10.0.0.0/33'] } }] };
  expect(convert(ranges, 'http', 'ALLOW')).toMatchObject({
    principals: [{ andIds: { ids: [{ orIds: { ids: [NEVER] } }] } }],
  });
  expect(convert(ranges, 'http', 'DENY')).toEqual({ permissions: [ANY], principals: [ANYONE] });
  const except = { from: [{ source: { notIpBlocks: ['10.0.0.x'] } }] };
  expect(convert(except, 'http', 'ALLOW')).toMatchObject({
    principals: [{ andIds: { ids: [NEVER] } }],
  });
  expect(convert(except, 'http', 'DENY')).toEqual({ permissions: [ANY], principals: [ANYONE] });
  const port = { to: [{ operation: { ports: ['http'] } }] };
  expect(convert(port, 'tcp', 'DENY')).toEqual({ permissions: [ANY], principals: [ANYONE] });
});

test('metadata of a connection has no value, for a DENY rule too', () => {
  const rule = { when: [{ key: 'experimental.envoy.filters.a[b]', values: ['x'] }] };
  expect(convert(rule, 'tcp', 'DENY')).toMatchObject({
    principals: [{ andIds: { ids: [{ orIds: { ids: [NEVER] } }] } }],
  });
});

test('a rule without conditions holds for everything', () => {
  expect(convert({}, 'http', 'ALLOW')).toEqual({ permissions: [ANY], principals: [ANYONE] });
});

test('a destination in `when` restricts every operation of the rule', () => {
  const rule: AuthorizationRule = {
    to: [{ operation: { methods: ['GET'] } }, { operation: { ports: ['81'] } }],
    when: [{ key: 'destination.ip', values: ['10.96.0.0/16'] }],
  };
  const destination = { addressPrefix: '10.96.0.0', prefixLen: 16 };
  const inRange = { orRules: { rules: [{ destinationIp: destination }] } };
  expect(convert(rule, 'http', 'ALLOW')).toMatchObject({
    permissions: [
      { andRules: { rules: [expect.anything(), inRange] } },
      { andRules: { rules: [{ orRules: { rules: [{ destinationPort: 81 }] } }, inRange] } },
    ],
  });
});

const peer = (stringMatch: object) => ({
  filterState: { key: 'io.istio.peer_principal', stringMatch },
});

test.for([
  {
    source: { principals: ['*/sa/a.b'] },
    id: peer({ safeRegex: { regex: 'spiffe://.*/sa/a\\.b' } }),
  },
  { source: { principals: ['td/ns/x/*'] }, id: peer({ prefix: 'spiffe://td/ns/x/' }) },
  { source: { namespaces: ['prod-*'] }, id: peer({ safeRegex: { regex: '.*/ns/prod-.*/.*' } }) },
  {
    source: { serviceAccounts: ['web'] },
    id: peer({ safeRegex: { regex: 'spiffe://.+/ns/shop/(.+/|)sa/web(/.+)?' } }),
  },
  {
    source: { ipBlocks: ['2001:db8::/32'] },
    id: { directRemoteIp: { addressPrefix: '2001:db8::', prefixLen: 32 } },
  },
])('a source with $source is matched by $id', ({ source, id }) => {
  expect(convert({ from: [{ source }] }, 'http', 'DENY')).toMatchObject({
    principals: [{ andIds: { ids: [{ orIds: { ids: [id] } }] } }],
  });
});
