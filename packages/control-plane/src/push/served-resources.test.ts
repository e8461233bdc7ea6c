import { expect, test } from 'vitest';
import { TestCluster, type TestObject } from '../derive/derivation.fixture.ts';
import { ServedResources } from './served-resources.ts';

const NAMESPACE = {
  kind: 'Namespace',
  metadata: { name: 'shop', labels: { 'istio.io/dataplane-mode': 'ambient' } },
};

function podOn(node: string): TestObject {
  return {
    kind: 'Pod',
    metadata: { namespace: 'shop', name: `web-${node}`, uid: node },
    spec: { nodeName: node, containers: [] },
    status: { phase: 'Running', podIP: '10.0.0.1' },
  };
}

test('of nodes that are gone nothing stays but what a proxy still follows', () => {
  const cluster = new TestCluster([NAMESPACE]);
  const served = new ServedResources();
  const toggle = (node: string): void => {
    cluster.toggle(podOn(node));
    served.follow(cluster.derivation);
  };
  const followed = served.enrolledPods('followed').follow();
  toggle('followed');
  toggle('followed');
  for (let node = 0; node < 1000; node++) {
    toggle(`node ${node}`);
    toggle(`node ${node}`);
  }
  expect([...served.all()].length).toBeLessThan(210);
  toggle('followed');
  expect(followed.next().changed.map(({ name }) => name)).toEqual(['followed']);
});
