import type { AuthorizationPolicy } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { TestCluster } from './derivation.fixture.ts';
import { convertPolicy, selectsWorkload } from './policies.ts';

/** What the recordings 25 and 26 do not show. */
test.for([
  { selector: { matchLabels: {} }, labels: { app: 'a' }, isListed: true },
  { selector: {}, labels: { app: 'a' }, isListed: false },
  { selector: {}, labels: {}, isListed: false },
])('selector $selector is listed by a workload with $labels: $isListed', (given) => {
  const { selector, labels, isListed } = given;
  const policy = { metadata: {}, spec: { selector } } as unknown as AuthorizationPolicy;
  expect(selectsWorkload(policy, labels)).toBe(isListed);
});

test('a condition on a key that JavaScript objects know is an unknown key like any other', () => {
  const policy = {
    metadata: { namespace: 'shop', name: 'p' },
    spec: { rules: [{ when: [{ key: 'constructor', values: ['x'] }] }] },
  } as unknown as AuthorizationPolicy;
  const { authorization, verdict } = convertPolicy(policy, 'istio-system');
  expect(authorization?.groups).toEqual([]);
  expect(verdict?.message).toContain('(found: constructor)');
});

test("a waypoint's own Service is bound to none, whatever its namespace says", () => {
  const labels = { 'istio.io/use-waypoint': 'wp' };
  const managed = { 'gateway.istio.io/managed': 'istio.io-mesh-controller' };
  const objects = [
    { kind: 'Namespace', metadata: { name: 'shop', labels } },
    {
      kind: 'Gateway',
      metadata: { namespace: 'shop', name: 'wp' },
      spec: { gatewayClassName: 'istio-waypoint', listeners: [] },
      status: { addresses: [{ type: 'Hostname', value: 'wp.shop.svc.cluster.local' }] },
    },
    { kind: 'Service', metadata: { namespace: 'shop', name: 'wp', labels: managed }, spec: {} },
    {
      kind: 'AuthorizationPolicy',
      metadata: { namespace: 'shop', name: 'p' },
      spec: { targetRefs: [{ group: '', kind: 'Service', name: 'wp' }] },
    },
  ];
  const { policies } = new TestCluster(objects).derivation.mesh;
  expect(policies.get('shop/p')?.attachment).toEqual({
    status: 'False',
    reason: 'AncestorNotBound',
    message: 'Service shop/wp is not bound to a waypoint',
  });
});
