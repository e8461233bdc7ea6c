import { expect, test } from 'vitest';
import { NO_HISTORY, pace, type ScalingBehavior, type ScalingHistory } from './scaling-behavior.ts';

const NOW = 10_000_000;
const ago = (seconds: number, replicas: number) => ({ atMs: NOW - seconds * 1000, replicas });

test.for([
  { what: 'up, four pods at once', current: 1, wanted: 10, replicas: 5 },
  { what: 'up, twice as many where that is more', current: 8, wanted: 100, replicas: 16 },
  { what: 'down, not before five minutes', current: 5, wanted: 1, replicas: 5 },
])('by default: $what', ({ current, wanted, replicas }) => {
  expect(pace({ current, wanted, nowMs: NOW }, {}, NO_HISTORY).replicas).toBe(replicas);
});

const quickDown: ScalingBehavior = { scaleDown: { stabilizationWindowSeconds: 0 } };

test.for<{
  what: string;
  behavior: ScalingBehavior;
  past: Partial<ScalingHistory>;
  replicas: number;
}>([
  {
    what: 'down to the highest recommendation of the window',
    behavior: {},
    past: { recommendations: [ago(400, 9), ago(200, 3)] },
    replicas: 3,
  },
  { what: 'down at once without a window', behavior: quickDown, past: {}, replicas: 1 },
  {
    what: 'not at all where the direction is disabled',
    behavior: { scaleDown: { stabilizationWindowSeconds: 0, selectPolicy: 'Disabled' } },
    past: {},
    replicas: 8,
  },
  {
    what: 'by so many pods in a period, those already gone counted',
    behavior: {
      scaleDown: {
        stabilizationWindowSeconds: 0,
        policies: [{ type: 'Pods', value: 3, periodSeconds: 60 }],
      },
    },
    past: { changes: [ago(30, -2), ago(90, -5)] },
    replicas: 7,
  },
  {
    what: 'by the policy that changes least, with Min',
    behavior: {
      scaleDown: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Min',
        policies: [
          { type: 'Pods', value: 1, periodSeconds: 60 },
          { type: 'Percent', value: 50, periodSeconds: 60 },
        ],
      },
    },
    past: {},
    replicas: 7,
  },
])('from 8 towards 1: $what', ({ behavior, past, replicas }) => {
  const paced = pace({ current: 8, wanted: 1, nowMs: NOW }, behavior, { ...NO_HISTORY, ...past });
  expect(paced.replicas).toBe(replicas);
});

test('a window for growth waits until every recommendation in it is higher', () => {
  const behavior = { scaleUp: { stabilizationWindowSeconds: 60 } };
  const first = pace({ current: 2, wanted: 4, nowMs: NOW }, behavior, NO_HISTORY);
  expect(first).toMatchObject({ replicas: 2, heldBy: 'past' });
  const nowMs = NOW + 61_000;
  expect(pace({ current: 2, wanted: 4, nowMs }, behavior, first.history).replicas).toBe(4);
});
