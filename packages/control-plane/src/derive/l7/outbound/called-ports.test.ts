import { expect, test } from 'vitest';
import { TestCluster, type TestObject } from '../../derivation.fixture.ts';

const namespace = 'shop';
const SUBSETS = 2000;
const SERVICE = {
  kind: 'Service',
  metadata: { name: 'cart', namespace },
  spec: { clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 80 }] },
};
const RULE = {
  kind: 'DestinationRule',
  metadata: { name: 'cart', namespace },
  spec: {
    host: 'cart',
    subsets: Array.from({ length: SUBSETS }, (_, i) => ({ name: `v${i}`, labels: { v: `${i}` } })),
  },
};

const objects: TestObject[] = [{ kind: 'Namespace', metadata: { name: namespace } }, SERVICE];

test('a rule with thousands of subsets that is written again as it was costs less than it did at first', () => {
  const cluster = new TestCluster(objects);
  cluster.derivation.proxies.set('web', {
    type: 'sidecar',
    namespace,
    podName: 'web-1',
    labels: {},
    addresses: ['10.1.0.1'],
    locality: null,
    meshId: '',
    account: '',
    inboundTunnels: 'none',
  });
  const costOf = (change: () => void): number => {
    const before = process.cpuUsage();
    change();
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const first = costOf(() => cluster.put(RULE));
  const clusters = [...cluster.derivation.sidecars.clusters.entries()];
  expect(clusters.length).toBeGreaterThan(SUBSETS);
  expect(costOf(() => cluster.put(RULE))).toBeLessThan(first);
});
