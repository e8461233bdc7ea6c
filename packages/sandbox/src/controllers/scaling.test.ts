import type { ApiObject } from '@aquifer/kube-api';
import { expect, test } from 'vitest';
import { isResized, planScaling } from './scaling.ts';

function deployment(replicas: number, strategy = {}): ApiObject {
  const spec = { replicas, strategy };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec };
}

/** A set as it was scaled while the Deployment wanted `desired`. */
function set(name: string, replicas: number, desired: number, available = 0): ApiObject {
  const annotations = {
    'deployment.kubernetes.io/desired-replicas': String(desired),
    'deployment.kubernetes.io/max-replicas': String(desired + 1),
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, annotations },
    spec: { replicas },
    status: { availableReplicas: available },
  };
}

function sizes(...[wanted, current, old]: Parameters<typeof planScaling>): Record<string, number> {
  const plans = planScaling(wanted, current, old);
  return Object.fromEntries(plans.map((plan) => [plan.set.metadata.name, plan.replicas]));
}

test('a size that changes in the middle of a rollout is shared in proportion', () => {
  expect(sizes(deployment(1), set('new', 1, 3), [set('old', 3, 3)])).toEqual({ old: 1, new: 1 });
  expect(sizes(deployment(9), set('new', 1, 3), [set('old', 3, 3)])).toEqual({ old: 9, new: 3 });
  expect(sizes(deployment(0), set('new', 1, 3), [set('old', 3, 3)])).toEqual({ old: 0, new: 0 });
});

test('the only set with pods takes the whole size, new or old', () => {
  expect(sizes(deployment(5), set('new', 2, 2), [])).toEqual({ new: 5 });
  expect(sizes(deployment(3), set('new', 0, 2), [set('old', 2, 2)])).toEqual({ old: 3 });
});

test('a new set that is complete leaves nothing to the old ones', () => {
  expect(sizes(deployment(2), set('new', 2, 2, 2), [set('old', 1, 2)])).toEqual({ old: 0 });
});

test('a set without pods says nothing of the size', () => {
  expect(isResized(deployment(3), [set('a', 2, 2)])).toBe(true);
  expect(isResized(deployment(2), [set('a', 2, 2), set('b', 0, 5)])).toBe(false);
});
