import type { DestinationRule } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { MESH } from '../derivation.fixture.ts';
import { destinationPolicy } from './destination-rules.ts';
import { consistentHashOf, trafficPolicyAt } from './traffic-policy.ts';

const CART = { hostname: 'cart.shop.svc.cluster.local', namespace: 'shop' };
const WEB = { namespace: 'web', labels: { app: 'web' } };

let age = 0;

function rule(key: string, spec: object): DestinationRule {
  const [namespace, name] = key.split('/');
  age += 1;
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1) + age * 1000).toISOString();
  return {
    kind: 'DestinationRule',
    metadata: { namespace, name, creationTimestamp },
    spec,
  } as unknown as DestinationRule;
}

const limited = (maxConnections: number) => ({ connectionPool: { tcp: { maxConnections } } });

function limitOf(rules: readonly DestinationRule[], client = WEB): number | undefined {
  const found = destinationPolicy(rules, client, CART, MESH);
  return found?.policy?.connectionPool?.tcp?.maxConnections;
}

test.for([
  {
    what: "a pattern of the client's namespace before a name of the service's",
    rules: [
      rule('shop/a', { host: 'cart', trafficPolicy: limited(1) }),
      rule('web/b', { host: '*.svc.cluster.local', trafficPolicy: limited(2) }),
    ],
    limit: 2,
  },
  {
    what: 'a name before a pattern, and a long pattern before a short one',
    rules: [
      rule('shop/a', { host: '*', trafficPolicy: limited(1) }),
      rule('shop/b', { host: '*.shop.svc.cluster.local', trafficPolicy: limited(2) }),
      rule('shop/c', { host: '*.cluster.local', trafficPolicy: limited(3) }),
    ],
    limit: 2,
  },
  {
    what: 'rules of the root namespace last',
    rules: [rule('istio-system/a', { host: '*.local', trafficPolicy: limited(1) })],
    limit: 1,
  },
  {
    what: 'no rule that is not exported to the client',
    rules: [
      rule('shop/a', { host: 'cart', exportTo: ['.'], trafficPolicy: limited(1) }),
      rule('istio-system/b', { host: '*', exportTo: ['web'], trafficPolicy: limited(2) }),
    ],
    limit: 2,
  },
  {
    what: 'no rule of a third namespace',
    rules: [rule('far/a', { host: CART.hostname, trafficPolicy: limited(1) })],
    limit: undefined,
  },
  {
    what: 'a rule that chooses the client alone',
    rules: [
      rule('web/a', { host: CART.hostname, trafficPolicy: limited(1) }),
      rule('web/b', {
        host: CART.hostname,
        workloadSelector: { matchLabels: { app: 'web' } },
        trafficPolicy: limited(2),
      }),
    ],
    limit: 2,
  },
  {
    what: 'no rule that chooses others',
    rules: [
      rule('web/a', {
        host: CART.hostname,
        workloadSelector: { matchLabels: { app: 'job' } },
        trafficPolicy: limited(1),
      }),
      rule('web/b', { host: CART.hostname, trafficPolicy: limited(2) }),
    ],
    limit: 2,
  },
])('a client follows $what', ({ rules, limit }) => {
  expect(limitOf(rules)).toBe(limit);
});

test('of several rules for one host the first policy counts, and the first subset of each name', () => {
  const rules = [
    rule('shop/b', { host: CART.hostname, subsets: [{ name: 's1', labels: { v: '2' } }] }),
    rule('shop/a', {
      host: 'cart',
      trafficPolicy: limited(1),
      subsets: [
        { name: 's1', labels: { v: '1' } },
        { name: 's2', labels: { v: '2' } },
      ],
    }),
  ];
  const found = destinationPolicy(rules, WEB, CART, MESH)!;
  expect(found.policy).toEqual(limited(1));
  expect(found.sources.map(({ name }) => name)).toEqual(['b', 'a']);
  expect([...found.subsets.values()]).toEqual([
    { name: 's1', labels: { v: '2' }, policy: null },
    { name: 's2', labels: { v: '2' }, policy: null },
  ]);
});

const RETRIES = { retryBudget: { percent: 10 } };
const HASHED = { loadBalancer: { consistentHash: { httpHeaderName: 'x-user' } } };
const LAYERED = destinationPolicy(
  [
    rule('shop/a', {
      host: 'cart',
      trafficPolicy: {
        ...limited(1),
        ...RETRIES,
        ...HASHED,
        portLevelSettings: [{ port: { number: 81 }, ...limited(81) }],
      },
      subsets: [
        { name: 'own', trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } },
        {
          name: 'ported',
          trafficPolicy: {
            portLevelSettings: [
              { port: { number: 80 }, loadBalancer: { consistentHash: { useSourceIp: true } } },
            ],
          },
        },
      ],
    }),
  ],
  WEB,
  CART,
  MESH,
)!;

test.for([
  { subset: '', port: 80, policy: { ...limited(1), ...RETRIES, ...HASHED } },
  { subset: '', port: 81, policy: limited(81) },
  {
    subset: 'own',
    port: 80,
    policy: { ...limited(1), ...RETRIES, loadBalancer: { simple: 'RANDOM' } },
  },
  { subset: 'own', port: 81, policy: { ...limited(81), loadBalancer: { simple: 'RANDOM' } } },
  {
    subset: 'ported',
    port: 80,
    policy: { ...RETRIES, loadBalancer: { consistentHash: { useSourceIp: true } } },
  },
  { subset: 'ported', port: 82, policy: { ...limited(1), ...RETRIES, ...HASHED } },
  { subset: 'nobody', port: 81, policy: limited(81) },
])('subset "$subset" has at port $port what is said of it block by block', (given) => {
  expect(trafficPolicyAt(LAYERED, given.port, given.subset)).toEqual(given.policy);
});

test.for([
  { subset: '', port: null, hash: { httpHeaderName: 'x-user' } },
  { subset: 'own', port: 80, hash: { httpHeaderName: 'x-user' } },
  { subset: 'ported', port: 80, hash: { useSourceIp: true } },
  { subset: 'ported', port: null, hash: { httpHeaderName: 'x-user' } },
])('requests to subset "$subset" at port $port are hashed as recorded', (given) => {
  expect(consistentHashOf(LAYERED, given.subset, given.port)).toEqual(given.hash);
});
