import { EnrolledPodSchema } from '@aquifer/wire/gen/aquifer/node_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { TestCluster, valuesOf } from './derivation.fixture.ts';

test('a static pod is enrolled with the hash that its node knows it by', () => {
  const namespace = {
    kind: 'Namespace',
    metadata: { name: 'shop', labels: { 'istio.io/dataplane-mode': 'ambient' } },
  };
  const pod = (name: string, annotations: Record<string, string>) => ({
    kind: 'Pod',
    metadata: { namespace: 'shop', name, uid: `uid-of-${name}`, annotations },
    spec: { nodeName: 'node-1', containers: [] },
    status: { phase: 'Running', podIP: '10.0.0.7', podIPs: [{ ip: '10.0.0.7' }] },
  });
  const { derivation } = new TestCluster([
    namespace,
    pod('plain', {}),
    pod('static', { 'kubernetes.io/config.hash': '5f0e2d1c' }),
  ]);
  const enrolled = valuesOf(derivation.mesh.enrolledPods);
  expect(new Set(enrolled.map(({ node }) => node))).toEqual(new Set(['node-1']));
  const hashes = enrolled.map(({ resource }) => {
    const { name, configHash } = fromBinary(EnrolledPodSchema, resource.bytes);
    return [name, configHash];
  });
  expect(Object.fromEntries(hashes)).toEqual({ plain: '', static: '5f0e2d1c' });
});
