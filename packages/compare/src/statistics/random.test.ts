import { expect, test } from 'vitest';
import { poissonArrivals, seededRandom, shuffled } from './random.ts';

test('the same seed gives the same numbers, another one others', () => {
  const take = (seed: number) => Array.from({ length: 5 }, seededRandom(seed));
  expect(take(7)).toEqual(take(7));
  expect(take(7)).not.toEqual(take(8));
});

test('each of four comes first about as often', () => {
  const random = seededRandom(1);
  const firsts = [0, 0, 0, 0];
  for (let i = 0; i < 4000; i++) firsts[shuffled([0, 1, 2, 3], random)[0]!]! += 1;
  for (const count of firsts) expect(Math.abs(count - 1000)).toBeLessThan(120);
});

test('gaps of arrivals are exponential: as many as asked for, and as varied as long', () => {
  const times = [...poissonArrivals(1000, 20, seededRandom(3))];
  expect(Math.abs(times.length - 20_000)).toBeLessThan(600);
  const gaps = times.slice(1).map((time, at) => time - times[at]!);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  expect(Math.sqrt(variance) / mean).toBeCloseTo(1, 1);
});
