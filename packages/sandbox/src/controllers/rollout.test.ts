import type { ApiObject } from '@aquifer/kube-api';
import { expect, test } from 'vitest';
import { planRollout, rolloutBounds } from './rollout.ts';

function deployment(spec: Record<string, unknown>): ApiObject {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec };
}

function set(name: string, replicas: number, availableReplicas: number): ApiObject {
  const status = { replicas, availableReplicas };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name },
    spec: { replicas },
    status,
  };
}

/** Plays the rollout with pods that become available at once, recording every step as [new, old]. */
function play(spec: Record<string, unknown>, oldReplicas: number): [number, number][] {
  let now = 0;
  let before = oldReplicas;
  const steps: [number, number][] = [];
  for (let step = 0; step < 20; step++) {
    const plans = planRollout(deployment(spec), set('new', now, now), [set('old', before, before)]);
    const of = (name: string, otherwise: number): number =>
      plans.find((plan) => plan.set.metadata.name === name)?.replicas ?? otherwise;
    const next: [number, number] = [of('new', now), of('old', before)];
    if (next[0] === now && next[1] === before) return steps;
    [now, before] = next;
    steps.push(next);
  }
  throw new Error('the rollout does not end');
}

test.for([
  { surge: 1, unavailable: 0, wanted: 3 },
  { surge: 0, unavailable: 1, wanted: 3 },
  { surge: '25%', unavailable: '25%', wanted: 4 },
  { surge: '100%', unavailable: 0, wanted: 2 },
])(
  'surge $surge and unavailable $unavailable are kept while $wanted pods are replaced',
  (given) => {
    const { surge, unavailable, wanted } = given;
    const rollingUpdate = { maxSurge: surge, maxUnavailable: unavailable };
    const { maxSurge, maxUnavailable } = rolloutBounds(rollingUpdate, wanted);
    const steps = play({ replicas: wanted, strategy: { rollingUpdate } }, wanted);
    for (const [now, before] of steps) {
      expect(now + before).toBeLessThanOrEqual(wanted + maxSurge);
      expect(now + before).toBeGreaterThanOrEqual(wanted - maxUnavailable);
    }
    expect(steps.at(-1)).toEqual([wanted, 0]);
  },
);

test('old pods stay while new ones do not become available', () => {
  const spec = { replicas: 2, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };
  const old = set('old', 2, 2);
  const plans = planRollout(deployment(spec), set('new', 1, 0), [old]);
  expect(plans).toContainEqual({ set: old, replicas: 2 });
});

test('Recreate starts the new pods only when the old ones are gone', () => {
  const spec = { replicas: 2, strategy: { type: 'Recreate' } };
  const old = set('old', 2, 2);
  expect(planRollout(deployment(spec), set('new', 0, 0), [old])).toEqual([
    { set: old, replicas: 0 },
  ]);
  const current = set('new', 0, 0);
  const plans = planRollout(deployment(spec), current, [set('old', 0, 0)]);
  expect(plans).toContainEqual({ set: current, replicas: 2 });
});

test('percentages round surge up and unavailability down, and never leave both at zero', () => {
  expect(rolloutBounds(undefined, 3)).toEqual({ maxSurge: 1, maxUnavailable: 0 });
  expect(rolloutBounds({ maxSurge: 0, maxUnavailable: '10%' }, 3)).toEqual({
    maxSurge: 0,
    maxUnavailable: 1,
  });
});
