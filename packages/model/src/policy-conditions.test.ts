import { describe, expect, test } from 'vitest';
import { authorize } from './authorize.ts';
import type { PeerConnection } from './compiled-policy.ts';
import {
  type Authorization,
  type AuthorizationMatch,
  EMPTY_MATCH,
  type StringMatch,
} from './workload.ts';

type Groups = readonly (readonly (readonly Partial<AuthorizationMatch>[])[])[];

const exact = (value: string): StringMatch => ({ kind: 'exact', value });
const host = (address: string) => ({ address, prefixLength: 32 });

const OWN = { trustDomain: 'td', namespace: 'namespace', serviceAccount: 'account' };
const OTHER = { trustDomain: 'td', namespace: 'bad', serviceAccount: 'bad' };

function connection(peer: Partial<PeerConnection> = {}): PeerConnection {
  return {
    sourceIdentity: OWN,
    sourceIp: '127.0.0.1',
    destinationIp: '127.0.0.2',
    destinationPort: 8080,
    ...peer,
  };
}

/** Whether the only policy that there is matches. */
function matches(groups: Groups, peer: PeerConnection): boolean {
  const filled = groups.map((rules) =>
    rules.map((clause) => clause.map((match) => ({ ...EMPTY_MATCH, ...match }))),
  );
  return authorize([policy({ groups: filled })], peer).allowed;
}

function policy(fields: Partial<Authorization>): Authorization {
  return {
    name: 'p',
    namespace: 'ns1',
    scope: 'namespace',
    action: 'allow',
    groups: [],
    dryRun: false,
    ...fields,
  };
}

const plaintext = connection({ sourceIdentity: null });
const own = connection();
const other = connection({ sourceIdentity: OTHER });

test.for<readonly [string, Groups, boolean]>([
  ['with an empty match', [[[{}]]], false],
  ['with a clause without matches', [[[]]], true],
  ['with a rule without clauses', [[]], true],
  ['without rules', [], false],
])('a policy %s matches plaintext: %3$s (C090)', ([, groups, expected]) => {
  expect(matches(groups, plaintext)).toBe(expected);
});

function from(namespace: string, destinationPort: number): PeerConnection {
  return connection({ sourceIdentity: { ...OWN, namespace }, destinationPort });
}

test('clauses of a rule must all match, and in each one match is enough (C091)', () => {
  const groups: Groups = [
    [[{ namespaces: [exact('a')] }, { namespaces: [exact('b')] }], [{ destinationPorts: [80] }]],
  ];
  const seen = [from('a', 80), from('b', 80), from('bad', 80), from('b', 12_345)];
  expect(seen.map((peer) => matches(groups, peer))).toEqual([true, true, false, false]);
});

test('one of several rules is enough (C092)', () => {
  const groups: Groups = [[[{ namespaces: [exact('a')] }]], [[{ namespaces: [exact('b')] }]]];
  const seen = [from('a', 80), from('b', 80), from('bad', 80)];
  expect(seen.map((peer) => matches(groups, peer))).toEqual([true, true, false]);
});

const account = { namespace: 'namespace', serviceAccount: 'account' };

describe('who calls', () => {
  test.for<readonly [string, Partial<AuthorizationMatch>, Partial<AuthorizationMatch>]>([
    [
      'by namespace (C093)',
      { namespaces: [exact('namespace')] },
      { notNamespaces: [exact('namespace')] },
    ],
    [
      'by service account (C094)',
      { serviceAccounts: [account] },
      { notServiceAccounts: [account] },
    ],
    [
      'by principal (C095)',
      { principals: [exact('td/ns/namespace/sa/account')] },
      { notPrincipals: [exact('td/ns/namespace/sa/account')] },
    ],
  ])('is told %s; who says nothing of itself is not the one, and not excluded', ([, is, isNot]) => {
    const seen = [plaintext, own, other];
    expect(seen.map((peer) => matches([[[is]]], peer))).toEqual([false, true, false]);
    expect(seen.map((peer) => matches([[[isNot]]], peer))).toEqual([true, false, true]);
  });

  test('is told by a principal without its scheme (C095)', () => {
    const withScheme = { principals: [exact('spiffe://td/ns/namespace/sa/account')] };
    expect(matches([[[withScheme]]], own)).toBe(false);
  });
});

test.for<readonly [string, Partial<AuthorizationMatch>, Partial<AuthorizationMatch>, string]>([
  [
    'its source (C096)',
    { sourceIps: [host('127.0.0.1')] },
    { notSourceIps: [host('127.0.0.1')] },
    'sourceIp',
  ],
  [
    'its destination (C096)',
    { destinationIps: [host('127.0.0.1')] },
    { notDestinationIps: [host('127.0.0.1')] },
    'destinationIp',
  ],
])('a connection is told by %s', ([, is, isNot, side]) => {
  const seen = ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((ip) => connection({ [side]: ip }));
  expect(seen.map((peer) => matches([[[is]]], peer))).toEqual([true, false, false]);
  expect(seen.map((peer) => matches([[[isNot]]], peer))).toEqual([false, true, true]);
  const range = { address: '127.0.0.1', prefixLength: 24 };
  const key = side === 'sourceIp' ? 'sourceIps' : 'destinationIps';
  expect(seen.every((peer) => matches([[[{ [key]: [range] }]]], peer))).toBe(true);
});

test('a connection is told by its port (C097)', () => {
  const seen = [8080, 80].map((destinationPort) => connection({ destinationPort }));
  const is = { destinationPorts: [8080] };
  const isNot = { notDestinationPorts: [8080] };
  expect(seen.map((peer) => matches([[[is]]], peer))).toEqual([true, false]);
  expect(seen.map((peer) => matches([[[isNot]]], peer))).toEqual([false, true]);
});

test.for<readonly [StringMatch, string, boolean]>([
  [exact('foo'), 'foo', true],
  [exact('foo'), 'foobar', false],
  [exact('foo'), '', false],
  [{ kind: 'prefix', value: 'foo' }, 'foobar', true],
  [{ kind: 'prefix', value: 'foo' }, 'barfoo', false],
  [{ kind: 'prefix', value: 'foo' }, '', false],
  [{ kind: 'suffix', value: 'foo' }, 'barfoo', true],
  [{ kind: 'suffix', value: 'foo' }, 'foobar', false],
  [{ kind: 'suffix', value: 'foo' }, '', false],
  [{ kind: 'presence' }, 'foo', true],
  [{ kind: 'presence' }, '', false],
])('%j matches "%s": %s (C098)', ([pattern, namespace, expected]) => {
  const peer = connection({ sourceIdentity: { ...OWN, namespace } });
  expect(matches([[[{ namespaces: [pattern] }]]], peer)).toBe(expected);
});

describe('a connection to a namespace', () => {
  const onPort = (port: number): Authorization['groups'] => [
    [[{ ...EMPTY_MATCH, destinationPorts: [port] }]],
  ];
  const allow = policy({ name: 'allow', groups: onPort(8080) });
  const deny = policy({ name: 'deny', action: 'deny', groups: onPort(8080) });
  const dry = (action: 'allow' | 'deny') =>
    policy({ name: `dry-${action}`, action, groups: [[]], dryRun: true });

  test('without policies is allowed (C099)', () => {
    expect(authorize([], own)).toEqual({ allowed: true, policy: null });
  });

  test('is allowed by what allows it, refused if nothing does, and refused by what denies it (C100)', () => {
    const elsewhere = connection({ destinationPort: 1 });
    expect(authorize([allow], own)).toEqual({ allowed: true, policy: 'ns1/allow' });
    expect(authorize([allow], elsewhere)).toEqual({
      allowed: false,
      policy: 'ns1/allow',
      reason: 'allow policies exist, but none allowed',
    });
    expect(authorize([allow, deny], own)).toEqual({
      allowed: false,
      policy: 'ns1/deny',
      reason: 'explicitly denied by: ns1/deny',
    });
    expect(authorize([deny], elsewhere)).toEqual({ allowed: true, policy: null });
  });

  test('is decided as if policies that are tried out were not there (C100)', () => {
    expect(authorize([dry('deny'), dry('allow')], own)).toEqual({ allowed: true, policy: null });
    const elsewhere = connection({ destinationPort: 1 });
    expect(authorize([dry('allow'), allow], elsewhere).allowed).toBe(false);
  });

  test('is not cut by what denies but has no rules (C103)', () => {
    expect(authorize([policy({ action: 'deny', groups: [] })], own).allowed).toBe(true);
  });
});
