import type { ApiObject } from '@aquifer/kube-api';
import { expect, test } from 'vitest';
import { repellingTaints, stayOf } from './tolerations.ts';

const object = (spec: object): ApiObject => ({
  apiVersion: 'v1',
  kind: 'x',
  metadata: { name: 'x' },
  spec,
});
const GPU = { key: 'gpu', value: 'yes', effect: 'NoSchedule' };

test.for([
  { toleration: [], repels: true },
  { toleration: [{ key: 'gpu', value: 'yes' }], repels: false },
  { toleration: [{ key: 'gpu', value: 'no' }], repels: true },
  { toleration: [{ key: 'gpu', operator: 'Exists', effect: 'NoExecute' }], repels: true },
  { toleration: [{ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }], repels: false },
  { toleration: [{ operator: 'Exists' }], repels: false },
  { toleration: [{ key: 'disk', operator: 'Exists' }], repels: true },
])(
  'a node of gpu=yes:NoSchedule repels a pod with $toleration: $repels',
  ({ toleration, repels }) => {
    const pod = object({ tolerations: toleration });
    expect(repellingTaints(pod, object({ taints: [GPU] })).length > 0).toBe(repels);
  },
);

test('a pod stays as long as it tolerates the taint that sends it away', () => {
  const node = object({ taints: [{ key: 'down', effect: 'NoExecute' }] });
  const tolerating = (more: object): ApiObject =>
    object({ tolerations: [{ key: 'down', operator: 'Exists', ...more }] });
  expect(stayOf(object({}), node)).toBe(0);
  expect(stayOf(tolerating({ tolerationSeconds: 30 }), node)).toBe(30);
  expect(stayOf(tolerating({}), node)).toBe(Number.POSITIVE_INFINITY);
  expect(stayOf(object({}), object({ taints: [GPU] }))).toBe(Number.POSITIVE_INFINITY);
});
