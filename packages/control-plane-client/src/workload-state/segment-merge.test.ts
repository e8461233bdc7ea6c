import { expect, test } from 'vitest';
import { MAX_RECORDS, nextMerge } from './segment-merge.ts';

type Sizes = { size: number; alive: number }[];

/** Merges until nothing is left to do; returns how many records were copied. */
function settle(segments: Sizes): number {
  let copied = 0;
  for (let merge = nextMerge(segments); merge !== null; merge = nextMerge(segments)) {
    const { at, count } = merge;
    const alive = segments.slice(at, at + count).reduce((sum, each) => sum + each.alive, 0);
    segments.splice(at, count, { size: alive, alive });
    copied += alive;
  }
  return copied;
}

test('however many small changes come, segments stay few and records are seldom copied', () => {
  const segments: Sizes = Array.from({ length: 14 }, () => ({
    size: MAX_RECORDS,
    alive: MAX_RECORDS,
  }));
  let copied = 0;
  const changes = 20_000;
  for (let i = 0; i < changes; i++) {
    // Each replaces a record of an old segment.
    segments[i % 14]!.alive -= 1;
    segments.push({ size: 1, alive: 1 });
    copied += settle(segments);
  }
  const size = segments.reduce((sum, segment) => sum + segment.size, 0);
  expect(segments.length).toBeLessThan(40);
  expect(size).toBeLessThan(2 * 14 * MAX_RECORDS);
  expect(copied / changes).toBeLessThan(20);
});

test('segments are never merged beyond what fits into a few milliseconds', () => {
  const full = { size: MAX_RECORDS, alive: MAX_RECORDS };
  expect(nextMerge([full, full, { size: 1, alive: 1 }])).toBeNull();
});

test('a segment of which most has died is written anew, also between two that are full', () => {
  const full = { size: MAX_RECORDS, alive: MAX_RECORDS };
  const hollow = { size: MAX_RECORDS, alive: 10 };
  expect(nextMerge([full, hollow, full])).toEqual({ at: 1, count: 1 });
  expect(nextMerge([full, hollow, { size: 1, alive: 1 }])).toEqual({ at: 1, count: 2 });
});
