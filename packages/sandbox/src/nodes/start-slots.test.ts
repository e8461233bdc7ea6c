import { expect, test, vi } from 'vitest';
import { StartSlots } from './start-slots.ts';

test('as many as there are slots begin, and each that is given back lets the next one begin', async () => {
  const slots = new StartSlots(2);
  const begun: number[] = [];
  const releases = [1, 2, 3, 4].map(async (number) => {
    const release = await slots.take();
    begun.push(number);
    return release;
  });
  const first = await releases[0]!;
  expect(begun).toEqual([1, 2]);
  first();
  first();
  (await releases[2]!)();
  await releases[3];
  expect(begun).toEqual([1, 2, 3, 4]);
});

test('a slot that nobody gives back is free again after a while', async () => {
  vi.useFakeTimers();
  const slots = new StartSlots(1);
  await slots.take();
  const second = slots.take();
  vi.advanceTimersByTime(3_000);
  await expect(second).resolves.toBeTypeOf('function');
  vi.useRealTimers();
});
