import { expect, test } from 'vitest';
import { bootstrap, relativeHalfWidth } from './bootstrap.ts';
import { seededRandom } from './random.ts';

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

test('the interval of a mean holds the true value about 95 times of 100', () => {
  const random = seededRandom(5);
  let held = 0;
  for (let i = 0; i < 200; i++) {
    const { low, high } = bootstrap(Array.from({ length: 20 }, random), mean)!;
    if (low <= 0.5 && 0.5 <= high) held += 1;
  }
  expect(held).toBeGreaterThan(178);
  expect(held).toBeLessThan(200);
});

test('blocks stay together: a ratio of sums that is the same in each block has no width', () => {
  const blocks = [1, 5, 20].map((base) => ({ base, cost: base / 4 }));
  const ratio = (drawn: readonly (typeof blocks)[number][]) =>
    mean(drawn.map(({ cost }) => cost)) / mean(drawn.map(({ base }) => base));
  expect(bootstrap(blocks, ratio)).toEqual({ value: 0.25, low: 0.25, high: 0.25 });
});

test('one block, or nothing to divide by, has no interval', () => {
  expect(bootstrap([1], mean)).toBeNull();
  expect(bootstrap([1, 2], () => 1 / 0)).toBeNull();
  expect(relativeHalfWidth(null)).toBe(Number.POSITIVE_INFINITY);
});

test('the half width is relative to the estimate', () => {
  expect(relativeHalfWidth({ value: 2, low: 1.9, high: 2.1 })).toBeCloseTo(0.05);
});
