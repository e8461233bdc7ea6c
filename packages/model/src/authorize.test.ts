import { describe, expect, test } from 'vitest';
import { authorize } from './authorize.ts';
import type { PeerConnection } from './compiled-policy.ts';
import { type Authorization, type AuthorizationMatch, EMPTY_MATCH } from './workload.ts';

const connection: PeerConnection = {
  sourceIdentity: { trustDomain: 'cluster.local', namespace: 'shop', serviceAccount: 'web' },
  sourceIp: '10.0.0.1',
  destinationIp: '10.0.0.2',
  destinationPort: 8080,
};
const plaintext: PeerConnection = { ...connection, sourceIdentity: null };

function policy(
  action: 'allow' | 'deny',
  groups: readonly (readonly (readonly Partial<AuthorizationMatch>[])[])[],
  dryRun = false,
): Authorization {
  const filled = groups.map((rules) =>
    rules.map((matches) => matches.map((match) => ({ ...EMPTY_MATCH, ...match }))),
  );
  return { name: 'p', namespace: 'shop', scope: 'namespace', action, groups: filled, dryRun };
}

const exact = (value: string) => ({ kind: 'exact', value }) as const;

describe('a connection is', () => {
  test.for<[string, Authorization[], PeerConnection, boolean]>([
    ['allowed without policies', [], connection, true],
    ['refused by an ALLOW policy without rules', [policy('allow', [])], connection, false],
    ['allowed by an ALLOW with a rule without clauses', [policy('allow', [[]])], connection, true],
    [
      'refused by a DENY that matches its namespace',
      [policy('deny', [[[{ namespaces: [exact('shop')] }]]])],
      connection,
      false,
    ],
    ['not matched by an empty match', [policy('deny', [[[{}]]])], connection, true],
    [
      'allowed by its principal',
      [policy('allow', [[[{ principals: [exact('cluster.local/ns/shop/sa/web')] }]]])],
      connection,
      true,
    ],
    [
      'refused in plaintext under the strict policy',
      [policy('deny', [[[{ notPrincipals: [{ kind: 'presence' }] }]]])],
      plaintext,
      false,
    ],
    [
      'allowed with an identity under the strict policy',
      [policy('deny', [[[{ notPrincipals: [{ kind: 'presence' }] }]]])],
      connection,
      true,
    ],
    [
      'allowed when only one of two clauses of a DENY holds',
      [policy('deny', [[[{ destinationPorts: [8080] }], [{ namespaces: [exact('other')] }]]])],
      connection,
      true,
    ],
    [
      'refused when both clauses of a DENY hold',
      [policy('deny', [[[{ destinationPorts: [8080] }], [{ namespaces: [exact('shop')] }]]])],
      connection,
      false,
    ],
    [
      'allowed by its service account',
      [policy('allow', [[[{ serviceAccounts: [{ namespace: 'shop', serviceAccount: 'web' }] }]]])],
      connection,
      true,
    ],
    [
      'refused by a source range',
      [policy('deny', [[[{ sourceIps: [{ address: '10.0.0.0', prefixLength: 24 }] }]]])],
      connection,
      false,
    ],
    ['allowed under a dry-run DENY', [policy('deny', [[]], true)], connection, true],
  ])('%s', ([, policies, peer, allowed]) => {
    expect(authorize(policies, peer).allowed).toBe(allowed);
  });

  test('told which policy refused it', () => {
    expect(authorize([policy('deny', [[]])], connection)).toMatchObject({
      policy: 'shop/p',
      reason: 'explicitly denied by: shop/p',
    });
  });
});
