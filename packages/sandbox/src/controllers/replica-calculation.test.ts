import { expect, test } from 'vitest';
import { replicasFor, type ScaledPod } from './replica-calculation.ts';

const NOW = 1_000_000_000;

/** A pod that requests one processor, has run for an hour and uses `amount`. */
function pod(amount: number | null, more: Partial<ScaledPod> = {}): ScaledPod {
  return {
    isEnded: false,
    isPending: false,
    isReady: true,
    startedAtMs: NOW - 3_600_000,
    readySinceMs: NOW - 3_599_000,
    requested: 1,
    measured: amount === null ? null : { amount, atMs: NOW, windowMs: 5_000 },
    ...more,
  };
}

const fresh: Partial<ScaledPod> = {
  isReady: false,
  startedAtMs: NOW - 10_000,
  readySinceMs: NOW - 10_000,
};

test.for([
  { when: 'twice the target', use: [1, 1], percent: 50, replicas: 4 },
  { when: 'half the target', use: [0.25, 0.25], percent: 50, replicas: 1 },
  { when: 'within a tenth of the target', use: [0.54, 0.54], percent: 50, replicas: 2 },
  { when: 'just a tenth above it', use: [0.55, 0.55], percent: 50, replicas: 2 },
  { when: 'more than a tenth above it', use: [0.56, 0.56], percent: 50, replicas: 3 },
  { when: 'a fraction that is none', use: [0.7, 0.7, 0.7], percent: 70, replicas: 3 },
])('with pods at $when there are $replicas', ({ use, percent, replicas }) => {
  const pods = use.map((amount) => pod(amount));
  const at = { replicas: use.length, isCpu: true, nowMs: NOW };
  expect(replicasFor(pods, { kind: 'utilization', percent }, at)?.replicas).toBe(replicas);
});

test.for([
  { what: 'pods that are not ready yet count as idle', pods: [pod(2), pod(2, fresh)], replicas: 4 },
  {
    what: 'such pods keep the size when they alone would turn the decision',
    pods: [pod(0.6), pod(0.6, fresh)],
    replicas: 2,
  },
  {
    what: 'pods without a reading count as idle when more are wanted',
    pods: [pod(2), pod(null)],
    replicas: 4,
  },
  {
    what: 'pods without a reading count as busy when less are wanted',
    pods: [pod(0.1), pod(null)],
    replicas: 2,
  },
  { what: 'pods that end do not count', pods: [pod(1), pod(1, { isEnded: true })], replicas: 2 },
])('$what', ({ pods, replicas }) => {
  const at = { replicas: 2, isCpu: true, nowMs: NOW };
  expect(replicasFor(pods, { kind: 'utilization', percent: 50 }, at)?.replicas).toBe(replicas);
});

test('without a pod that counts there is no decision', () => {
  const at = { replicas: 1, isCpu: true, nowMs: NOW };
  const target = { kind: 'utilization', percent: 50 } as const;
  expect(replicasFor([pod(1, fresh)], target, at)).toBeNull();
  expect(replicasFor([], target, at)).toBeNull();
});

test('an average amount is kept without requests', () => {
  const pods = [pod(300, { requested: null }), pod(100, { requested: null })];
  const at = { replicas: 2, isCpu: false, nowMs: NOW };
  const decision = replicasFor(pods, { kind: 'average', amount: 100 }, at);
  expect(decision).toEqual({ replicas: 4, utilization: null, average: 200 });
});
