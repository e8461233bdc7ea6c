import { expect, test } from 'vitest';
import {
  type ClusterPod,
  type ClusterRule,
  clusterSize,
  isL7,
  namespaceFacts,
} from './cluster-facts.ts';

function pod(
  namespace: string,
  name: string,
  changes: Partial<ClusterPod['spec']> = {},
): ClusterPod {
  const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '1Gi' } };
  return {
    metadata: { namespace, name },
    spec: { containers: [{ name: 'web', resources }], ...changes },
    status: { phase: 'Running' },
  };
}

const PROXY = { name: 'istio-proxy', resources: { requests: { cpu: '10m', memory: '40Mi' } } };
const rule = (kind: string, spec: object = {}): ClusterRule => ({
  kind,
  metadata: { name: 'a', namespace: 'shop' },
  spec,
});

test('pods that a mesh could carry are counted by namespace, with sidecars apart, and not the waypoints', () => {
  const labels = { 'gateway.networking.k8s.io/gateway-name': 'waypoint' };
  const waypoint: ClusterPod = {
    ...pod('shop', 'waypoint', { containers: [PROXY] }),
    metadata: { namespace: 'shop', name: 'waypoint', labels },
  };
  const pods = [
    pod('shop', 'one', { containers: [...pod('', '').spec!.containers!, PROXY] }),
    pod('shop', 'two', { initContainers: [PROXY, { name: 'setup' }] }),
    { ...pod('shop', 'done'), status: { phase: 'Succeeded' } },
    pod('blog', 'host', { hostNetwork: true }),
    pod('blog', 'web'),
    pod('kube-system', 'dns'),
    waypoint,
  ];
  const usage = new Map([['shop/one/istio-proxy', { cpu: '3000000n', memory: '51200Ki' }]]);
  const objects = { nodes: 2, pods, rules: [rule('HTTPRoute')], usage };
  const facts = namespaceFacts(objects);
  expect(facts.map(({ namespace, pods: count }) => [namespace, count])).toEqual([
    ['blog', 1],
    ['shop', 2],
  ]);
  const shop = facts[1]!;
  expect(shop).toMatchObject({ sidecars: 2, captured: 0, needsL7: ['HTTPRoute a'] });
  expect(shop.applications.requests).toEqual({ cpuMillis: 200, memoryMiB: 128 });
  expect(shop.applications.limits.memoryMiB).toBe(2048);
  expect(shop.sidecarNeeds.requests).toEqual({ cpuMillis: 20, memoryMiB: 80 });
  expect(shop.sidecarNeeds.usage?.cpuMillis).toBeCloseTo(3);
  expect(shop.sidecarNeeds.usage?.memoryMiB).toBe(50);
  expect(namespaceFacts({ ...objects, usage: null })[1]?.sidecarNeeds.usage).toBeNull();
  expect(clusterSize(2, facts, 100)).toEqual({
    nodes: 2,
    podsPerNode: 1.5,
    rps: 100,
    waypoints: 1,
  });
});

test.for([
  {
    what: 'an identity',
    spec: { rules: [{ from: [{ source: { principals: ['a'] } }] }] },
    is: false,
  },
  { what: 'a port', spec: { rules: [{ to: [{ operation: { ports: ['80'] } }] }] }, is: false },
  { what: 'a method', spec: { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] }, is: true },
  {
    what: 'other paths',
    spec: { rules: [{ to: [{ operation: { notPaths: ['/a'] } }] }] },
    is: true,
  },
  {
    what: 'a token',
    spec: { rules: [{ from: [{ source: { requestPrincipals: ['*'] } }] }] },
    is: true,
  },
  { what: 'a header', spec: { rules: [{ when: [{ key: 'request.headers[a]' }] }] }, is: true },
  { what: 'everything', spec: {}, is: false },
])('a policy about $what needs HTTP: $is', ({ spec, is }) => {
  expect(isL7(rule('AuthorizationPolicy', spec))).toBe(is);
});
